"""A reader's own results beside the published ones: the key numbers of both, from their CSV files alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import pandas as pd

from reproduce.experiments.fig2_accuracy_vs_timesteps.claims import FIG2
from reproduce.experiments.fig3_4_training_time.paired import FIG3
from reproduce.experiments.fig5_alpha.claims import FIG5
from reproduce.experiments.fig6_noise_type.claims import FIG6
from reproduce.experiments.memories.claims import ACCURACIES as MEMORIES
from reproduce.experiments.one_pass.claims import ACCURACIES as ONE_PASS
from reproduce.experiments.over_seeds import NET
from reproduce.experiments.record.claims import ACCURACIES as RECORD
from reproduce.experiments.silent_choices.table import CHOICES
from reproduce.experiments.table2_inference_time.claims import ACCURACIES
from reproduce.experiments.tables import NotTestedError, Table, Tables, whole_table
from reproduce.experiments.titles import net_title
from reproduce.experiments.what_noise_does.claims import ACCURACIES as CONTROLS
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.preset_folder import figures_of
from snnlib.data.sets import SIZES
from snnlib.store import markdown
from snnlib.store.paths import from_root, published_dir

ERRORS = 3  # standard errors of their difference within which two means agree

IDENTICAL, AGREES, DIFFERS, UNDECIDED, ONLY_OWN, ONLY_PUBLISHED = OUTCOMES = (
    "identical", "agrees", "differs", "undecided", "only own", "only published",
)  # fmt: skip
UNLIKE = (DIFFERS, UNDECIDED, ONLY_OWN, ONLY_PUBLISHED)
RULE = (
    "Accuracies in percent, mean ± standard deviation over training seeds (how many), each seed the mean of its noise "
    f"seeds. They differ if the means are further apart than {ERRORS} standard errors of their difference. The "
    "standard deviation is pooled over the seeds of both sides, but never smaller than that of one test set of "
    "N images, √(p (1 - p) / N) at accuracy p; of one seed on each side it says no more, so means further apart are "
    "undecided. Of nets that are alike, three seeds a side, up to 4 of 100 differ so by chance. "
    "Verdicts on claims agree if they are the same. Identical: from files of the same bytes. "
    "Times and memory are left out: they are the machine's, and what they decide is in the verdicts."
)
NET_AND_NOISE = [*NET, "noise"]
COLUMNS = ["where", "net", "what", "own", "published", "difference", "allowed", "outcome"]


@dataclass(frozen=True)
class Source:
    """Key numbers of one figure: its table, what tells its rows apart beside the net and T, and which rows count."""

    where: str
    table: Table
    by: tuple[str, ...]
    key: Callable[[pd.DataFrame], pd.Series]

    def values(self, table: pd.DataFrame) -> dict[tuple, np.ndarray]:
        """Accuracy in percent of each training seed, by net, ``by`` and T."""
        columns = list(dict.fromkeys([*NET_AND_NOISE, *self.by, "timesteps"]))
        rows = table[self.key(table)]
        seeds = rows.groupby([*columns, "seed"], sort=False, dropna=False).accuracy.mean() * 100
        groups = seeds.groupby(level=columns, sort=False, dropna=False)
        return {name: group.to_numpy() for name, group in groups}

    def labels(self, name: tuple) -> dict[str, str]:
        """The columns that say which number this is."""
        found = dict(zip(dict.fromkeys([*NET_AND_NOISE, *self.by, "timesteps"]), name, strict=True))
        net = f"{net_title(found)}, {found['readout']}"
        what = [f"{by} {found[by]:g}" if isinstance(found[by], float) else str(found[by]) for by in self.by]
        return {"where": self.where, "net": net, "what": ", ".join([*what, f"T = {found['timesteps']:g}"])}


def _at(*timesteps: int) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda table: table.timesteps.isin(timesteps)


def _last_epoch(table: pd.DataFrame) -> pd.Series:
    run = [*NET_AND_NOISE, "arm", "seed"]
    return table.epoch == table.groupby(run, dropna=False).epoch.transform("max")


SOURCES = (
    Source("Fig. 2", FIG2, ("ties", "inference"), _at(1, 5, 10)),
    Source("Figs. 3, 4, at the end", FIG3, ("arm",), _last_epoch),
    Source("Fig. 5", FIG5, ("noise", "alpha"), _at(10)),
    Source("Fig. 6", FIG6, ("noise",), _at(1, 10)),
    Source("what noise does", CONTROLS, ("noise", "inference"), _at(1, 10)),
    Source("silent choices", CHOICES, ("net", "choice", "value"), lambda table: _at(10)(table) & (table.hold_out == 0)),
    Source(
        "Table 2", ACCURACIES, ("method", "variant"),
        lambda table: table.timesteps.isin((5, 10)) | (table.method == "ann"),
    ),
    Source("memories", MEMORIES, ("noise", "memory"), _at(1, 2, 10)),
    Source("one pass", ONE_PASS, ("arm", "way"), _at(1, 4, 10)),
    Source("the record", RECORD, ("net", "arm", "way"), lambda table: _at(1, 6)(table) & (table.hold_out == 0)),
)  # fmt: skip
CLAIMS_FILE = "claims"


def deviation(groups: Iterable[Sequence[float]], images: int) -> float:
    """Standard deviation of an accuracy over training seeds, in points.

    Pooled over groups of seeds, but never smaller than the binomial one of a single test, √(p (1 - p) / N) with p the
    mean of all values: a few seeds may agree by chance.

    Args:
        groups: accuracies in percent; a group of one seed says nothing of the spread.
        images: N, of the test set.
    """
    found = [np.asarray(group, np.float64) for group in groups]
    squares = sum(((group - group.mean()) ** 2).sum() for group in found)
    free = sum(len(group) - 1 for group in found)
    p = np.concatenate(found).mean() / 100
    binomial = 100 * math.sqrt(p * (1 - p) / images)
    return max(math.sqrt(squares / free) if free else 0.0, binomial)


def tolerance(own: Sequence[float], published: Sequence[float], images: int) -> float:
    """How far apart two means may be to agree, in points: `ERRORS` standard errors of their difference.

    That is ERRORS s √(1/n + 1/m), for n and m seeds and s of `deviation`. Where s is that of the seeds, two alike are
    further apart by chance with the probability that Student's t with n + m - 2 degrees of freedom has beyond ERRORS.
    """
    return ERRORS * deviation([own, published], images) * math.sqrt(1 / len(own) + 1 / len(published))


def compare(own: Path, published: Path) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The key numbers and verdicts of two folders of figures.

    Returns:
        A row each for what both folders have the file of, columns `COLUMNS`, all text; then what is the matter with
        each file that is missing or cannot be used, own and published.
    """
    tables = Tables(own), Tables(published)
    rows, problems = [], ([], [])
    for source in (*SOURCES, None):  # None: the claims
        found = []
        for side, lacking in zip(tables, problems, strict=True):
            try:
                found.append(side.read(source.table) if source else _claims(side.folder))
            except NotTestedError as error:
                lacking.append(str(error))
        if len(found) == 2:
            file = f"{source.table.name if source else CLAIMS_FILE}.csv"
            same = (own / file).read_bytes() == (published / file).read_bytes()
            rows += _numbers(source, *found, same) if source else _verdicts(*found, same)
    return pd.DataFrame(rows, columns=COLUMNS), *problems


