"""The arms of a comparison: each is a net with named changes, so that two of them differ in these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reproduce.runs.spec import Spec

OWN = ("lr", "evaluate_every")


@dataclass(frozen=True)
class Arm:
    """What is compared: the changes that it makes to a net, a spec's fields without a word on neurons."""

    what: str  # in words, for `draw NOTEBOOK --help`; whole, since each is read by itself
    changes: Mapping[str, Any]
    own: tuple[str, ...] = (
        OWN  # fields of the recipe that a preset may set for this arm of a net, under [nets.NAME.arms]
    )
    like: str = ""  # the arm whose rate it takes; without one it has a rate of its own (`reproduce.batch.tune`)
    after: str = ""  # the arm from whose last weights it is trained
    teacher: str = ""  # the arm whose outputs it learns, too

    @property
    def settable(self) -> tuple[str, ...]:
        """Those of its `own` fields that a preset may set: its rate only if it does not take another's."""
        return tuple(name for name in self.own if name != "lr" or not self.like)

    def spec(self, name: str, net: Mapping[str, Any], seed: int, own: Mapping[str, Any]) -> Spec:
        """The arm's run of a net; an `InputError` if a field cannot be used.

        Args:
            name: the arm's.
            own: fields of the recipe by arm.
        """
        base = {**net, "seed": seed}
        arms = {"after": self.after, "teacher": self.teacher}
        before = {field: ARMS[arm].spec(arm, net, seed, own) for field, arm in arms.items() if arm}
        shared = {field: value for field, value in own.get(self.like, {}).items() if field == "lr"}
        return Spec(**merged(base, self.changes, {"recipe": shared}, {"recipe": own.get(name, {})}, before))


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


def _direct(timesteps: int) -> dict[str, Any]:
    return {"dynamics": {"kind": "lif"}, "timesteps": timesteps}


def _rate(levels: int, centred: bool, spread: float = 1.0) -> dict[str, Any]:
    dynamics = {"kind": "rate", "levels": levels, "spread": spread}
    return {**POTENTIAL_READOUT, "dynamics": dynamics, **(CENTRED if centred else {})}


POTENTIAL_READOUT = {"readout": "potential"}
UNIFORM = {"kind": "uniform"}
QCFS = {"kind": "qcfs", "levels": 4}
WIDE = _single_step(noise={"kind": "gaussian", "k": 2})
CONSTANT = {"kind": "gaussian", "low": 0.5, "high": 0.5}  # a range of no width at the mean of N_noise
LEVELS = (1, 2, 4, 8)
# Gain and bias of batch norm: most currents begin within [0, 1], which is all that `Rate` counts, and noise reaches.
CENTRED = {"norm_start": (0.4, 0.25)}

# Of the CNNs; the batch, which is not printed, is the default one.
PRINTED = {
    "epochs": 100, "lr": 1e-4, "schedule": "warm_restarts", "restart_every": 100, "batch_size": 128,
    "optimizer": "adam", "weight_decay": 0.0,
}  # fmt: skip
SGD = {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 5e-4, "schedule": "triangle"}

