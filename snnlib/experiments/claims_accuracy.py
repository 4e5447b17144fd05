"""How claims on accuracy, noise and potential are decided. Thresholds stand here, fixed before there were numbers.

What a function tests is said in words by its claim in `snnlib.experiments.claims`.
Accuracies are in percent, averaged over noise seeds within each training seed; differences are taken seed by seed.
"""

from __future__ import annotations

import math

import pandas as pd

from snnlib.experiments.evidence import NO, UNCLEAR, YES, Finding, Item, exceeds, missing, networks, within
from snnlib.experiments.silent_choices.table import ABLATION
from snnlib.experiments.tables import NET, NotTestedError, Tables

LOSSLESS = 0.5  # points
CLOSE = 1.0  # points
SWING = -0.1  # autocorrelation below which a potential swings to the other side
NO_NOISE, ALPHA = 2.0, 4.0  # where N' is gone; the paper's default
NETWORKS, DEEP = ("cnn", "vgg16", "resnet18"), ("vgg16", "resnet18")


def percent(table: pd.DataFrame, timesteps: tuple[int, ...], by: tuple[str, ...] = ()) -> pd.DataFrame:
    """Accuracy in percent, a row for each net, ``by`` and training seed, a column for each of ``timesteps``.

    Raises:
        NotTestedError: some run has no accuracy at one of them.
    """
    at = table.groupby([*NET, *by, "seed", "timesteps"], sort=False).accuracy.mean().mul(100).unstack("timesteps")
    for t in timesteps:
        if t not in at or at[t].isna().any():
            raise NotTestedError(f"no accuracy at T = {t}")
    return at[list(timesteps)]


def rises(tables: Tables) -> Finding:
    table = tables.read("fig2_accuracy_vs_timesteps")
    items = []
    for label, at in networks(percent(table, (1, 5, 10)), NETWORKS):
        if at is None:
            items.append(missing(label))
        else:
            items += [exceeds(label, at[5] - at[1], 0), exceeds(label, at[10] - at[5], 0)]
    return Finding(items, "points from T = 1 to 5 and from 5 to 10")


def lossless(tables: Tables) -> Finding:
    items = []
    for label, at in networks(_alphas(tables)[10].unstack("alpha"), DEEP):
        if at is None or not {ALPHA, math.inf} <= set(at):
            items.append(missing(label))
        else:
            items.append(exceeds(label, (at[ALPHA] - at[math.inf]).dropna(), -LOSSLESS))
    return Finding(items, "points from step 2 to step 3 at T = 10")


def slight_without_noise(tables: Tables) -> Finding:
    at = _alphas(tables)
    items = []
    for label, gain in networks((at[10] - at[1]).unstack("alpha"), DEEP):
        if gain is None or not {NO_NOISE, ALPHA} <= set(gain):
            items.append(missing(label))
            continue
        gain = gain[[NO_NOISE, ALPHA]].dropna()
        if gain.empty:
            items.append(missing(label, "no pair of runs"))
            continue
        shown = f"{exceeds('', gain[NO_NOISE], 0).shown}, {exceeds('', gain[ALPHA], 0).shown} at α = {ALPHA:g}"
        items.append(Item(label, shown, slight(gain), len(gain)))
    return Finding(items, "points from T = 1 to 10 at α = 2")


def slight(gain: pd.DataFrame) -> str:
    """Whether accuracy rises at α = 2, by less than half of what it does at α = 4: both must hold, one may fail.

    Args:
        gain: points from T = 1 to the last T, a row for each training seed, a column for each α.
    """
    parts = {exceeds("", x, 0).says for x in (gain[NO_NOISE], gain[ALPHA] / 2 - gain[NO_NOISE])}
    return next(says for says in (NO, UNCLEAR, YES) if says in parts)


def alphas_converge(tables: Tables) -> Finding:
    items, texts = [], []
    for label, at in networks(_alphas(tables)[10].unstack("alpha"), DEEP):
        noisy = [] if at is None else [alpha for alpha in at if alpha > NO_NOISE and alpha != ALPHA]
        if not noisy or ALPHA not in at:
            items.append(missing(label))
            texts.append(f"{label} no runs")
            continue
        differences = {alpha: (at[alpha] - at[ALPHA]).dropna() for alpha in noisy}
        items += [within(label, values, CLOSE) for values in differences.values()]
        worst = max(noisy, key=lambda alpha: abs(differences[alpha].mean()))
        name = "∞" if math.isinf(worst) else f"{worst:g}"
        texts.append(f"{label} {within('', differences[worst], CLOSE).shown} at α = {name}")
    return Finding(items, f"points off α = {ALPHA:g} at T = 10, at worst", "; ".join(texts))


def gaussian_ahead(tables: Tables) -> Finding:
    return Finding(_noises(tables, 1), "points Gaussian over uniform at T = 1")


def gap_closes(tables: Tables) -> Finding:
    return Finding(_noises(tables, 10), "points Gaussian over uniform at T = 10")


def noise_gains(tables: Tables) -> Finding:
    table = tables.read("silent_choices")
    table = table[table.choice == ABLATION]
    if not {"gaussian", "none"} <= set(table.noise):
        raise NotTestedError("silent_choices.csv has no nets with and without noise")
    items = []
    for label, at in networks(percent(table, (1, 10), ("noise",)).unstack("noise").dropna()):
        ours, without = at[10].gaussian, at.xs("none", axis=1, level="noise").max(axis=1)
        items += [exceeds(label, ours - at[1].gaussian, 0), exceeds(label, ours - without, 0)]
    if not items:
        raise NotTestedError("silent_choices.csv has no seed with and without noise")
    return Finding(items, "points from T = 1 to 10, and over training without noise")


def silent(tables: Tables) -> Finding:
    table = tables.read("fig7_silence")
    holds = bool((table.spikes == 0).all() and (table.share_in_range == 1).all())
    shown = (
        f"{table.spikes.sum():,.0f} spikes, {100 * table.share_in_range.min():.4g} % of potentials in range "
        f"({table.noise.nunique()} kinds of noise, {table.alpha.nunique()} values of α)"
    )
    return Finding([Item("", shown, YES if holds else NO)])


def oscillates(tables: Tables) -> Finding:
    table = tables.read("fig7_potential_dynamics")
    r = table[(table.panel == "d") & (table.series == "a") & (table.lag > 0)].value
    if r.empty or r.isna().any():
        raise NotTestedError("fig7_potential_dynamics.csv has no autocorrelation")
    return Finding([Item("", f"lowest autocorrelation of the potential {r.min():.2f}", YES if r.min() < SWING else NO)])


def _alphas(tables: Tables) -> pd.DataFrame:
    return percent(tables.read("fig5_alpha"), (1, 10), ("alpha",))


def _noises(tables: Tables, t: int) -> list[Item]:
    at = percent(tables.read("fig6_noise_type"), (1, 10), ("noise",))[t].unstack("noise")
    items = []
    for label, noise in networks(at, NETWORKS):
        if noise is None or not {"gaussian", "uniform"} <= set(noise):
            items.append(missing(label))
            continue
        gap = (noise.gaussian - noise.uniform).dropna()
        items.append(exceeds(label, gap, 0) if t == 1 else within(label, gap, CLOSE))
    return items
