"""How time and memory of a step grow with T, with the batch and with the network's width (bfloat16, the CNN)."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pandas as pd

from reproduce.bench.contest import in_ms, machine, memory, timings
from reproduce.bench.contestants import DIRECT, OURS, Contestant

STEP = Contestant(OURS, "cnn", "training", 1, "bfloat16")
DIRECT_STEP = Contestant(DIRECT, "cnn", "training", 10, "bfloat16")
INFERENCE = Contestant(OURS, "cnn", "inference", 10, "bfloat16")
SCALED = {"single-step training": STEP, "direct training": DIRECT_STEP, "inference, converted": INFERENCE}

AXES: dict[str, tuple[tuple[float, ...], tuple[str, ...]]] = {
    "timesteps": ((1, 2, 4, 8, 16, 32), ("direct training", "inference, converted")),
    "batch_size": ((1, 2, 4, 8, 16, 32, 64, 128, 256, 512), tuple(SCALED)),
    "width": ((0.125, 0.25, 0.5, 1.0, 2.0), tuple(SCALED)),
}


def scaling(rounds: int = 7) -> pd.DataFrame:
    """Measure every point of `AXES`, those of an axis in turn.

    Returns:
        Columns arm, value, ms (median), ms_q25, ms_q75, peak_bytes, axis, rounds, and the machine.
    """
    parts = []
    for axis, (values, arms) in AXES.items():
        points = {(arm, value): replace(SCALED[arm], **{axis: value}) for arm in arms for value in values}
        fields = [field.name for field in dataclasses.fields(Contestant)]
        ms = in_ms(timings(points.values(), rounds), fields)
        table = memory(points.values())
        table["arm"], table["value"] = zip(*points, strict=True)
        table = table.merge(ms, on=fields, how="left")
        columns = ["arm", "value", "ms", "ms_q25", "ms_q75", "peak_bytes"]
        parts.append(table[columns].assign(axis=axis, rounds=rounds, **machine()))
    return pd.concat(parts, ignore_index=True)


def growth(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Exponent p of quantity ~ value^p between the last two values of each axis and arm; 1 is linear.

    Args:
        table: from `scaling`.
        quantity: "ms" or "peak_bytes".

    Returns:
        Columns axis, arm, exponent.
    """
    rows = []
    for (axis, arm), points in table.groupby(["axis", "arm"], sort=False):
        (x0, y0), (x1, y1) = points.sort_values("value")[["value", quantity]].to_numpy()[-2:]
        rows.append((axis, arm, np.log(y1 / y0) / np.log(x1 / x0)))
    return pd.DataFrame(rows, columns=["axis", "arm", "exponent"])


def text(table: pd.DataFrame) -> str:
    """`growth` of both quantities in words."""
    parts = []
    for quantity, name in (("ms", "time"), ("peak_bytes", "peak memory")):
        found = growth(table, quantity)
        for axis in found.axis.unique():
            powers = ", ".join(f"{r.arm} {r.exponent:.2f}" for r in found[found.axis == axis].itertuples())
            values = table[table.axis == axis].value.sort_values().unique()[-2:]
            parts.append(f"- {name}, {axis.replace('_', ' ')} from {values[0]:g} to {values[1]:g}: {powers}")
    return (
        "\n".join(["Growth, as the power p of value^p between the last two points (1 is linear):", "", *parts]) + "\n"
    )