# A comparison lists its arms, and a figure draws them, in this order. Each has a peak learning rate of its own, chosen
# with the same effort, since the best rate for ours need not be another's, or takes that of the one that it is `like`.
ARMS = {
    "ours": Arm("the paper's method: one step, Gaussian noise on [0, 1], spikes read out", {}),
    "potential": Arm("ours, potentials read out, as of ANNs", POTENTIAL_READOUT),
    "equal_time": Arm("ours, for as long as direct training at T = 10 takes", {}, own=("epochs", *OWN)),
    "direct": Arm("surrogate gradients through time, at T = 10, without noise", _direct(10)),
    "direct4": Arm("surrogate gradients through time, at T = 4", _direct(4)),
    "direct2": Arm("surrogate gradients through time, at T = 2", _direct(2)),
    "tuned": Arm("ours, then a little direct training at T = 4", _direct(4), own=("epochs", *OWN), after="ours"),
    "relu": Arm("an ANN to convert, activations normalised", {**POTENTIAL_READOUT, "dynamics": {"kind": "relu"}}),
    "qcfs": Arm("an ANN made for few steps", {**POTENTIAL_READOUT, "dynamics": QCFS}),
    # Beyond the paper: trained in one pass on the rates of L steps, with random phases, and with U = 1/2 as qcfs.
    **{
        f"rate{levels}": Arm(f"rates at L = {levels}, random phases", _rate(levels, levels > 2), like="qcfs")
        for levels in LEVELS
    },
    **{
        f"half{levels}": Arm(f"rates at L = {levels}, U = 1/2", _rate(levels, levels > 2, spread=0.0), like="qcfs")
        for levels in LEVELS
    },
    **{
        f"rate{levels}_start": Arm(
            f"rates at L = {levels}, the other start of batch norm", _rate(levels, levels <= 2), like="qcfs"
        )
        for levels in LEVELS
    },
    "qcfs_start": Arm(
        "qcfs, the other start of batch norm", {**POTENTIAL_READOUT, **CENTRED, "dynamics": QCFS}, like="qcfs"
    ),
    "potential_start": Arm(
        "potential, the other start of batch norm", {**POTENTIAL_READOUT, **CENTRED}, like="potential"
    ),
    "rate4_short": Arm("rates at L = 4, for fewer epochs", _rate(4, True), ("epochs", *OWN), like="qcfs"),
    "rate4_longer": Arm("rates at L = 4, for longer", _rate(4, True), ("epochs", *OWN), like="qcfs"),
    # Ways out of the order in which spikes arrive, which the rate of a constant current does not know.
    "rate4_then1": Arm("rates at L = 4, then at L = 1", _rate(1, True), ("epochs", *OWN), like="qcfs", after="rate4"),
    "rate4_in_time": Arm(
        "rates at L = 4, then through time, as the neurons that it will have",
        {**POTENTIAL_READOUT, **CENTRED, "dynamics": {"kind": "if", "v_init": 0.5, "spread": 1.0}, "timesteps": 4},
        ("epochs", *OWN),
        after="rate4",
    ),
    "direct4_short": Arm(
        "direct training at T = 4, potentials read out, for fewer epochs",
        {**POTENTIAL_READOUT, **_direct(4)},
        ("epochs", *OWN),
        like="direct4",
    ),
    # Tricks of the record, on and off.
    "expected": Arm(
        "the expected spike of uniform noise", _rate(1000, False, spread=0.0), ("epochs", *OWN), like="potential"
    ),
    "warmed": Arm(
        "the expected spike of uniform noise, then the noise",
        _rate(1, False),
        ("epochs", *OWN),
        like="potential",
        after="expected",
    ),
    "no_shortcuts": Arm("the chain, without shortcuts", {**POTENTIAL_READOUT, "network": "vgg8"}, like="potential"),
    "shallow": Arm("fewer and wider convolutions", {**POTENTIAL_READOUT, "network": "vgg5"}, like="potential"),
    "distilled": Arm("taught by its ReLU twin, too", POTENTIAL_READOUT, like="potential", teacher="relu"),
    "wide": Arm("noise twice as wide", {**POTENTIAL_READOUT, **WIDE}, ("epochs", *OWN), like="potential"),
    "narrowed": Arm(
        "noise twice as wide, then the usual", POTENTIAL_READOUT, ("epochs", *OWN), like="potential", after="wide"
    ),
    "capped": Arm(
        "fewer channels at its end: as wide as the layers before",
        {**POTENTIAL_READOUT, "network": "resnet8_256"},
        like="potential",
    ),
    "whitened": Arm(
        "a first layer that begins by whitening", {**POTENTIAL_READOUT, "whitened": True}, like="potential"
    ),
    "cutout": Arm(
        "squares cut out of images",
        {**POTENTIAL_READOUT, "recipe": {"augment": "crop_flip_cutout"}},
        like="potential",
    ),
    "mse": Arm(
        "the paper's loss, the mean squared error",
        {**POTENTIAL_READOUT, "recipe": {"loss": "mse", "smoothing": 0}},
        like="potential",
    ),
    "adam": Arm("the paper's optimiser, Adam", {**POTENTIAL_READOUT, "recipe": {"optimizer": "adam"}}),
    "sgd": Arm("airbench's optimiser and schedule, SGD", {**POTENTIAL_READOUT, "recipe": SGD}),
    "uniform": Arm("uniform noise, as wide as ours", _single_step(noise=UNIFORM)),
    "uniform_potential": Arm(
        "uniform noise, potentials read out", {**POTENTIAL_READOUT, **_single_step(noise=UNIFORM)}
    ),
    # Controls: what noise does in training, apart from its mean.
    "constant": Arm("the mean of the noise in its place", _single_step(noise=CONSTANT)),
    "constant_potential": Arm(
        "the mean of the noise in its place, potentials read out", {**POTENTIAL_READOUT, **_single_step(noise=CONSTANT)}
    ),
    "no_noise": Arm("nothing in its place, Eq. 4", _single_step(noise={"kind": "gaussian", "high": 0})),
    # What the paper does not say: the surrogate gradient, what "Gaussian in [0, 1]" means, batch norm.
    "rectangle": Arm("a rectangle as surrogate gradient", _single_step(surrogate={"kind": "rectangle"}), like="ours"),
    "arctan": Arm(
        "the arctangent's derivative as surrogate gradient", _single_step(surrogate={"kind": "arctan"}), like="ours"
    ),
    "sigmoid": Arm(
        "the sigmoid's derivative as surrogate gradient", _single_step(surrogate={"kind": "sigmoid"}), like="ours"
    ),
    "density": Arm("the noise's own density as surrogate gradient", _single_step(surrogate={"kind": "density"})),
    "density_start": Arm(
        "the noise's own density as surrogate gradient, batch norm begun in its range",
        {**CENTRED, **_single_step(surrogate={"kind": "density"})},
    ),
    "gaussian_k2": Arm("Gaussian noise, k = 2: wider", WIDE, like="ours"),
    "gaussian_k8": Arm(
        "Gaussian noise, k = 8: narrower", _single_step(noise={"kind": "gaussian", "k": 8}), like="ours"
    ),
    "max_normalised": Arm("noise divided by its maximum", _single_step(noise={"kind": "max_normalised"}), like="ours"),
    "no_batch_norm": Arm("convolutions with a bias in its place", {"batch_norm": False}, like="ours"),
    "cropped": Arm("images cropped at random", {"recipe": {"augment": "crop"}}, like="ours"),
    "mirrored": Arm("images cropped and mirrored at random", {"recipe": {"augment": "crop_flip"}}, like="ours"),
    "shorter": Arm("trained for fewer epochs", {}, own=("epochs", *OWN), like="ours"),
    "potential_longer": Arm("potential, for more epochs", POTENTIAL_READOUT, own=("epochs", *OWN), like="potential"),
    "potential_longest": Arm("potential, for most epochs", POTENTIAL_READOUT, own=("epochs", *OWN), like="potential"),
    "printed": Arm("the paper's recipe (Sec. 3, Table 1)", {"recipe": PRINTED}, own=("epochs", "evaluate_every")),
}

# The same, read out as potentials.
AS_POTENTIAL = {"ours": "potential", "uniform": "uniform_potential", "constant": "constant_potential"}
