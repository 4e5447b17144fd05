"""What training on rates is hoped to do, beyond the paper, and how that is decided. The rule: docs/verdicts.md."""

from __future__ import annotations

from functools import partial

import pandas as pd

from reproduce.experiments.at_equal_time import LEAST_SHARE, MOST_SHARE, at_equal_time
from reproduce.experiments.effects import Effect
from reproduce.experiments.evidence import CLOSE, Claim, Finding, Item, each_network, exceeds, missing
from reproduce.experiments.one_pass.table import OF_DIRECT, SHORT
from reproduce.experiments.over_seeds import NET
from reproduce.experiments.tables import NET_COLUMNS, Table, Tables

ACCURACIES = Table(
    "one_pass",
    {
        **NET_COLUMNS,
        "noise": "text",
        "arm": "text",
        "way": "text",
        "seed": "number",
        "timesteps": "steps",
        "accuracy": "fraction",
    },
)
CONTRASTS = Table(
    "one_pass_contrasts",
    {
        **NET_COLUMNS, "arm": "text", "other_arm": "text", "timesteps": "number", "seed": "number", "points": "number",
        "image_error": "number",
    },
)  # fmt: skip
COSTS = Table("one_pass_costs", {**NET_COLUMNS, "arm": "text", **dict.fromkeys(OF_DIRECT, "number?")})


def above(tables: Tables, other: str, timesteps: tuple[int, ...]) -> Finding:
    """Nets trained on the rates of four steps over another arm, at each of these T."""

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        found = {t: rows[rows.timesteps == t] for t in timesteps}
        return [
            exceeds(label, effect := Effect.of(at), 0, shown=f"{effect.shown()} at T = {t}")
            if len(at)
            else missing(label, f"not at T = {t}")
            for t, at in found.items()
        ]

    table = tables.read(CONTRASTS)
    rows = table[(table.arm == "rate4") & (table.other_arm == other)]
    return Finding(each_network(rows, judge, ()) or [missing("")], "points")


def at_direct_trainings_time(tables: Tables) -> Finding:
    """Nets trained on the rates of four steps, the shorter where there are two, over direct training, at T = 4."""
    times = tables.read(COSTS)

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        of_net = times.merge(rows[list(NET)].drop_duplicates()).set_index("arm")
        arm = SHORT if SHORT in set(rows.arm) else "rate4"
        median, *quartiles = of_net.loc[arm, list(OF_DIRECT)]
        words = " [{:.0f}, {:.0f}] % of its time".format(*(100 * share for share in quartiles))
        effect = Effect.of(rows[(rows.arm == arm) & (rows.timesteps == 4)])
        return [at_equal_time(label, effect, -CLOSE, quartiles, f" at T = 4 in {100 * median:.0f}{words}")]

    table = tables.read(CONTRASTS)
    rows = table[table.arm.isin(("rate4", SHORT)) & (table.other_arm == "direct4_short")]
    return Finding(each_network(rows, judge, ()) or [missing("")], "points")


def _claim(id: str, claim: str, test: str, other: str, *timesteps: int) -> Claim:
    decide = partial(above, other=other, timesteps=timesteps)
    return Claim(id, claim, "2.2", "", test, "not compared", (CONTRASTS,), decide)


_L4 = "as spiking nets, trained on the rates of L = 4 steps with random phases, over"
BEYOND = (
    _claim(
        "one_pass_paper", "trained on the rates of four steps, a net gains over the paper's training",
        f"{_L4} the paper's training with the exact memory, read out as potential too, as many epochs: above 0 points "
        "at T = 4 and at 10",
        "potential", 4, 10,
    ),
    _claim(
        "one_pass_phases", "random phases are better than U = ½",
        f"{_L4} the same with U = ½ (QCFS): above 0 points at T = 4 and at 10", "half4", 4, 10,
    ),
    Claim(
        "one_pass_direct", "one pass is as accurate as direct training in the same time", "2.2", "",
        f"{_L4} direct training at T = 4: above -{CLOSE:g} point at T = 4; where L = 4, the net of fewer epochs if "
        f"there are two, took, by epochs times step, in a quarter of the turns less than {100 * LEAST_SHARE:g} % of "
        f"direct training's time, or more than {100 * MOST_SHARE:g} %, a bound",
        "not compared", (CONTRASTS, COSTS), at_direct_trainings_time,
    ),
)  # fmt: skip
