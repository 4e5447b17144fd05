"""The arms of a comparison: each is a net with named changes, so that two of them differ in these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snnlib.runs.spec import Spec


@dataclass(frozen=True)
class Arm:
    """What is compared: the changes that it makes to a net, a spec's fields without a word on neurons."""

    what: str  # in words, for those who read a preset
    changes: Mapping[str, Any]
    own: tuple[str, ...] = ()  # fields of the recipe that a preset sets for this arm alone, under [arms.NAME]
    after: bool = False  # trained from the last weights of the same net as `ours`

    def spec(self, net: Mapping[str, Any], seed: int, own: Mapping[str, Any]) -> Spec:
        """The arm's run of a net; an `InputError` if a field cannot be used."""
        base = {**net, "seed": seed}
        after = {"after": base} if self.after else {}
        return Spec(**merged(base, self.changes, {"recipe": own}, after))


def merged(fields: Mapping[str, Any], *changes: Mapping[str, Any]) -> dict[str, Any]:
    """Fields with changes, one after another; mappings in them are merged likewise, all else is replaced."""
    found = dict(fields)
    for change in changes:
        for name, new in change.items():
            old = found.get(name)
            found[name] = merged(old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else new
    return found


def _single_step(**changes: Any) -> dict[str, Any]:
    return {"dynamics": {"kind": "single_step", **changes}}


THROUGH_TIME = {"kind": "lif"}
POTENTIAL_READOUT = {"readout": "potential"}

# A comparison lists its arms, and a figure draws them, in this order.
ARMS = {
    "ours": Arm("the paper's method: one step, Gaussian noise on [0, 1], spikes read out", {}),
    "potential": Arm("ours, read out as the ANNs below are", POTENTIAL_READOUT),
    "direct": Arm("surrogate gradients through time, without noise", {"dynamics": THROUGH_TIME, "timesteps": 10}),
    "tuned": Arm(
        "ours, then a little direct training",
        {"dynamics": THROUGH_TIME, "timesteps": 4},
        own=("epochs", "lr"),
        after=True,
    ),
    "relu": Arm("an ANN to convert, activations normalised", {**POTENTIAL_READOUT, "dynamics": {"kind": "relu"}}),
    "qcfs": Arm("an ANN made for few steps", {**POTENTIAL_READOUT, "dynamics": {"kind": "qcfs", "levels": 4}}),
    "uniform": Arm("another noise, as wide as ours", _single_step(noise={"kind": "uniform"})),
    # What the paper does not say: the surrogate gradient, what "Gaussian in [0, 1]" means, batch norm.
    "rectangle": Arm("another surrogate gradient", _single_step(surrogate={"kind": "rectangle"})),
    "arctan": Arm("another surrogate gradient", _single_step(surrogate={"kind": "arctan"})),
    "sigmoid": Arm("another surrogate gradient", _single_step(surrogate={"kind": "sigmoid"})),
    "gaussian_k2": Arm("a wider Gaussian", _single_step(noise={"kind": "gaussian", "k": 2})),
    "gaussian_k8": Arm("a narrower Gaussian", _single_step(noise={"kind": "gaussian", "k": 8})),
    "max_normalised": Arm("a Gaussian divided by its maximum", _single_step(noise={"kind": "max_normalised"})),
    "no_noise": Arm("an ablation, Eq. 4 without N", _single_step(noise={"kind": "gaussian", "high": 0})),
    "no_batch_norm": Arm("convolutions with a bias in its place", {"batch_norm": False}),
}
