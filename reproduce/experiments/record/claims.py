"""How far single-step training gets on CIFAR-10: the goals, and how they are decided. The rule: docs/verdicts.md.

A goal is a plain number, which a net either is above or is not: it has no interval of its own. It was reached on these
test images, so that they are no chance either; training seeds are.
"""

from __future__ import annotations

from functools import partial

import pandas as pd

from reproduce.experiments.effects import Effect
from reproduce.experiments.evidence import Claim, Finding, Item, each_network, exceeds
from reproduce.experiments.one_pass.table import PIPELINED, SPIKING
from reproduce.experiments.record.table import AT, BASE, GOALS
from reproduce.experiments.tables import NET_COLUMNS, SCALE, NotTestedError, Table, Tables

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
FINAL, CHOSEN = "record", "rate4"  # the preset's net and arm that held-out images chose; others decide nothing
TRAINED = {CHOSEN: "L = 4", BASE: "L = 1"}  # on the rates of so many steps
PAPERS, NEXT = (100 * goal for goal in GOALS.values())


def reached(tables: Tables, goal: float, way: str, arm: str) -> Finding:
    """Whether the final net is above a goal, trained and run in this way."""

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        effect = Effect.of(rows)
        return [exceeds(label, Effect(effect.values, 0.0), goal, shown=f"{effect.shown('.2f', ' %')} ({TRAINED[arm]})")]

    table = tables.read(LEVELS)
    final = (table.net == FINAL) & (table.dataset == "cifar10")
    tested = final & (table.hold_out == 0) & (table.timesteps == AT)
    items = each_network(table[tested & (table.way == way) & (table.arm == arm)], judge, ())
    if not items:
        raise NotTestedError(f"needs nets that are tested on CIFAR-10's test set at T = {AT}", SCALE)
    return Finding(items, f"T = {AT}")


def _claim(id: str, claim: str, test: str, goal: float, way: str = SPIKING, arm: str = CHOSEN) -> Claim:
    decide = partial(reached, goal=goal, way=way, arm=arm)
    rule = f"{test}: above {goal:.2f} % by training seeds alone, as the images are the goal's"
    return Claim(id, claim, "3.2, Table 2", "", rule, "92.07 % (T = 10)", (LEVELS,), decide)


_TEST = f"accuracy on CIFAR-10 at T = {AT}, last epoch, of a net trained in single passes on the rates of L = 4 steps,"
BEYOND = (
    _claim(
        "record", "single passes reach the paper's CIFAR-10 accuracy",
        f"{_TEST} as a spiking net", PAPERS,
    ),
    _claim(
        "record_waiting", "so they do where each layer waits for the one before",
        f"{_TEST} pipelined: the answer comes after number of layers × T steps", PAPERS, PIPELINED,
    ),
    _claim(
        "record_one_step", "so do single steps with Gaussian noise, L = 1, with the same net and recipe",
        f"accuracy on CIFAR-10 at T = {AT}, last epoch, of a net trained for one step, with the exact memory", PAPERS,
        arm=BASE,
    ),
    _claim("record_next", "they reach 94 %, airbench's goal", f"{_TEST} as a spiking net", NEXT),
)  # fmt: skip