def report(preset: str, listed: Collection[str] = OUTCOMES) -> str:
    """`compare` for readers, a preset's own results beside its published ones: a table, the rule and a count.

    Args:
        listed: the outcomes whose rows are in the table; all are counted.

    """
    p, own, published = _sides(preset)
    if own.resolve() == published.resolve():
        return f"{from_root(own)} is the folder of what is published: there is nothing of your own to compare with it"
    table, own_lacks, published_lacks = compare(own, published)
    parts = []
    if rows := [tuple(row) for row in table[table.outcome.isin(listed)].to_numpy().tolist()]:
        parts += [markdown.lines(tuple(COLUMNS), rows), f"*{RULE}*"]
    if own_lacks:
        parts.append(f"{from_root(own)}: {', '.join(own_lacks)}: `make figures PRESET={quote(preset)}` makes them")
    if published_lacks:
        parts.append(f"{from_root(published)}: {', '.join(published_lacks)}: nothing published to compare with")
    if len(table):
        found = ", ".join(f"{n} {outcome.removesuffix('s')}" for outcome, n in _counts(table).items())
        parts.append(f"own beside published, at preset {p.name}: {found}")
    return "\n\n".join(parts)


def report_as_json(preset: str) -> dict[str, Any]:
    """The same as plain values: every row of `compare`, what is missing on each side, how many came out how.

    Raises:
        InputError: as `report`.
    """
    p, own, published = _sides(preset)
    table, own_lacks, published_lacks = compare(own, published)
    return {
        "preset": p.name,
        "rule": RULE,
        "rows": table.to_dict("records"),
        "missing": {"own": own_lacks, "published": published_lacks},
        "outcomes": _counts(table),
    }


