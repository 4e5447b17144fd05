"""What the tests of the cluster share: Slurm itself, and copies of the repository that use it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from slurm.clone import Clone
from slurm.cluster import Cluster, install


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Slurm of one node with two GPUs that are none."""
    if (why := install()) is not None:
        pytest.skip(why)
    if torch.cuda.is_available():
        pytest.skip("needs a machine without a GPU: what is computed on one does not repeat bit by bit")
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, Cluster(Path(folder)) as found:
        yield found


@pytest.fixture
def clone(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Clone]]:
    """Makes a copy of the repository, which this process looks into; what it started ends with the test."""
    made: list[Clone] = []

    def make(**jobs: object) -> Clone:
        made.append(Clone(tmp_path / "clone", cluster, jobs))
        monkeypatch.setenv("SNNLIB_RUNS", str(made[-1].folder / "runs"))
        return made[-1]

    yield make
    for one in made:
        one.end()
