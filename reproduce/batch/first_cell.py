"""The notebooks' first cell, which installs the package where it is missing, as on Colab. Here is what it says.

What it needs cannot be imported there, so it stands whole in each notebook: `make first-cells` writes it anew.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from snnlib.store.files import write
from snnlib.store.paths import NOTEBOOKS, ROOT

ID = "install"
# The site's pages leave it out, and JupyterLab folds it: no reader has to pass by it.
METADATA = {"jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
SOURCE = """\
# Installs snnlib where it is missing, as on Colab; where it is there, does nothing.
from importlib.util import find_spec

if getattr(find_spec("snnlib"), "origin", None) is None:  # a folder of that name that is no package has none
    import subprocess
    import sys
    from pathlib import Path

    repository = %s  # its address
    clones = [p for p in (Path.cwd(), *Path.cwd().parents) if (p / "snnlib" / "__init__.py").is_file()]
    clone = clones[0] if clones else Path("snnlib-repository").absolute()
    if not (clone.is_dir() or repository):
        sys.exit("snnlib is not installed, and this notebook lies in no clone of its repository: git clone it")
    if not clone.is_dir():
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", repository, clone], check=True)
    needed = ["--editable", f"{clone}[export]", "ipywidgets", "scikit-learn"]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *needed], check=True)
    sys.path.insert(0, str(clone))  # what pip has just installed is known to the next kernel alone
"""


def address() -> str:
    """The address of the repository, as pyproject.toml has it; empty as long as it has none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "")


def source() -> str:
    """The code of the first cell, with the address of the repository."""
    return (SOURCE % json.dumps(address())).strip()


def renew(notebook: Path) -> None:
    """Put the first cell below a notebook's title, in place of the one that is there; nothing else changes."""
    book = json.loads(notebook.read_text(encoding="utf-8"))
    title, *rest = book["cells"]
    there = [cell for cell in rest if cell.get("id") == ID]
    new = {"cell_type": "code", "execution_count": None, "id": ID, "outputs": [], **(there[0] if there else {})}
    new |= {"metadata": METADATA, "source": source().splitlines(keepends=True)}
    book["cells"] = [title, new, *(cell for cell in rest if cell.get("id") != ID)]
    text = json.dumps(book, ensure_ascii=False, indent=1, sort_keys=True) + "\n"  # as nbformat writes it
    if text != notebook.read_text(encoding="utf-8"):
        write(notebook, text)


def renew_all() -> None:
    """Renew the first cell of every notebook that is committed."""
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        renew(notebook)


if __name__ == "__main__":
    renew_all()
