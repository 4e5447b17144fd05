"""A notebook as it was executed at a larger preset, to be read beside the figures that are published of that."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from reproduce.runs.preset import Preset
from snnlib.store.paths import NOTEBOOKS, build_dir
from snnlib.store.sums import verified

ID = "executed"  # of the cell that says at which preset
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)")
OF_A_MACHINE = ("papermill", "widgets", "execution")  # metadata: paths, times, the state of what can be moved
MOVED = "application/vnd.jupyter.widget-view+json"  # which nothing stands behind; a picture is beside it


def executed(name: str, preset: Preset, folder: Path) -> str:
    """The text of a notebook that was drawn at a preset, as it is published in this folder.

    Raises:
        StoreError: it was not drawn.
        DamagedError: it is not as it was drawn.
    """
    book = json.loads(verified(build_dir() / preset.name / f"{name}.ipynb").read_text(encoding="utf-8"))
    title, *rest = (_cell(cell, folder) for cell in book["cells"])
    first, _, text = title["source"].partition("\n")
    told = (
        f"**As executed at preset `{preset.name}`** ({preset.description}): outputs, tables and pictures are of that. "
        "A number in the text that names no preset is `smoke`'s, and need not agree with what stands beside it."
    )
    said = {"cell_type": "markdown", "id": ID, "metadata": {}, "source": told}
    cells = [{**title, "source": f"{first}, at preset `{preset.name}`\n{text}"}, said, *rest]
    published = {**book, "metadata": _kept(book["metadata"]), "cells": cells}
    return json.dumps(published, ensure_ascii=False, indent=1) + "\n"


def _cell(cell: dict, folder: Path) -> dict:
    """Without what is a machine's own; links lead from the folder where those of `NOTEBOOKS` lead."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        source = LINK.sub(lambda link: f"]({os.path.relpath(NOTEBOOKS / link[1], folder)}", source)
    changed = {**cell, "metadata": _kept(cell["metadata"]), "source": source}
    if "outputs" in cell:
        changed["outputs"] = [_output(output) for output in cell["outputs"]]
    return changed


def _output(output: dict) -> dict:
    if "data" not in output:
        return output
    return {**output, "data": {kind: value for kind, value in output["data"].items() if kind != MOVED}}


def _kept(metadata: dict) -> dict:
    return {name: value for name, value in metadata.items() if name not in OF_A_MACHINE}