def _sides(preset: str) -> tuple[Preset, Path, Path]:
    p = load_preset(preset)
    return p, figures_of(p), published_dir() / p.name


def _counts(table: pd.DataFrame) -> dict[str, int]:
    counts = Counter(table.outcome)
    return {outcome: counts[outcome] for outcome in OUTCOMES if counts[outcome]}


def _numbers(source: Source, own: pd.DataFrame, published: pd.DataFrame, same: bool) -> list[dict[str, str]]:
    """A row for each accuracy that either side has."""
    ours, theirs = source.values(own), source.values(published)
    rows = []
    for name in dict.fromkeys([*ours, *theirs]):
        row = dict.fromkeys(COLUMNS, "") | source.labels(name)
        row |= {side: _shown(values[name]) for side, values in (("own", ours), ("published", theirs)) if name in values}
        if name in ours and name in theirs:
            difference = float(ours[name].mean() - theirs[name].mean())
            most = tolerance(ours[name], theirs[name], SIZES[name[0]][1])
            apart = UNDECIDED if len(ours[name]) == len(theirs[name]) == 1 else DIFFERS
            outcome = IDENTICAL if same else AGREES if abs(difference) <= most + 1e-9 else apart
            row |= {"difference": f"{difference:+.1f}", "allowed": f"{most:.1f}", "outcome": outcome}
        else:
            row["outcome"] = ONLY_OWN if name in ours else ONLY_PUBLISHED
        rows.append(row)
    return rows


def _verdicts(own: Mapping[str, str], published: Mapping[str, str], same: bool) -> list[dict[str, str]]:
    """A row for each claim that either side has."""
    rows = []
    for claim in dict.fromkeys([*own, *published]):
        found = {"own": own.get(claim, ""), "published": published.get(claim, "")}
        if claim in own and claim in published:
            outcome = IDENTICAL if same else AGREES if own[claim] == published[claim] else DIFFERS
        else:
            outcome = ONLY_OWN if claim in own else ONLY_PUBLISHED
        rows.append(dict.fromkeys(COLUMNS, "") | {"where": "claim", "what": claim, **found, "outcome": outcome})
    return rows


def _claims(folder: Path) -> dict[str, str]:
    """The verdict on each claim."""
    file = folder / f"{CLAIMS_FILE}.csv"
    try:
        table = pd.read_csv(whole_table(file), usecols=["claim", "verdict"], dtype=str, keep_default_na=False)
    except (OSError, ValueError):  # not text, not a table, or without these columns
        raise NotTestedError(f"{file.name} cannot be read") from None
    return dict(zip(table.claim, table.verdict, strict=True))


def _shown(values: np.ndarray) -> str:
    spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread} ({len(values)})"
