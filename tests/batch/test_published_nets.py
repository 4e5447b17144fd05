"""What the repository publishes of runs: whole, small, and of nets the accuracy that is said, exactly."""

from __future__ import annotations

from math import prod, sqrt
from pathlib import Path

import pytest

from reproduce.batch import pretrained
from reproduce.batch.pretrained import on_sample, sampled
from reproduce.runs import pretrained as published
from reproduce.runs import stored
from reproduce.runs.evaluations import read
from reproduce.runs.first_images import IMAGES, first_images
from reproduce.runs.results import accuracy, evaluated
from reproduce.runs.trained import ensure
from snnlib.store.paths import ROOT

PLACE = ROOT / "data" / "pretrained"


def _size(name: str) -> int:
    return (PLACE / name / published.WEIGHTS).stat().st_size


RUNS = sorted(path.parent.name for path in PLACE.glob("*/metadata.json"))
NETS = [name for name in RUNS if (PLACE / name / published.WEIGHTS).exists()]
# The smallest of each data set is tried always, but for ResNet-18, whose many layers take long.
QUICK = {name.split("-")[0]: name for name in sorted(NETS, key=lambda n: ("resnet18" not in n, -_size(n)))}.values()
TRIED = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NETS]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the repository publishes, and a store in which nothing is."""
    monkeypatch.setenv("SNNLIB_PRETRAINED", str(PLACE))
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))


def test_it_is_small_enough_to_be_in_every_clone() -> None:
    sizes = {path: path.stat().st_size for path in PLACE.rglob("*") if path.is_file()}
    assert max(size for path, size in sizes.items() if path.parent != PLACE) <= pretrained.LARGEST
    for path in PLACE.glob("*.safetensors"):  # images: a thousand, a byte for each value, and little else
        assert sizes[path] <= IMAGES * (prod(first_images(path.name.split("-")[0]).test.images.shape[1:]) + 2)
    assert sum(sizes.values()) <= 52 * 2**20


@pytest.mark.parametrize("name", RUNS)
def test_every_published_run_is_whole_and_has_evaluations(name: str) -> None:
    run = stored.finished(name)
    assert run.spec.name == name
    assert run.damage() is None
    assert run.published
    files = {path.stem for path in (PLACE / name).glob("accuracy-*.csv")}
    assert {evaluation.file(run).stem for evaluation, _ in evaluated(run)} == files != set()
    assert run.metadata["sittings"][0]["packages"]["torch"]


@pytest.mark.parametrize("name", TRIED)
def test_published_weights_give_the_published_accuracy_on_the_images_that_travel_with_them(name: str) -> None:
    """One way of running each net, so that all are tried among them: a full-width net takes seconds for one."""
    run = ensure(stored.finished(name).spec)
    assert run.folder.parent != PLACE
    said = sampled(name)
    assert len(said) == len(pretrained.USUAL) <= len(NETS)
    each = said[sorted(NETS, key=lambda n: n not in QUICK).index(name) % len(said)]
    short = read(each["evaluation"])
    assert on_sample(run, short) == each
    settings = {"timesteps": short.timesteps, "noise_seeds": short.noise_seeds}
    whole = next(e for e, _ in evaluated(run) if e.timesteps >= short.timesteps and e.changed(**settings) == short)
    p = accuracy(run, whole).groupby("timesteps").accuracy.mean()[short.timesteps]
    assert each["accuracy"][-1] == pytest.approx(p, abs=4 * sqrt(p * (1 - p) / IMAGES))  # a thousand images' error
