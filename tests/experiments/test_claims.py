"""Verdicts on the claims, from tables made by hand: each that a claim's rule allows; what is damaged or missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from claim_tables import (
    FAILS,
    HOLDS,
    IN_PART,
    LEDGER,
    Set,
    controls,
    decided,
    gains,
    mixed,
    two_seeds,
    wide,
    without,
)

from reproduce.experiments import effects
from reproduce.experiments.claims import BEYOND, CLAIMS, decide, decide_beyond, told
from reproduce.experiments.evidence import Claim
from reproduce.experiments.outputs import Outputs
from reproduce.experiments.paper import NETWORKS
from reproduce.experiments.record import claims as record
from reproduce.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED, UNTESTED, Tables

SEEDLESS = {"memory", "batch", "oscillates"}  # seeds change nothing
# Simulated; of two networks the better one; of nets that are not the paper's.
WITHOUT_NETWORKS = {
    "oscillates", "table2_cifar10", "one_pass_paper", "one_pass_phases", "one_pass_direct", "record", "record_waiting",
    "record_one_step", "record_next",
}  # fmt: skip
OF_ONE = {  # about one network or data set
    "saves_cnn": "cnn", "saves_vgg16": "vgg16", "saves_resnet18": "resnet18", "table2_mnist": "cnn",
    "table2_fashion_mnist": "cnn",
}  # fmt: skip
AT_10 = {"lossless", "gap_closes", "noise_gains", "memory_steps", "memory_best"}  # from rows at T = 10, among others
# Those that docs/verdicts.md says more of than yes and no.
WITH_A_PART = {
    "lossless", "saves_cnn", "saves_vgg16", "saves_resnet18", "faster", "memory", "speed_conversion",
    "steps_conversion", "table2_mnist", "table2_fashion_mnist", "table2_cifar10",
}  # fmt: skip
TABLES = {table.name: table.columns for claim in LEDGER for table in claim.tables}

each_claim = pytest.mark.parametrize("claim", LEDGER, ids=lambda claim: claim.id)


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


def verdict(folder: Path, claim: Claim, tables: Set, column: str = "verdict") -> str:
    """Of one claim, from tables that hold but for those given."""
    read = {table.name for table in claim.tables}
    changed = {name: table for name, table in tables.items() if name in read}
    return decided(folder, column, **(changed or {name: HOLDS[name] for name in read}))[claim.id]


# --- each verdict that a rule allows -------------------------------------------------------------


@each_claim
def test_it_is_reproduced_or_not(tmp_path: Path, claim: Claim) -> None:
    assert verdict(tmp_path, claim, HOLDS) == REPRODUCED
    assert verdict(tmp_path, claim, FAILS) == NOT


@each_claim
def test_networks_that_differ_make_it_partly(tmp_path: Path, claim: Claim) -> None:
    found = {verdict(tmp_path, claim, mixed(network)) for network in NETWORKS}
    if claim.id in {*OF_ONE, *WITHOUT_NETWORKS}:
        assert PARTLY not in found
    else:
        assert PARTLY in found


@pytest.mark.parametrize("claim", [c for c in LEDGER if c.id in WITH_A_PART], ids=lambda claim: claim.id)
def test_in_part_is_partly(tmp_path: Path, claim: Claim) -> None:
    assert verdict(tmp_path, claim, {table.name: IN_PART[table.name] for table in claim.tables}) == PARTLY


@each_claim
@pytest.mark.parametrize(("tables", "plain"), [(HOLDS, REPRODUCED), (FAILS, NOT)], ids=["holds", "fails"])
def test_two_seeds_decide_nothing_either_way(tmp_path: Path, claim: Claim, tables: Set, plain: str) -> None:
    expected = plain if claim.id in SEEDLESS else UNDECIDED
    assert verdict(tmp_path, claim, {**tables, **two_seeds(tables)}) == expected


@each_claim
@pytest.mark.parametrize("tables", [HOLDS, FAILS], ids=["holds", "fails"])
def test_a_network_that_is_missing_makes_it_undecided_either_way(tmp_path: Path, claim: Claim, tables: Set) -> None:
    if claim.id in OF_ONE:
        assert verdict(tmp_path, claim, without(OF_ONE[claim.id], tables)).startswith(UNTESTED)
    elif claim.id not in WITHOUT_NETWORKS:
        assert UNDECIDED in {verdict(tmp_path, claim, without(network, tables)) for network in NETWORKS}


@each_claim
@pytest.mark.parametrize("tables", [HOLDS, FAILS], ids=["holds", "fails"])
def test_few_test_images_decide_nothing_either_way(tmp_path: Path, claim: Claim, tables: Set) -> None:
    found = {name: table for name, table in wide(tables).items() if name in {table.name for table in claim.tables}}
    if claim in record.BEYOND:  # whose goals were reached on these images
        assert verdict(tmp_path, claim, found) == verdict(tmp_path, claim, tables)
    elif len(found) == len(claim.tables):
        assert verdict(tmp_path, claim, found) == UNDECIDED


@each_claim
def test_without_its_tables_it_is_not_tested(tmp_path: Path, claim: Claim) -> None:
    none = dict.fromkeys(table.name for table in claim.tables)
    assert verdict(tmp_path, claim, none) == UNTESTED
    assert verdict(tmp_path, claim, none, "measured").startswith("no ")


# --- the whole table -----------------------------------------------------------------------------


def test_the_claims_are_those_of_the_paper() -> None:
    ids = [claim.id for claim in (*CLAIMS, *BEYOND)]
    assert len(set(ids)) == len(ids)
    expected = """rises lossless saves_cnn saves_vgg16 saves_resnet18 faster equal_time accuracy_kept memory batch
        speed_conversion steps_conversion as_conversion steps_direct table2_mnist table2_fashion_mnist table2_cifar10
        alpha_2 alphas_converge gaussian gap_closes noise_gains oscillates"""
    assert set(expected.split()) <= {claim.id for claim in CLAIMS}
    for claim in (*CLAIMS, *BEYOND):
        assert claim.section
        assert claim.test
        assert claim.tables
    assert all(claim.quote for claim in CLAIMS)
    assert set(TABLES) <= set(HOLDS)
    assert set(HOLDS) == set(FAILS)


@each_claim
def test_a_claim_names_the_tables_that_it_is_decided_from_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claim: Claim
) -> None:
    verdict(tmp_path, claim, HOLDS)  # writes the tables
    asked: set[str] = set()
    read = Tables.read
    monkeypatch.setattr(Tables, "read", lambda self, table: asked.add(table.name) or read(self, table))
    claim.decide(Tables(tmp_path))
    assert asked == {table.name for table in claim.tables}


def test_a_row_has_what_a_reader_needs_to_judge_it(verdicts: Callable, tmp_path: Path) -> None:
    verdicts(**HOLDS)
    row = decide(tmp_path, LEDGER).set_index("id").loc["lossless"]
    assert row.n == "3"
    assert (row.least, row.most) == ("0.1; 0; 0.2", "0.1; 0; 0.2")  # at T = 2, 5 and 10
    assert row.scale == "CIFAR-10, ResNet-18, width 1; CIFAR-10, VGG-16, width 1; Fashion-MNIST, CNN, width 1"
    assert row.rule.startswith("step 3 (α = 4) over step 2")
    # t(0.975, 2) = 4.3027 times 0.05 / √3, and 1.96 times 0.05
    assert "CNN, spikes, gaussian +0.0 ± 0.1 ± 0.1 at T = 5" in row.measured
    assert row.measured.endswith("(seeds: 3)")


def test_who_asks_for_more_seeds_than_there_are_decides_nothing(
    verdicts: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "LEAST_SEEDS", 6)  # as the notebook of claims has it to try
    found = verdicts()
    assert {id for id, verdict in found.items() if verdict != UNDECIDED} == SEEDLESS


def test_a_claim_that_is_not_tested_has_no_numbers() -> None:
    table = decide(Path("nowhere"))
    assert set(table.verdict) == {UNTESTED}
    assert set(table.least) == set(table.most) == set(table.n) == set(table.scale) == {""}


def test_least_and_most_are_told_part_by_part(verdicts: Callable) -> None:
    cnn, others = gains(5, 3), gains(7.25, -1)
    both = pd.concat([cnn[cnn.network == "cnn"], others[others.network != "cnn"]])
    assert verdicts("least", fig2_gains=both)["rises"] == "5; -1"
    assert verdicts("most", fig2_gains=both)["rises"] == "7.25; 3"
    noise = {"what_noise_does_contrasts": controls(8, 6, trains=2)}
    assert verdicts("least", **noise) == {"noise_gains": "8; 6", "noise_trains": "2"}
    assert verdicts("least", fig5_effects=HOLDS["fig5_effects"])["alpha_2"] == ""  # two numbers in each network


def test_the_scale_is_of_the_nets_that_were_tested_and_of_no_others(verdicts: Callable) -> None:
    vgg16, resnet18 = "CIFAR-10, VGG-16, width 1", "CIFAR-10, ResNet-18, width 1"
    cnn = "Fashion-MNIST, CNN, width 1"
    whole = verdicts("scale")
    assert whole["rises"] == f"{resnet18}; {vgg16}; {cnn}"
    assert whole["alpha_2"] == whole["alphas_converge"] == f"{resnet18}; {vgg16}"  # the paper's Figure 5
    assert [whole[f"saves_{network}"] for network in NETWORKS] == [cnn, vgg16, resnet18]
    assert whole["table2_mnist"] == "MNIST, CNN, width 1"
    assert whole["oscillates"] == ""  # simulated

    times = HOLDS["fig4_time_to_accuracy"].query("network == 'cnn'")
    found = verdicts("scale", fig4_time_to_accuracy=times)
    assert (found["saves_cnn"], found["saves_vgg16"], found["saves_resnet18"]) == (cnn, "", "")
    assert found["faster"] == cnn
    ours = HOLDS["fig2_levels"]
    better = ours.assign(points=ours.points.where(ours.network != "vgg16", ours.points + 0.02))
    assert verdicts("scale", fig2_levels=better)["table2_cifar10"] == vgg16
    narrow = verdicts("scale", fig2_levels=ours.assign(width=0.5))
    assert {narrow[f"table2_{dataset}"] for dataset in ("mnist", "fashion_mnist", "cifar10")} == {""}

    steps = HOLDS["table2_accuracy_vs_timesteps"]
    alone = steps.query("method == 'ours' and network == 'cnn'").assign(width=0.5)  # nothing to compare it with
    found = verdicts("scale", table2_accuracy_vs_timesteps=pd.concat([steps, alone]))
    assert found["steps_direct"] == f"{resnet18}; {vgg16}; {cnn}"


def test_beyond_the_paper_nothing_is_reproduced(verdicts: Callable, tmp_path: Path) -> None:
    for tables, word in ((HOLDS, "holds"), (FAILS, "does not hold"), (IN_PART, "holds in part")):
        verdicts(**{**HOLDS, **tables})
        table = decide_beyond(tmp_path, [claim for claim in LEDGER if claim.id == "lossless"])
        assert list(table.verdict) == [word]


def test_what_a_notebook_tells_is_what_the_ledger_decides(verdicts: Callable, tmp_path: Path) -> None:
    verdicts()
    table = pd.concat([decide(tmp_path, CLAIMS), decide_beyond(tmp_path, BEYOND)])
    lines = [
        line
        for row in table.itertuples()
        for line in (f"{row.claim} ({row.section}): {row.verdict}", f"  {row.measured}")
    ]
    assert told(Outputs(tmp_path), [*CLAIMS, *BEYOND]).splitlines() == lines


def test_what_was_changed_has_no_verdicts(verdicts: Callable, tmp_path: Path) -> None:
    verdicts()
    (line,) = told(Outputs(tmp_path, {"timesteps": 20, "seeds": [0, 1]}), LEDGER).splitlines()
    assert (
        line == "no verdicts: claims are decided with the preset's own values, not with timesteps = 20, seeds = [0, 1]"
    )


# --- tables that are missing or damaged ----------------------------------------------------------


def test_a_table_that_somebody_edited_decides_nothing(verdicts: Callable, tmp_path: Path) -> None:
    verdicts(**FAILS)
    file = tmp_path / "fig5_lossless.csv"
    pd.read_csv(file).assign(points=0.0).to_csv(file, index=False)
    found = decide(tmp_path, LEDGER).set_index("id").loc["lossless"]
    assert (found.verdict, found.measured) == (UNTESTED, f"{file.name} is not as it was drawn, draw it again")


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
    (tmp_path / "fig5_effects.csv").unlink()
    found = decide(tmp_path, LEDGER)
    assert set(found.id[found.verdict == UNTESTED]) == {"alpha_2", "alphas_converge"}
    assert set(found.verdict) == {REPRODUCED, UNTESTED}


@pytest.mark.parametrize("claim", [c for c in LEDGER if c.id in AT_10], ids=lambda claim: claim.id)
@pytest.mark.parametrize("tables", [HOLDS, FAILS], ids=["holds", "fails"])
def test_a_time_step_that_is_missing_shows_nothing(tmp_path: Path, claim: Claim, tables: Set) -> None:
    cut = {table.name: tables[table.name].query("timesteps != 10") for table in claim.tables}
    assert verdict(tmp_path, claim, cut) in {UNDECIDED, UNTESTED}


def test_arms_without_a_seed_in_common_count_for_nothing(verdicts: Callable) -> None:
    # Where differences are taken from a table's arms; those of contrasts are pairs already.
    for name, by in (("fig4_time_to_accuracy", "arm"), ("table2_accuracy_vs_timesteps", "method")):
        if name in TABLES:
            t = HOLDS[name]
            found = verdicts(**{name: t.assign(seed=t.seed + 10 * (t[by] == "ours"))})
            compared = {id: verdict for id, verdict in found.items() if not id.startswith("table2_")}  # not the paper
            assert set(compared.values()) == {UNTESTED}
