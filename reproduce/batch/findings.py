"""The numbers of docs/findings_in_detail.md: what was measured of some claims, at the largest scale that tests them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reproduce.batch.answers import Answer, Question
from snnlib.store.markdown import lines

HEADER = ("question", "measured", "seeds", "the claim", "preset and table")

# By section of the page, whose markers have these names.
SECTIONS = MappingProxyType({
    "noise": (
        Question("noise_trains", "points that noise in training gives at T = 1, run without noise"),
        Question("noise_gains", "points of noise in training, at T = 10, over ½ in its place at its best"),
        Question("gaussian", "points of Gaussian over uniform noise at T = 1"),
        Question("gap_closes", "the same at T = 10"),
    ),
    "time": (
        Question("rises", "points from T = 1 to 5, with noise", part=0),
        Question("rises", "points from T = 5 to 10"),
        Question("gain_left", "points from T = 1 without noise to T = 10 with it"),
        Question("current_now", "points of currents at T = 1, where spikes are read, over spikes at T = 10"),
    ),
    "memory": (
        Question("lossless", "points of step 3, the paper's memory, over step 2, at T = 2", part=0),
        Question("lossless", "the same at T = 10"),
        Question("oscillates", "whether the potential swings"),
        Question("memory_best", "points of the exact memory over the best of all others, at its worst T"),
        Question("memory_steps", "first T with the ensemble's accuracy at T = 10: of itself, of the exact memory"),
    ),
    "training": (
        Question("faster", "times faster to the benchmark than direct training at T = 10"),
        Question("equal_time", "points over direct training in the same time"),
        Question("accuracy_kept", "points over direct training after as many epochs"),
        Question("memory", "direct training's peak memory over ours"),
        Question("one_pass_direct", "points of four levels over direct training at T = 4, in its time or less"),
    ),
    "rivals": (
        Question("speed_conversion", "times faster on the clock, at T = 10, than conversion, V(0) = 0 (2015, 2017)"),
        Question("speed_half_threshold", "the same, conversion from half a threshold (2021)"),
        Question("speed_qcfs", "the same, QCFS (2022)"),
        Question("as_conversion", "points over the ReLU net itself, at T = 10"),
        Question("steps_direct", "steps of ours, of direct training, and what that saves"),
    ),
    "instead": (
        Question("one_pass_paper", "points of four levels over the paper's training, at T = 10"),
        Question("record", "CIFAR-10 at T = 6, trained on the rates of L = 4 steps, on two cores"),
        Question("record_waiting", "the same, each layer waiting for the one before"),
        Question("record_one_step", "the same from single steps with Gaussian noise, L = 1"),
    ),
})  # fmt: skip


def findings(found: Mapping[str, Answer]) -> dict[str, str]:
    """The tables of the page in Markdown, by section.

    Args:
        found: the answers, by claim.
    """
    tables = {name: [_row(found[each.claim], each) for each in section] for name, section in SECTIONS.items()}
    return {name: lines(HEADER, rows) for name, rows in tables.items()}


def _row(answer: Answer, question: Question) -> tuple[str, ...]:
    table = answer.row.tables.split(", ")[0]
    where = f"[{answer.preset}](../figures/{answer.preset}/{table}.csv)" if answer.tested else answer.preset
    return question.words, answer.ours(question.part), answer.row.n, f"**{answer.row.verdict}**", where
