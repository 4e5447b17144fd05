"""Notebooks in JupyterLab and the site's pages, as a browser shows them: `make test-browser`."""
