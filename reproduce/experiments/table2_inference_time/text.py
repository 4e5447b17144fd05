"""Table 2 in Markdown and in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from reproduce.experiments.over_seeds import ARCHITECTURE
from reproduce.experiments.paper import OUR_TIMESTEPS, TABLE2
from reproduce.experiments.table2_inference_time.claims import CLAIMED, QCFS_NET, factor
from reproduce.experiments.table2_inference_time.names import METHOD_TITLES, cited, conversion_title
from reproduce.experiments.table2_inference_time.table import printed_rows
from reproduce.experiments.titles import net_title


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
        row = {
            "Method": METHOD_TITLES[method],
            "Variant": cited(method, variant),
            "Readout": readout,
            "Seeds": line.seeds.iloc[0],
        }
        found.append({**row, "ANN": before.get(method, ""), **dict(zip(line.timesteps, line.text, strict=True))})
    columns = ["Method", "Variant", "Readout", "Seeds", "ANN", *sorted(set(shown.timesteps))]
    return pd.DataFrame(found)[columns].fillna("").rename(columns=lambda c: c if isinstance(c, str) else f"T = {c}")


def speedup_markdown(found: pd.DataFrame) -> str:
    """The factors for readers: a row for each opponent, mean and 95 % interval over training seeds.

    Args:
        found: as from `reproduce.experiments.table2_inference_time.wall_time.with_times`.
    """
    reach = f"within {found.within_points.iloc[0]:g} points of ours or above"
    parts = [
        f"How many steps, and how much wall time, a conversion takes to come {reach}: training seed by training seed, "
        "the geometric mean over seeds and its 95 % interval, and the quickest and the slowest seed. To stay: from "
        "there on at every later T, in the slowest seed. >: larger, as a seed did not get there; where another did, "
        "there are the factors of each, and else that of all. Bold: the better variant of its kind."
    ]
    for net, rows in found.groupby(ARCHITECTURE, sort=False):
        lines = []
        kind = ["readout", "our_timesteps", "opponent"]
        for _, variants in rows.groupby(kind, sort=False):
            best = variants.groupby("variant").step_factor.mean().idxmin()
            for variant, seeds in variants.groupby("variant", sort=False):
                ours = seeds.iloc[0]
                name = conversion_title("qcfs" if ours.opponent == QCFS_NET else "conversion", variant)
                needed = seeds.steps_needed.sort_values()  # empty ones last
                lines.append({
                    "Ours": f"{ours.readout}, T = {ours.our_timesteps}", "Ours, %": f"{seeds.our_accuracy.mean():.2f}",
                    "Opponent": f"**{name}**" if variant == best else name,
                    "ANN, %": f"{seeds.ann_accuracy.mean():.2f}",
                    "Seeds": str(len(seeds)),
                    "First T": f"{_steps(needed.iloc[0], ours)} to {_steps(needed.iloc[-1], ours)}",
                    "to stay": _steps(seeds.steps_to_stay.max(skipna=False), ours),
                    "× our steps": factor(seeds.step_factor, seeds.reached),
                    "× our time": factor(seeds.time_factor, seeds.reached),
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
        f"over {CLAIMED} times in {over} of {len(factors)} pairs of numbers of steps."
    )


def _pipes(table: pd.DataFrame) -> str:
    """As it stands: 93.5% and 99.50% keep their digits."""
    return table.to_markdown(index=False, disable_numparse=True)


def _steps(t: Any, row: pd.Series) -> str:
    return f"> {row.last_timesteps}" if pd.isna(t) else str(t)


def _net(net: Iterable) -> str:
    return net_title(dict(zip(ARCHITECTURE, net, strict=True)))
