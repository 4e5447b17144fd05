"""How far single-step training gets on CIFAR-10: the goals, and how they are decided. The rule: docs/verdicts.md.

A goal is a plain number, which a net either is above or is not: it has no interval of its own.
"""

from __future__ import annotations

from functools import partial

import pandas as pd

from snnlib.experiments.evidence import Claim, Effect, Finding, Item, each_network, exceeds
from snnlib.experiments.one_pass.table import PIPELINED, SPIKING
from snnlib.experiments.record.table import AT, BASE, GOALS
from snnlib.experiments.tables import NET_COLUMNS, SCALE, NotTestedError, Table, Tables

ACCURACIES = Table(
    "record",
    {
        **NET_COLUMNS, "net": "text", "noise": "text", "arm": "text", "way": "text", "seed": "number",
        "timesteps": "steps", "accuracy": "fraction", "hold_out": "number",
    },
)  # fmt: skip
LEVELS = Table(
    "record_levels",
    {
        **NET_COLUMNS, "net": "text", "hold_out": "number", "arm": "text", "way": "text", "timesteps": "number",
        "seed": "number", "points": "number", "image_error": "number",
    },
)  # fmt: skip
PAPERS, NEXT = (100 * goal for goal in GOALS.values())


def reached(tables: Tables, goal: float, way: str, base: bool) -> Finding:
    """Whether the best arm and recipe of each network is above a goal; only the paper's training counts if ``base``."""

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        net, arm = rows.groupby(["net", "arm"], sort=False).points.mean().idxmax()
        effect = Effect.of(rows[(rows.net == net) & (rows.arm == arm)])
        return [exceeds(label, effect, goal, shown=f"{effect.shown('.2f', ' %')} ({net}, {arm})")]

    table = tables.read(LEVELS)
    tested = (table.dataset == "cifar10") & (table.hold_out == 0) & (table.timesteps == AT)
    rows = table[tested & (table.way == way)]
    items = each_network(rows[(rows.arm == BASE) | (not base)], judge, ())
    if not items:
        raise NotTestedError(f"needs nets that are tested on CIFAR-10's test set at T = {AT}", SCALE)
    return Finding(items, f"T = {AT}")


def _claim(id: str, claim: str, test: str, goal: float, way: str = SPIKING, base: bool = False) -> Claim:
    decide = partial(reached, goal=goal, way=way, base=base)
    return Claim(id, claim, "3.2, Table 2", "", f"{test}: above {goal:.2f} %", "92.07 %", (LEVELS,), decide)


_TEST = f"accuracy on CIFAR-10 at T = {AT}, last epoch, of the best arm that was trained in single passes,"
BEYOND = (
    _claim(
        "record", "single passes reach the paper's CIFAR-10 accuracy in hours on two cores",
        f"{_TEST} as a spiking net", PAPERS,
    ),
    _claim(
        "record_waiting", "so they do where each layer waits for the one before",
        f"{_TEST} pipelined: the answer comes after number of layers × T steps", PAPERS, PIPELINED,
    ),
    _claim(
        "record_one_step", "so does the paper's own training, L = 1 alone",
        f"accuracy on CIFAR-10 at T = {AT}, last epoch, of a net trained for one step, with the exact memory", PAPERS,
        base=True,
    ),
    _claim("record_next", "they reach 94 %, airbench's goal", f"{_TEST} as a spiking net", NEXT),
)  # fmt: skip
