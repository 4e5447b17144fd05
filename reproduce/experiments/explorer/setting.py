"""How a published net is looked at: with which memory and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

from reproduce.experiments.titles import net_title
from reproduce.runs import pretrained, stored
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.checks import InputError, shown
from snnlib.conversion import convert, convert_exact
from snnlib.network import Spiking
from snnlib.noise import Gaussian, Uniform

PAPER, EXACT, NONE = MEMORIES = ("paper's", "exact", "none")
NOISES = {"gaussian": Gaussian, "uniform": Uniform}
ALPHAS = (2.0, 2.5, 3.0, 4.0, 6.0, 8.0, math.inf)


@dataclass(frozen=True)
class Setting:
    """A net, and how it is looked at."""

    run: str  # its name
    memory: str = PAPER  # one of `MEMORIES`
    noise: str = "gaussian"  # one of `NOISES`, in place of that of training
    width: float = 1.0  # of its range, around 1/2
    alpha: float | None = 4.0  # of the paper's memory, as is
    leak: float | None = 0.5

    @property
    def plain(self) -> Setting:
        """The same, without what does not matter to its memory."""
        return self if self.memory == PAPER else replace(self, alpha=None, leak=None)

    def network(self) -> Spiking:
        """The net for several steps.

        Raises:
            InputError: noise too narrow for this alpha (Eq. 6).
        """
        noise = NOISES[self.noise](low=0.5 - self.width / 2, high=0.5 + self.width / 2)
        if self.memory == EXACT:
            return convert_exact(_trained(self.run), noise=noise)
        if self.memory == NONE:
            return convert(_trained(self.run), math.inf, noise=noise)
        return convert(_trained(self.run), self.alpha, leak=self.leak, noise=noise)


@cache
def _trained(name: str) -> Spiking:
    return ensure(stored.finished(name).spec, "cpu").model("cpu")


def title_of(net: str) -> str:
    """By which title `nets` has the one that is meant.

    Args:
        net: how its name begins.

    Raises:
        InputError: none or several begin so.
    """
    names = {run.spec.name: title for title, run in nets().items()}
    meant = [title for name, title in names.items() if name.startswith(net)]
    if len(meant) != 1:
        how_many = "several begin so" if meant else "none begins so"
        raise InputError(
            f"net = {shown(net)}: must be how the name of one published net begins, {how_many}: {', '.join(names)}"
        )
    return meant[0]


def nets() -> dict[str, Run]:
    """The published nets that have weights and were trained with noise, by a title.

    Raises:
        InputError: there is none.
    """
    names = [name for name in pretrained.names() if pretrained.published(name, pretrained.WEIGHTS)]
    runs = [run for name in names if (run := stored.finished(name)) and run.spec.noise in NOISES]
    found: dict[str, Run] = {}
    for run in runs:
        called = f"{net_title(run.spec.columns())}, {run.spec.readout} read out"
        found[f"{called} ({run.spec.key})" if called in found else called] = run
    if not found:
        raise InputError(
            f"published nets: there are none in {pretrained.folder('')}; `git checkout` restores them, where "
            "SNNLIB_PRETRAINED does not point elsewhere"
        )
    return found
