"""Verdicts on the paper's claims, from tables made by hand: what is plain, what is damaged, what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
from claim_tables import FAILS, HOLDS, Set, decided, speedup

from snnlib.experiments.claims import CLAIMS, decide, told
from snnlib.experiments.tables import NOT, REPRODUCED, UNDECIDED, UNTESTED, Tables

SEEDLESS = {"memory", "batch", "silent", "oscillates"}
TABLES = {table.name: table.columns for claim in CLAIMS for table in claim.tables}


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


# --- the whole table -----------------------------------------------------------------------------


def test_every_claim_can_be_reproduced_and_can_fail(verdicts: Callable) -> None:
    assert set(verdicts().values()) == {REPRODUCED}
    assert set(verdicts(**FAILS).values()) == {NOT}


def test_a_table_that_somebody_edited_decides_nothing(verdicts: Callable, tmp_path: Path) -> None:
    verdicts(**FAILS)
    file = tmp_path / "fig2_gains.csv"
    table = pd.read_csv(file)
    table.assign(points=table.points.where(table.later != 10, 9.0)).to_csv(file, index=False)
    found = decide(tmp_path).set_index("id").loc["rises"]
    assert (found.verdict, found.measured) == (UNTESTED, f"{file.name} is not as it was drawn, draw it again")


def test_the_claims_are_those_of_the_paper() -> None:
    ids = [claim.id for claim in CLAIMS]
    assert len(set(ids)) == len(ids)
    expected = """rises lossless saves_cnn saves_vgg16 saves_resnet18 faster equal_time memory speed_conversion
        speed_qcfs steps_conversion steps_qcfs table2_mnist table2_fashion_mnist table2_cifar10 alpha_2
        alphas_converge gaussian gap_closes silent"""
    assert set(expected.split()) <= set(ids)
    for claim in CLAIMS:
        assert claim.quote
        assert claim.section
        assert claim.test
        assert claim.tables
    assert set(TABLES) == set(HOLDS) == set(FAILS)


def test_a_claim_names_the_tables_that_it_is_decided_from_and_no_others(
    verdicts: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts()  # writes the tables
    asked: set[str] = set()
    read = Tables.read
    monkeypatch.setattr(Tables, "read", lambda self, table: asked.add(table.name) or read(self, table))
    for claim in CLAIMS:
        asked.clear()
        claim.decide(Tables(tmp_path))
        assert asked == {table.name for table in claim.tables}, claim.id


def test_what_a_notebook_tells_is_what_the_ledger_decides(verdicts: Callable, tmp_path: Path) -> None:
    verdicts()
    table = decide(tmp_path)
    for module in ("fig2_accuracy_vs_timesteps", "fig3_4_training_time", "table2_inference_time", "fig5_alpha"):
        own = import_module(f"snnlib.experiments.{module}.claims").CLAIMS
        lines = told(tmp_path, own).splitlines()
        rows = table.set_index("id").loc[[claim.id for claim in own]]
        assert lines[::2] == [f"{row.claim} ({row.section}): {row.verdict}" for row in rows.itertuples()]
        assert lines[1::2] == [f"  {measured}" for measured in rows.measured]


@pytest.mark.parametrize(("tables", "factors", "verdict"), [(HOLDS, (200, 150), REPRODUCED), (FAILS, (4, 3), NOT)])
def test_one_seed_decides_nothing_either_way(verdicts: Callable, tables: Set, factors: tuple, verdict: str) -> None:
    one = {name: t[t.seed == 0] if "seed" in t else t for name, t in tables.items()}
    found = verdicts(**{**one, "table2_speedup": speedup(*factors, seeds=1)})
    assert {id for id, v in found.items() if v == verdict} == SEEDLESS
    assert set(found.values()) == {verdict, UNDECIDED}


def test_a_network_that_is_missing_leaves_it_undecided(verdicts: Callable) -> None:
    found = verdicts(**{name: t[t.network != "vgg16"] if "network" in t else t for name, t in HOLDS.items()})
    named = {"rises", "lossless", "faster", "equal_time", "accuracy_kept", "memory", "batch", "alpha_2", "gaussian"}
    named |= {"speed_conversion", "speed_qcfs", "steps_conversion", "steps_qcfs", "as_conversion", "steps_direct"}
    assert {found[id] for id in named | {"alphas_converge", "gap_closes", "noise_gains"}} == {UNDECIDED}
    assert found["saves_vgg16"] == UNTESTED
    assert found["saves_cnn"] == found["saves_resnet18"] == REPRODUCED
    measured = verdicts("measured", table2_speedup=HOLDS["table2_speedup"].query("network == 'cnn'"))
    for id in ("speed_conversion", "speed_qcfs", "steps_conversion", "steps_qcfs"):
        assert "; VGG-16 no runs; ResNet-18 no runs (3 seeds)" in measured[id]


# --- tables that are missing or damaged ----------------------------------------------------------


def test_without_any_table_nothing_is_tested(verdicts: Callable) -> None:
    assert set(verdicts(**dict.fromkeys(HOLDS)).values()) == {UNTESTED}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_no_table_counts_for_nothing_and_names_itself(verdicts: Callable, name: str) -> None:
    header = HOLDS[name].head(0).to_csv(index=False).encode()
    for content in (None, b"", header, b"\xff\xfe\x00\x81", b'a,b\n1,2\n3,4,5,"6\n'):
        assert set(verdicts(**{name: content}).values()) == {UNTESTED}
        assert all(f"{name}.csv" in measured for measured in verdicts("measured", **{name: content}).values())


@pytest.mark.parametrize(("name", "column"), [(name, column) for name, kinds in TABLES.items() for column in kinds])
def test_a_column_that_is_missing_or_wrong_counts_for_nothing(verdicts: Callable, name: str, column: str) -> None:
    table, kind = HOLDS[name].reset_index(drop=True), TABLES[name][column]
    bad: list = [table.drop(columns=column)]
    if not kind.endswith("?"):
        bad.append(table[column].astype(object).where(table.index != 1))  # a hole
    if not kind.startswith("text"):
        bad.append("good")
    if kind.startswith("fraction"):
        bad.append(93.0)  # percent
    if kind.startswith(("positive", "number", "fraction")):
        bad.append(math.inf)
    for t in bad:
        changed = t if isinstance(t, pd.DataFrame) else table.assign(**{column: t})
        assert set(verdicts(**{name: changed}).values()) == {UNTESTED}


def test_a_damaged_table_is_nothing_to_the_claims_that_do_not_read_it(verdicts: Callable, tmp_path: Path) -> None:
    verdicts()
    (tmp_path / "fig5_alpha.csv").unlink()
    found = decide(tmp_path)
    assert set(found.id[found.verdict == UNTESTED]) == {"lossless", "alpha_2", "alphas_converge"}
    assert set(found.verdict) == {REPRODUCED, UNTESTED}


def test_a_time_step_that_is_missing_counts_for_nothing(verdicts: Callable) -> None:
    found = verdicts(
        **{name: t[t.timesteps != 10] if "timesteps" in t and "noise" in t else t for name, t in HOLDS.items()}
    )
    ids = {"lossless", "alpha_2", "alphas_converge", "gap_closes", "noise_gains"}
    assert {found[id] for id in ids} == {UNTESTED}


def test_arms_without_a_seed_in_common_count_for_nothing(verdicts: Callable) -> None:
    apart = {}
    for name in ("fig3_training_speed", "fig4_time_to_accuracy"):
        t = HOLDS[name]
        apart[name] = t.assign(seed=t.seed + 10 * (t.arm == "ours"))
    for name, by in (("fig5_alpha", "alpha"),):
        t = HOLDS[name]
        apart[name] = t.assign(seed=t.seed + 10 * t[by].astype("category").cat.codes)
    t = HOLDS["table2_accuracy_vs_timesteps"]
    apart["table2_accuracy_vs_timesteps"] = t.assign(seed=t.seed + 10 * (t.method == "ours"))
    found = verdicts(**apart)
    tested = {id for id, verdict in found.items() if verdict != UNTESTED}
    assert tested == {"table2_mnist", "table2_fashion_mnist", "table2_cifar10"}  # they compare with the paper alone
