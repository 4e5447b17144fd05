"""How Sphinx makes the site of what `assemble.py` has laid out. Nothing asks the network, now or when it is read."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the extensions beside this file

project = "snnlib"
copyright = "the snnlib contributors"
release = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
extensions = ["myst_nb", *(f"sphinx.ext.{e}" for e in ("autosummary", "napoleon", "viewcode"))]
extensions += ["mathml", "docstrings", "equations"]
exclude_patterns = ["README.md"]  # a part of the index
highlight_language = "none"  # of a block that names none
smartquotes = False  # N' is no quotation

# Pages and notebooks: these as they were executed, with the anchors that GitHub gives headings.
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # what can be moved has a picture beside it
nb_mime_priority_overrides = [("html", "image/png", 5)]
nb_render_markdown_format = "myst"  # which knows tables
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"  # not MathJax

# The reference.
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: name for name in ("Noise", "Statistics", "Surrogate")}  # unions of what is beside them
autodoc_default_options = {"exclude-members": "extra_repr, model_config"}
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
default_role = "py:obj"  # of what docstrings have between single backticks

html_theme = "sphinx_book_theme"
html_title = "snnlib"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # which would be fetched, and nothing can be from file://
html_context = {"default_mode": "auto"}  # light or dark
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # a second search
    "footer_content_items": ["copyright.html"],  # which names the authors
}
