"""The claims of Figure 7, and how they are decided. The threshold stands here, fixed before there were numbers."""

from __future__ import annotations

from snnlib.experiments.evidence import NO, YES, Claim, Finding, Item
from snnlib.experiments.tables import NotTestedError, Table, Tables

SILENCE = Table("fig7_silence", {"alpha": "alpha", "noise": "text", "spikes": "number", "share_in_range": "fraction"})
DYNAMICS = Table("fig7_potential_dynamics", {"panel": "text", "series": "text", "lag": "number?", "value": "number?"})
SWING = -0.1  # autocorrelation below which a potential swings to the other side


def silent(tables: Tables) -> Finding:
    table = tables.read(SILENCE)
    holds = (table.spikes == 0).all() and (table.share_in_range == 1).all()
    shown = (
        f"{table.spikes.sum():,.0f} spikes, {100 * table.share_in_range.min():.4g} % of potentials in range "
        f"({table.noise.nunique()} kinds of noise, {table.alpha.nunique()} values of α)"
    )
    return Finding([Item("", shown, YES if holds else NO)])


def oscillates(tables: Tables) -> Finding:
    table = tables.read(DYNAMICS)
    r = table[(table.panel == "d") & (table.series == "a") & (table.lag > 0)].value
    if r.empty or r.isna().any():
        raise NotTestedError("fig7_potential_dynamics.csv has no autocorrelation")
    return Finding([Item("", f"lowest autocorrelation of the potential {r.min():.2f}", YES if r.min() < SWING else NO)])


CLAIMS = (
    Claim(
        "silent", "silent without input, potential between reset and threshold", "3.5, Fig. 7",
        "The potential oscillates between the reset potential and the threshold, but no spikes fire.",
        "not one spike and not one potential outside, whatever the noise and α",
        "no spikes", (SILENCE,), silent,
    ),
    Claim(
        "oscillates", "the potential oscillates as a subthreshold membrane does", "3.5, Fig. 7",
        "Such behavior is thought to be similar to the form of subthreshold neural oscillation mechanism in biological "
        "neurons.",
        f"autocorrelation of the potential without input below {SWING:g} at some lag, as it is half a period "
        "after any swing",
        "similar", (DYNAMICS,), oscillates,
    ),
)  # fmt: skip
