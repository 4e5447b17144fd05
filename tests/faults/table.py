"""The table of what was broken on purpose: fault, tries, survived, lost. Run as a program, it is published."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from reproduce.runs.provenance import provenance
from snnlib.store.files import write
from snnlib.store.markdown import put
from snnlib.store.paths import DOCS, figures_dir, from_root
from snnlib.store.published import copy

HERE = Path(__file__).parent
FOLDER, FILE = "faults", "faults.md"


def table(reports: Iterable[Any]) -> pd.DataFrame:
    """What the tests said by ``record_property("fault", [fault, tries, survived])``, added up by fault, in order."""
    rows = [value for report in reports for name, value in report.user_properties if name == "fault"]
    found = pd.DataFrame(rows, columns=["fault", "tries", "survived"]).groupby("fault").sum()
    found = found.sort_index(key=lambda fault: fault.str.lower())
    return found.assign(lost=found.tries - found.survived).reset_index()


def complete(reports: Iterable[Any], found: pd.DataFrame) -> bool:
    """Whether every module here reported, and each kind of fault was tried often enough; then the table stands."""
    kinds = {"SIG": 50, "the run store": 200, "bad": 1000}
    often = all(found.tries[found.fault.str.contains(kind)].sum() >= least for kind, least in kinds.items())
    return often and {Path(r.fspath).name for r in reports} >= {path.name for path in HERE.glob("test_*.py")}


def save(text: str, seconds: float) -> str:
    """Write it beside the reader's own figures; returns where."""
    made = provenance(torch.device("cpu"))
    where = f"{made['device']} ({made['instructions']}); torch {made['packages']['torch']}"
    how = f"*`make test-faults`, {seconds / 60:.0f} min on {where}.*"
    file = figures_dir() / FOLDER / FILE
    write(file, f"{text}\n\n{how}\n")
    return f"written: {from_root(file)}; `make publish-faults` publishes it"


def publish() -> None:
    """Copy what was last written to the published figures, and into docs/when_something_breaks.md."""
    folder = copy(FOLDER, [FILE])
    put(DOCS / "when_something_breaks.md", "faults", (folder / FILE).read_text(encoding="utf-8"))


if __name__ == "__main__":
    publish()
