"""The code on pages runs as it stands, from top to bottom, and prints what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from io import StringIO
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from snnlib.data.sets import load_dataset
from snnlib.store.markdown import part
from snnlib.store.paths import DOCS, README


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """Each block of Python on a page that is not generated, and the line above its first one."""
    text = page.read_text(encoding="utf-8")
    generated = [range(*part(text, name)) for name in re.findall(r"<!-- (\w+):begin -->", text)]
    for found in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S):
        if not any(found.start() in where for where in generated):
            yield text.count("\n", 0, found.start(1)), found[1]


def said(code: str) -> str:
    """What a block's calls of print are said to print, in comments behind them."""
    return "".join(f"{told}\n" for told in re.findall(r"^ *print\(.*\)  # (.*)$", code, re.M))


def run(page: Path, names: dict[str, object]) -> None:
    """Run a page's code; a traceback names the page's line."""
    for line, code in blocks(page):
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile("\n" * line + code, str(page), "exec"), names)
        assert OutputChecker().check_output(said(code), printed.getvalue(), ELLIPSIS | NORMALIZE_WHITESPACE), (
            f"{page.name}, line {line}: printed {printed.getvalue()}"
        )


def test_a_network_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, object] = {}
    run(DOCS / "own_network.md", names)
    assert names["result"].accuracy.iloc[-1] > 0.3  # of the folder of images; a tenth is chance
    assert sorted(tmp_path.iterdir()) == [tmp_path / "images", tmp_path / "net.safetensors"]


def test_training_through_time() -> None:
    torch.manual_seed(0)
    names: dict[str, object] = {}
    run(DOCS / "coming_from.md", names)
    assert names["result"].accuracy.iloc[-1] > 0.4


def test_the_six_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    data = load_dataset("fashion_mnist_mini")
    loader = DataLoader(TensorDataset(data.train.images[:500], data.train.labels[:500]), 50)
    names: dict[str, object] = {"model": nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))}
    run(README, names | {"loader": loader, "test_loader": loader})
    assert (tmp_path / "net.safetensors").exists()
