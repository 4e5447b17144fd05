"""The claims of Figure 5, and how they are decided; docs/verdicts.md has the thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from reproduce.experiments.effects import Effect
from reproduce.experiments.evidence import (
    CLOSE,
    HALF,
    MISSING,
    NO,
    UNCLEAR,
    YES,
    Claim,
    Finding,
    Item,
    each_network,
    exceeds,
    missing,
    within,
)
from reproduce.experiments.tables import CONTRAST_COLUMNS, RUN_COLUMNS, Table, Tables
from reproduce.experiments.titles import TITLES

FIG5 = Table("fig5_alpha", {**RUN_COLUMNS, "alpha": "alpha"})
LOSSES = Table("fig5_lossless", {**CONTRAST_COLUMNS, "timesteps": "number"})
EFFECTS = Table("fig5_effects", {**CONTRAST_COLUMNS, "alpha": "alpha", "effect": "text"})

ALPHA_NETWORKS = ("vgg16", "resnet18")  # the paper's Figure 5
NO_NOISE, ALPHA = 2.0, 4.0  # where N' is gone; the paper's default
FIRST, LAST = 1, 10  # T
GAIN, SHORT, OFF = "gain", "short of half the gain at 4", "over 4"

LOSSLESS, IN_PART = -0.5, -1.0  # points
LOSSLESS_AT = (2, 5, 10)  # T
LOSSLESS_FOR = (("spikes", "gaussian"), ("potential", "gaussian"), ("spikes", "uniform"))  # and others that are there


def lossless(tables: Tables) -> Finding:
    """Each T, readout, noise and network is a part; told is the worst T of each net."""
    texts = []

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        found = []
        for noise, of_noise in rows.groupby("noise", sort=False):
            effects = {t: Effect.of(of_noise[of_noise.timesteps == t]) for t in LOSSLESS_AT}
            name = f"{label}, {noise}"
            found += [exceeds(name, effect, LOSSLESS, IN_PART) for effect in effects.values()]
            there = {t: effect for t, effect in effects.items() if len(effect.values)}
            if there:
                worst = min(there, key=lambda t: there[t].mean)
                texts.append(f"{name} {there[worst].shown()} at T = {worst}")
        return found

    table = tables.read(LOSSES)
    items = [*each_network(table, judge), *_lacking(table)]
    texts += [f"{item.label} {item.shown}" for item in items if item.says == MISSING]
    return Finding(items, "points from step 2 to step 3, at the worst of T = 2, 5 and 10", "; ".join(texts))


def _lacking(table: pd.DataFrame) -> Iterator[Item]:
    """The readouts and noises that networks in the table have no rows of."""
    for network, rows in table.groupby("network", sort=False):
        there = set(zip(rows.readout, rows.noise, strict=True))
        yield from (missing(f"{TITLES[network]}, {', '.join(pair)}") for pair in LOSSLESS_FOR if pair not in there)


def slight_without_noise(tables: Tables) -> Finding:
    """The gain at alpha = 2 between 0 and half of that at alpha = 4; a gain outside of it, either way, is no."""

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        none, usual = rows[rows.alpha == NO_NOISE], rows[rows.alpha == ALPHA]
        gain, short, full = (
            Effect.of(part[part.effect == effect]) for part, effect in ((none, GAIN), (none, SHORT), (usual, GAIN))
        )
        parts = [exceeds(label, gain, 0), exceeds(label, short, 0)]
        says = next((says for says in (MISSING, NO, UNCLEAR) if says in {part.says for part in parts}), YES)
        if says == MISSING or not len(full.values):
            return [missing(label)]
        return [Item(label, f"{gain.shown()}, {full.shown()} at α = {ALPHA:g}", says, len(gain.values))]

    items = each_network(_of_the_paper(tables.read(EFFECTS)), judge, ALPHA_NETWORKS)
    return Finding(items, f"points from T = {FIRST} to {LAST} at α = {NO_NOISE:g}")


def alphas_converge(tables: Tables) -> Finding:
    texts = []

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        off = rows[(rows.effect == OFF) & (rows.alpha > NO_NOISE) & (rows.alpha != ALPHA)]
        effects = {alpha: Effect.of(of_alpha) for alpha, of_alpha in off.groupby("alpha")}
        if not effects:
            return [missing(label)]
        worst = max(effects, key=lambda alpha: abs(effects[alpha].mean))
        texts.append(f"{label} {effects[worst].shown()} at α = {'∞' if math.isinf(worst) else f'{worst:g}'}")
        return [within(label, effect, CLOSE) for effect in effects.values()]

    items = each_network(_of_the_paper(tables.read(EFFECTS)), judge, ALPHA_NETWORKS)
    texts += [f"{item.label} {item.shown}" for item in items if item.says == MISSING]
    return Finding(items, f"points off α = {ALPHA:g} at T = {LAST}, at worst", "; ".join(texts))


def _of_the_paper(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.network.isin(ALPHA_NETWORKS)]


CLAIMS = (
    Claim(
        "lossless", "conversion from step 2 to 3 is lossless", "abstract; 3.3",
        "then convert the single-step SNN to a multi-step SNN losslessly … "
        "The conversion from step 2 to step 3 has minor accuracy gap",
        f"step 3 (α = {ALPHA:g}) over step 2, same noise seeds, at T = 2, 5 and 10, Gaussian noise with both readouts, "
        "uniform noise with spikes, and with the potential where that was trained: "
        f"above {LOSSLESS:g} points, in part above {IN_PART:g}",
        "no loss", (LOSSES,), lossless,
    ),
    Claim(
        "alpha_2", "α = 2 gains only slightly", "3.3, Fig. 5",
        "When α is equal to 2, the potential range is [0, 1], so the noise term N'_{noise} does not exist any more. It "
        "can be seen that there is a very slight improvement in accuracy with increasing time steps.",
        f"where spikes are read, the gain from T = {FIRST} to {LAST} at α = {NO_NOISE:g} above 0, and below {HALF:g} "
        f"times that at α = {ALPHA:g}",
        "very slight", (EFFECTS,), slight_without_noise,
    ),
    Claim(
        "alphas_converge", "other α end close together", "3.3, Fig. 5",
        "when N'_{noise} is present, the accuracy improvement is obvious and the different α values make models "
        "converge to close accuracy",
        f"where spikes are read, at T = {LAST}, each α above {NO_NOISE:g} within {CLOSE:g} point of α = {ALPHA:g}",
        "close", (EFFECTS,), alphas_converge,
    ),
)  # fmt: skip
