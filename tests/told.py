"""The pages of findings and README.md against the CSV files that they link: numbers are computed anew, by pandas alone.

A test says a sentence, with numbers for what is in braces, and looks for it on the page without its links.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from snnlib.store.paths import DOCS, README, ROOT

FIGURES = ROOT / "figures" / "cpu"
CNN, VGG, RESNET = "cnn", "vgg16", "resnet18"
DEEP = (VGG, RESNET)


def without_links(file: Path) -> str:
    """The text of a page without what is in brackets and links alone."""
    return " ".join(re.sub(r"\s*\((\[[^]]*\]\([^)]*\)(, )?)+\)", "", file.read_text()).split())


@cache
def findings() -> str:
    return without_links(DOCS / "findings.md")


@cache
def details() -> str:
    return without_links(DOCS / "findings_in_detail.md")


@cache
def readme() -> str:
    return without_links(README)


def says(sentence: str, *numbers: float, page: Callable[[], str] = findings) -> None:
    """The page says it, with these numbers: rounded as elsewhere, to the ninth decimal first."""
    said = sentence.format(*(round(float(number), 9) for number in numbers))
    whole = rf"(?<![\d.−+]){re.escape(said.replace('-', '−'))}(?!\.?\d)"  # not the end or the beginning of a number
    if not re.search(whole, page().replace("-", "−")):
        pytest.fail(f"{page.__name__} does not say: {said}")


@cache
def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(FIGURES / f"{name}.csv")


def table(name: str, **where: Any) -> pd.DataFrame:
    """The rows of a CSV file whose columns have these values, or one of those of a list."""
    found = _read(name)
    for column, value in where.items():
        found = found[found[column].isin(value if isinstance(value, list) else [value])]
    assert len(found), (name, where)
    return found


def points(name: str, **where: Any) -> float:
    """Mean over training seeds of a difference in points."""
    return table(name, **where).points.mean()


def percent(name: str, **where: Any) -> float:
    """Mean accuracy over noise seeds, then training seeds, in percent."""
    return 100 * table(name, **where).groupby("seed").accuracy.mean().mean()


def half(name: str, **where: Any) -> float:
    """Half of the 95 % interval of training seeds and test images together."""
    rows = table(name, **where)
    return float(np.hypot(half_of_seeds(rows.points), 1.96 * rows.image_error.iloc[0]))


def half_of_seeds(values: pd.Series) -> float:
    """Half of the 95 % interval of training seeds alone."""
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values)))


def epochs(name: str, **where: Any) -> tuple[int, int]:
    """The least and the most that the nets of a table were trained for."""
    return ends(table("runs", run=[*table(name, **where).run.unique()]).epochs)


def with_memory(net: str, width: float, memory: str, timesteps: int, **other: object) -> pd.Series:
    """Percent in each training seed of a net that spikes and is run with this memory; a CNN: Fashion-MNIST as it is."""
    like = {"network": net, "width": width, "readout": "spikes", "memory": memory, "timesteps": timesteps}
    like |= ({"augment": "none", "dataset": "fashion_mnist"} if net == CNN else {}) | other
    return 100 * table("memories", **like).groupby("seed").accuracy.mean()


def over_fresh_noise(net: str, width: float, memory: str, timesteps: int) -> pd.Series:
    """Points of a memory over fresh noise in each training seed of a net that spikes."""
    return with_memory(net, width, memory, timesteps) - with_memory(net, width, "ensemble", timesteps)


def steps_until(net: str, width: float, memory: str, as_good_as: str, **other: object) -> pd.Series:
    """The first T, in each training seed, at which spikes with a memory have what ten steps with the other have."""
    goal = with_memory(net, width, as_good_as, 10, **other)
    reached = pd.DataFrame({t: with_memory(net, width, memory, t, **other) >= goal - 1e-9 for t in range(1, 11)})
    assert reached.any(axis=1).all()
    return reached.idxmax(axis=1)


def deep_nets_at_four_steps() -> list[float]:
    """Percent of VGG-16 and ResNet-18 trained on rates, each layer waiting, then of the paper's from that start."""
    ways = (("rate4", "pipelined"), ("potential_start", "spiking"))
    return [percent("one_pass", network=net, arm=arm, way=way, timesteps=4) for arm, way in ways for net in DEEP]


def factors(column: str) -> pd.Series:
    """Of Table 2: geometric means over training seeds, by variant, our T, readout, data set and network."""
    rows = table("table2_speedup", within_points=0.5)
    by = [rows[name] for name in ("variant", "our_timesteps", "readout", "dataset", "network")]
    return np.exp(np.log(rows[column]).groupby(by).mean())


def ends(values: Any) -> tuple[float, float]:
    values = list(values)
    return min(values), max(values)
