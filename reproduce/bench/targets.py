"""What the benchmark is to show, as ratios of times within a round, and what it showed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reproduce.bench.contest import PRECISIONS, T
from reproduce.bench.contestants import BARE, DIRECT, EXACT, INSTALLED, OURS, RELU, TUNED
from reproduce.bench.peers import PEERS
from reproduce.experiments.titles import TITLES
from snnlib.store import markdown

AT_MOST, AT_LEAST = "at most", "at least"
ABOVE_FLOOR = 0.03  # of the ReLU net's time: how much the exact memory may take above its floor

Side = tuple[str, str, str, int]  # who, network, task, timesteps
STEP = (OURS, "cnn", "training", 1)
TWIN = (RELU, "cnn", "training", 1)
DIRECT_STEP = (DIRECT, "cnn", "training", T)
INFERENCE = (OURS, "cnn", "inference", T)
EXACT_INFERENCE = (EXACT, "cnn", "inference", T)
PASSES = (RELU, "cnn", "inference", T)
PEER_STEP = ("peer", "cnn", "training", 1)
PEER_DIRECT = ("peer", "cnn", "training", T)
PEER_INFERENCE = ("peer", "cnn", "inference", T)


@dataclass(frozen=True)
class Target:
    """A ratio of two sides' times and its bound.

    Args:
        what, against: for readers.
        over, under: the ratio is the time of one over that of the other; a peer is the fastest of them.
        bound: by `sense`, for tuned peers or where there are none.
        installed: the bound for peers as installed.
    """

    what: str
    against: str
    over: Side
    under: Side
    sense: str
    bound: float
    installed: float | None = None


TARGETS = (
    Target("noisy single-step training step", "the same net with ReLU", STEP, TWIN, AT_MOST, 1.05),
    Target(
        f"the same, {TITLES['vgg16']} at 32x32", "its ReLU twin",
        (OURS, "vgg16", "training", 1), (RELU, "vgg16", "training", 1), AT_MOST, 1.05,
    ),
    Target(
        f"the same, {TITLES['resnet18']} at 32x32", "its ReLU twin",
        (OURS, "resnet18", "training", 1), (RELU, "resnet18", "training", 1), AT_MOST, 1.05,
    ),
    Target(f"inference at T = {T}", f"{T} passes of the ReLU net", INFERENCE, PASSES, AT_MOST, 0.95),
    Target("noisy single-step training step", "the best peer at T = 1", PEER_STEP, STEP, AT_LEAST, 1.3, 2.6),
    Target("noisy single-step training step", f"the best peer at T = {T}", PEER_DIRECT, STEP, AT_LEAST, 13, 30),
    Target(
        f"our direct training step at T = {T}", f"the best peer at T = {T}",
        PEER_DIRECT, DIRECT_STEP, AT_LEAST, 1.5, 3.4,
    ),
    Target(f"inference at T = {T}", f"the best peer at T = {T}", PEER_INFERENCE, INFERENCE, AT_LEAST, 2.5, 4.2),
)  # fmt: skip
MEMORY = (
    Target("peak memory of a single-step training step", f"our direct one at T = {T}", DIRECT_STEP, STEP, AT_LEAST, 8),
    Target("peak memory of a single-step training step", f"the best peer at T = {T}", PEER_DIRECT, STEP, AT_LEAST, 8),
)


def judge(rounds: pd.DataFrame, memory: pd.DataFrame) -> pd.DataFrame:
    """Each target's ratio, in both precisions.

    Args:
        rounds: from `reproduce.bench.contest.timings`; targets whose sides did not run are left out.
        memory: from `reproduce.bench.contest.memory`, of the sides of `MEMORY` that ran.

    Returns:
        Columns what, against, peer (the best one's name, if it is one), setting, precision, ratio (median over
        rounds), ratio_q25, ratio_q75, sense, bound, met.
    """
    rows = []
    for target in TARGETS:
        for setting, bound in ((TUNED, target.bound), (INSTALLED, target.installed)):
            for precision in PRECISIONS if bound is not None else ():
                over, peer = _seconds(rounds, target.over, precision, setting)
                under, _ = _seconds(rounds, target.under, precision, setting)
                if len(over) and len(under):
                    q25, ratio, q75 = np.quantile(over / under, [0.25, 0.5, 0.75])
                    rows.append(_row(target, peer, setting, precision, ratio, q25, q75, bound))
    for target in MEMORY:
        for precision, found in memory.groupby("precision", sort=False):
            peak = found.set_index("who").peak_bytes
            names = peak.index.intersection(list(PEERS) if target.over[0] == "peer" else [target.over[0]])
            if len(names):
                best = peak[names].idxmin()
                ratio = peak[best] / peak[target.under[0]]
                peer = best if best in PEERS else ""
                rows.append(_row(target, peer, TUNED, precision, ratio, ratio, ratio, target.bound))
    return pd.DataFrame(rows)


def floors(rounds: pd.DataFrame, bandwidth: dict[str, float], neurons: list[int], batch: int) -> pd.DataFrame:
    """How near to the ReLU net our ratios can come: the net without neurons, and the bytes that neurons must move.

    In training a neuron's forward pass reads its current and a noise and writes a spike and a derivative, its backward
    pass reads two and writes one. In inference each step reads a current (the first layer's only once) and a noise and
    writes a spike (the first layer's is counted as the net's: without neurons it copies its current for each step). The
    exact memory reads no noise, but its phases are written, read and written again, in float32.

    Args:
        rounds: as for `judge`.
        bandwidth: bytes per second, by precision, from `reproduce.bench.contest.bandwidth`.
        neurons: of each layer, for one image.
        batch: images.

    Returns:
        Columns what, precision, bare_ms, bytes, bandwidth (bytes/s), floor (ratio to the ReLU net), measured, goal (nan
        where there is none); what did not run is left out.
    """
    total, saved = sum(neurons), (2 * T - 1) * neurons[0]
    rows = []
    for what, ours, twin, moved, phases, above in (
        ("training step", STEP, TWIN, 7 * total, 0, np.nan),
        (f"inference at T = {T}", INFERENCE, PASSES, T * 3 * total - saved, 0, np.nan),
        (f"inference at T = {T}, exact memory", EXACT_INFERENCE, PASSES, T * 2 * total - saved, 3 * total, ABOVE_FLOOR),
    ):
        for precision in PRECISIONS:
            mine, relu, bare = (_seconds(rounds, side, precision, TUNED)[0] for side in (ours, twin, (BARE, *ours[1:])))
            if not len(mine):
                continue
            size = batch * (moved * (2 if precision == "bfloat16" else 4) + phases * 4)
            floor = (np.median(bare) + size / bandwidth[precision]) / np.median(relu)
            rows.append(
                {
                    "what": what, "precision": precision, "bare_ms": 1e3 * np.median(bare), "bytes": size,
                    "bandwidth": bandwidth[precision], "floor": floor, "measured": np.median(mine / relu),
                    "goal": floor + above,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _row(
    target: Target, peer: str, setting: str, precision: str, ratio: float, q25: float, q75: float, bound: float
) -> dict:
    met = ratio <= bound if target.sense == AT_MOST else ratio >= bound
    return {
        "what": target.what, "against": target.against, "peer": peer, "setting": setting if peer else "",
        "precision": precision, "ratio": ratio, "ratio_q25": q25, "ratio_q75": q75,
        "sense": target.sense, "bound": bound, "met": met,
    }  # fmt: skip


def _seconds(rounds: pd.DataFrame, side: Side, precision: str, setting: str) -> tuple[np.ndarray, str]:
    """Seconds by round of one side, and its name if it is a peer; of peers, of the one with the lowest median."""
    who, *where = side
    if who == "peer":
        # As installed a peer is in float32, whatever precision ours is in.
        found = [
            (*_seconds(rounds, (name, *where), "float32" if setting == INSTALLED else precision, setting), name)
            for name in PEERS
        ]
        ran = [(seconds, name) for seconds, _, name in found if len(seconds)]
        return min(ran, key=lambda one: np.median(one[0])) if ran else (np.empty(0), "")
    setting = setting if who in PEERS else TUNED
    columns = ["who", "network", "task", "timesteps", "precision", "setting"]
    chosen = (rounds[columns] == [who, *where, precision, setting]).all(axis=1)
    return rounds[chosen].sort_values("round").seconds.to_numpy(), ""


def targets_text(table: pd.DataFrame, machine: dict[str, str]) -> str:
    """The table of `judge` for readers: a line for each target and setting, a column for each precision."""
    rows = [tuple(_line(rows)) for _, rows in table.groupby(["what", "against", "setting"], sort=False)]
    text = markdown.lines(("what", "against", "target", "bfloat16", "float32"), rows)
    hardware = ", ".join(f"{k} {v}" for k, v in machine.items() if k not in ("device", "neurons"))
    return f"{text}\n\n*{machine['device']}; {hardware}; our neurons {machine['neurons']}.*\n"


def floors_text(table: pd.DataFrame) -> str:
    """The table of `floors` in words, a line for each."""
    lines = [
        f"- {r.what}, {r.precision}: the net without neurons takes {r.bare_ms:.1f} ms; the neurons move at least "
        f"{r.bytes / 1e6:.0f} MB, at the {r.bandwidth / 1e9:.0f} GB/s that a sum of two arrays reaches. Together "
        f"{r.floor:.2f} times the ReLU net; measured {r.measured:.2f}.{_goal(r.goal, r.measured)}"
        for r in table.itertuples()
    ]
    return "\n".join(["Floors:", "", *lines]) + "\n"


def _goal(goal: float, measured: float) -> str:
    if np.isnan(goal):
        return ""
    return f" Goal: at most {goal:.2f}{'' if measured <= goal else ', missed'}."


def _line(rows: pd.DataFrame) -> Iterator[str]:
    first = rows.iloc[0]
    yield first.what
    yield first.against + (f", {first.setting}" if first.setting else "")
    yield f"{first.sense} {first.bound:g}"
    for precision in PRECISIONS:
        for r in rows[rows.precision == precision].itertuples():
            spread = f" ({r.ratio_q25:.3g}-{r.ratio_q75:.3g})" if r.ratio_q25 < r.ratio_q75 else ""
            peer = f" {r.peer}" if r.peer else ""
            yield f"**{r.ratio:.3g}**{spread}{peer}{'' if r.met else ', missed'}"
