"""The claim of Figure 7, and how it is decided. That the neuron is silent without input is none: see `table.silent`."""

from __future__ import annotations

from reproduce.experiments.evidence import NO, YES, Claim, Finding, Item
from reproduce.experiments.tables import NotTestedError, Table, Tables

DYNAMICS = Table("fig7_potential_dynamics", {"panel": "text", "series": "text", "lag": "number?", "value": "number?"})
SWING = -0.1  # autocorrelation below which a potential swings to the other side


def oscillates(tables: Tables) -> Finding:
    table = tables.read(DYNAMICS)
    r = table[(table.panel == "d") & (table.series == "a") & (table.lag > 0)].value
    if r.empty or r.isna().any():
        raise NotTestedError("fig7_potential_dynamics.csv has no autocorrelation")
    return Finding([Item("", f"lowest autocorrelation of the potential {r.min():.2f}", YES if r.min() < SWING else NO)])


CLAIMS = (
    Claim(
        "oscillates", "the potential oscillates as a subthreshold membrane does", "3.5, Fig. 7",
        "Such behavior is thought to be similar to the form of subthreshold neural oscillation mechanism in biological "
        "neurons.",
        f"autocorrelation of the potential without input below {SWING:g} at some lag, as it is half a period "
        "after any swing",
        "similar", (DYNAMICS,), oscillates,
    ),
)  # fmt: skip
