"""Table 2 in Markdown and in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from snnlib.experiments.over_seeds import ARCHITECTURE
from snnlib.experiments.paper import TABLE2
from snnlib.experiments.table2_inference_time.claims import CLAIMED
from snnlib.experiments.table2_inference_time.plot import METHOD_TITLES
from snnlib.experiments.table2_inference_time.table import OUR_TIMESTEPS, printed_rows
from snnlib.experiments.titles import TITLES


def table2_markdown(table: pd.DataFrame) -> str:
    """Table 2 for readers: the paper's rows as printed, then a line for each measured net, T across.

    Args:
        table: as from `table2_inference_time.table.table2`.
    """
    head = ["Author", "Method", "Inference time", "MNIST", "FashionMNIST", "CIFAR10"]
    parts = [
        "Table 2 as the paper prints it, inference time in time steps:",
        _pipes(pd.DataFrame(TABLE2, columns=head)),
        "Measured here: accuracy in %, mean ± sd over training seeds. ANN is the net before conversion.",
    ]
    rows = table[table.source == "measured"]
    text = rows.accuracy_mean.map("{:.2f}".format) + rows.accuracy_sd.map(lambda x: "" if pd.isna(x) else f" ± {x:.2f}")
    for net, lines in rows.assign(text=text).groupby(ARCHITECTURE, sort=False):
        parts += [f"**{_net(net)}**", _pipes(_wide(lines))]
    return "\n\n".join(parts) + "\n"


def _wide(lines: pd.DataFrame) -> pd.DataFrame:
    """One net's lines, T across."""
    ann = {row.variant.partition(",")[0]: row.text for row in lines[lines.method == "ann"].itertuples()}
    before = {"conversion": ann.get("ReLU", ""), "qcfs": ann.get("QCFS", "")}
    shown = lines[lines.method != "ann"]
    found = []
    for (method, variant, readout), line in shown.groupby(["method", "variant", "readout"], sort=False):
        row = {"Method": METHOD_TITLES[method], "Variant": variant, "Readout": readout, "Seeds": line.seeds.iloc[0]}
        found.append({**row, "ANN": before.get(method, ""), **dict(zip(line.timesteps, line.text, strict=True))})
    columns = ["Method", "Variant", "Readout", "Seeds", "ANN", *sorted(set(shown.timesteps))]
    return pd.DataFrame(found)[columns].fillna("").rename(columns=lambda c: c if isinstance(c, str) else f"T = {c}")


def speedup_markdown(found: pd.DataFrame) -> str:
    """The factors for readers; the best variant of each opponent is bold.

    Args:
        found: as from `snnlib.experiments.table2_inference_time.wall_time.with_times`.
    """
    reach = f"within {found.within_points.iloc[0]:g} points of ours or above"
    parts = [
        f"How many steps, and how much wall time, a conversion takes to come {reach}. First T: in the mean over "
        "seeds, and of the quickest and the slowest seed; to stay: from there on at every later T. Bold: an "
        "opponent's best variant."
    ]
    for net, rows in found.groupby(ARCHITECTURE, sort=False):
        lines = []
        for row in rows.itertuples():
            name = f"{METHOD_TITLES[row.opponent]}, {row.variant}"
            reached = not pd.isna(row.steps_needed)
            lines.append({
                "Ours": f"{row.readout}, T = {row.our_timesteps}", "Ours, %": f"{row.our_accuracy:.2f}",
                "Opponent": f"**{name}**" if row.best else name, "ANN, %": f"{row.ann_accuracy:.2f}",
                "First T": str(row.steps_needed) if reached else f"never in {row.last_timesteps}",
                "of seeds": f"{_steps(row.steps_least)} to {_steps(row.steps_most)}",
                "to stay": _steps(row.steps_to_stay),
                "× our steps": f"{row.step_factor:.1f}" if reached else "",
                "× our time": f"{row.time_factor:.2f} ± {row.time_factor_sd:.2f}" if reached else "",
            })  # fmt: skip
        parts += [f"**{_net(net)}**", _pipes(pd.DataFrame(lines))]
    return "\n\n".join(parts) + "\n"


def printed_factors() -> str:
    """How many times the steps of ours ANN-SNN takes by the rows that the paper printed, in a sentence."""
    paper = printed_rows()
    factors = [t / ours for t in paper[paper.method == "ANN-SNN"].timesteps for ours in OUR_TIMESTEPS]
    over = sum(factor > CLAIMED for factor in factors)
    return (
        f"By the paper's own rows ANN-SNN takes {min(factors):g} to {max(factors):g} times the steps of ours, "
        f"over {CLAIMED} times in {over} of {len(factors)} pairs of rows."
    )


def _pipes(table: pd.DataFrame) -> str:
    """As it stands: 93.5% and 99.50% keep their digits."""
    return table.to_markdown(index=False, disable_numparse=True)


def _steps(t: Any) -> str:
    return "never" if pd.isna(t) else str(t)


def _net(net: Iterable) -> str:
    dataset, network, width = net
    return f"{TITLES[dataset]}, {TITLES[network]}, width {width:g}"
