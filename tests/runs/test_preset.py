"""Presets and the command line: what they hold, and one-line errors before any work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from toml_text import toml

from reproduce.batch.drawing import draw_notebook
from reproduce.cli import main as cli
from reproduce.experiments.paper import EPOCHS
from reproduce.runs import preset_found
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.preset_file import HELD_OUT
from reproduce.runs.spec import Spec
from snnlib.checks import InputError


@pytest.mark.parametrize("name", preset_found.preset_names())
def test_every_preset_loads_and_names_each_run_once(name: str) -> None:
    p = load_preset(name)
    runs = p.all_runs()
    assert runs
    assert all(key == run.spec.name for key, run in runs.items())


def test_the_paper_preset_is_table_1() -> None:
    specs = [run.spec for run in load_preset("paper").runs("fig2_accuracy_vs_timesteps")]
    assert {(s.dataset, s.network): s.recipe.epochs for s in specs} == EPOCHS
    for s in specs:
        assert (s.width, s.recipe.lr, s.recipe.schedule, s.recipe.restart_every) == (1, 1e-4, "warm_restarts", 100)
        assert s.recipe.augment == ("crop_flip" if s.dataset == "cifar10" else "none")
    assert sorted({s.seed for s in specs}) == [0, 1, 2, 3, 4]


def test_smoke_needs_no_download() -> None:
    assert {run.spec.dataset for run in load_preset("smoke").all_runs().values()} == {"fashion_mnist_mini"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(preset_found, "FOLDER", tmp_path)
    return tmp_path


NET = {"dataset": "mnist", "network": "cnn"}


def a_preset(net: dict | None = None, entry: dict | None = None, **content: Any) -> str:
    """A preset's file, with these fields of its net, of the only entry of its only notebook, and beside them."""
    runs = {"nets": ["net"], "arms": ["ours"], "seeds": [0], **(entry or {})}
    usual = {"description": "d", "evaluation": {}, "benchmark": {"cnn": 0.9}, "nets": {"net": {**NET, **(net or {})}}}
    return toml({**usual, "notebooks": {"method": [runs]}, **content})


def refusal(folder: Path, text: str) -> str:
    """What is said against a file."""
    (folder / "bad.toml").write_text(text)
    with pytest.raises(InputError) as error:
        load_preset("bad")
    message = str(error.value)
    assert message.startswith("bad.toml: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("net", "words"),
    [
        ({"dataset": "svhn"}, ["nets.net: dataset", "'svhn'", "mnist", "cifar10"]),
        ({"network": "alexnet"}, ["network", "'alexnet'", "cnn", "resnet18"]),
        ({"width": 0.001}, ["width = 0.001", "must be above"]),
        ({"width": "wide"}, ["width", "'wide'", "number"]),
        ({"width": True}, ["width = True", "not be true or false"]),
        ({"width": 17}, ["width = 17", "at most 16"]),
        ({"dataset": "cifar10"}, ["network = cnn", "vgg16, resnet18 for cifar10"]),
        ({"recipe": {"epochs": 0}}, ["Recipe: epochs = 0", "greater than or equal to 1"]),
        ({"recipe": {"epoch": 3}}, ["epoch = 3", "no such field"]),
        ({"recipe": {"schedule": "step"}}, ["schedule", "'step'", "one_cycle"]),
        ({"recipe": 3}, ["nets.net: recipe = 3"]),
        (
            {"readout": "potential"},
            ["readout = 'potential'", "must be one of dataset, network, width, hold_out"],
        ),
        ({"seed": 3}, ["seed = 3", "must be one of dataset, network, width, hold_out"]),
        ({"arms": 3}, ["nets.net.arms = 3", "must be a table"]),
        ({"arms": {"theirs": {}}}, ["nets.net.arms = 'theirs'", "nearest are potential, ours"]),
        ({"arms": {"direct": 3}}, ["nets.net.arms.direct = 3", "must be a table"]),
        (
            {"arms": {"direct": {"epochs": 3}}},
            ["nets.net.arms.direct: epochs = 3", "must be one of lr, evaluate_every"],
        ),
        ({"arms": {"tuned": {"epochs": 0}}}, ["nets.net.arms.tuned: epochs = 0", "greater than or equal to 1"]),
        ({"arms": {"tuned": {"threads": 2}}}, ["arms.tuned: threads = 2", "must be one of epochs, lr, evaluate_every"]),
        ({"arms": {"direct": {"lr": -1}}}, ["nets.net.arms.direct: lr = -1", "greater than 0"]),
        ({"arms": {"arctan": {"lr": 1}}}, ["nets.net.arms.arctan: lr = 1", "must be one of evaluate_every"]),
        ({"arms": {"direct": {"evaluate_every": 0.3}}}, ["evaluate_every = 0.3", "1 / a whole number up to 1000"]),
        ({"arms": {"direct": {"self": 1}}}, ["nets.net.arms.direct: self = 1", "must be one of lr"]),
        ({"after": NET}, ["after = {'dataset'", "must be one of dataset, network, width, hold_out"]),
    ],
    ids=str,
)
def test_a_bad_value_in_a_net_is_one_line_naming_it_and_what_is_allowed(folder: Path, net: dict, words: list) -> None:
    message = refusal(folder, a_preset(net))
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"seeds": [-1]}, ["notebooks.method, 1.: seeds.0 = -1", "greater than or equal to 0"]),
        ({"seeds": [2**31]}, ["net, ours: seed = 2147483648", "less than 2147483648"]),
        ({"seeds": [1.0]}, ["seeds.0 = 1.0", "valid integer"]),
        ({"seeds": [True]}, ["seeds.0 = True", "valid integer"]),
        ({"seeds": []}, ["seeds = []", "at least 1 item"]),
        ({"seeds": 3}, ["seeds = 3", "valid list"]),
        ({"seeds": [1, 2, 1]}, ["seeds = [1, 2, 1]", "once"]),
        ({"seeds": list(range(101))}, ["seeds = [0, 1, 2", "at most 100 items"]),
        ({"seed": 3}, ["seed = 3", "must be one of nets, arms, seeds"]),
        ({"nets": ["mlp"]}, ["notebooks.method, 1., net = 'mlp'", "must be one of net"]),
        ({"nets": "net"}, ["nets = 'net'", "valid list"]),
        ({"nets": ["net", "net"]}, ["nets = ['net', 'net']", "once"]),
        ({"arms": ["theirs"]}, ["notebooks.method, 1., arm = 'theirs'", "nearest are potential, ours"]),
        ({"arms": []}, ["arms = []", "at least 1 item"]),
        ({"but": {"recipe": {"lr": 1}}}, ["but = {'recipe': {'lr': 1}}", "must be one of nets, arms, seeds"]),
    ],
    ids=str,
)
def test_a_bad_value_in_a_notebooks_runs_likewise(folder: Path, entry: dict, words: list[str]) -> None:
    message = refusal(folder, a_preset(entry=entry))
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"name": "other"}, ["name = 'other'", "must be one of nets, recipe, description"]),
        ({"evaluation": {"noise_seeds": [0, 0]}}, ["noise_seeds = (0, 0)", "once"]),
        ({"evaluation": {"noise_seeds": list(range(1001))}}, ["noise_seeds = [0, 1", "at most 1000 items"]),
        ({"evaluation": {"noise_seeds": [2**63]}}, ["noise_seeds.0 = 9223372036854775808", "less than"]),
        ({"evaluation": {"batch_size": 10**9}}, ["batch_size = 1000000000", "less than or equal to 4096"]),
        ({"evaluation": {"calibration": 10**9}}, ["calibration = 1000000000", "less than or equal to 10000"]),
        ({"evaluation": {"statistics": "frozen", "timesteps": 1000}}, ["calibration x timesteps = 500000", "at most"]),
        ({"evaluation": {"alpha": float("nan")}}, ["alpha = nan", "at least 2, or inf"]),
        ({"evaluation": {"self": 1}}, ["self = 1", "must be one of timesteps"]),
        ({"benchmark": {"cnn": 1.0}}, ["benchmark.cnn = 1.0", "less than 1"]),
        (
            {"benchmark": {"lenet": 0.5}},
            ["benchmark.lenet", "'cnn', 'vgg5', 'vgg8', 'resnet8', 'resnet8_256', 'vgg16' or 'resnet18'"],
        ),
        ({"recipe": 3}, ["recipe = 3", "must be a table"]),
        ({"recipe": {"lr": -1}}, ["recipe: lr = -1", "greater than 0"]),
        ({"nets": {"net": 3}}, ["nets.net = 3", "must be a table"]),
        ({"nets": 3}, ["nets = 3", "must be a table"]),
        ({"nets": {"a\nb": NET}}, [r"nets, name = 'a\nb'", "must be at most 50 letters, digits"]),
        ({"nets": {"a" * 51: NET}}, ["nets, name = 'aaaa", "must be at most 50 letters, digits"]),
        ({"arms": {"tuned": {"epochs": 3}}}, ["arms = {'tuned'", "must be one of nets, recipe"]),
        ({"notebooks": {"fig99": []}}, ["notebook = 'fig99'", "must be one of", "method"]),
        ({"notebooks": {"method": {"a": 1}}}, ["notebooks.method = {'a': 1}", "a list of runs"]),
        ({"notebooks": {"method": []}}, ["notebooks.method = []", "a list of runs"]),
        ({"notebooks": {"method": [3]}}, ["notebooks.method, 1. = 3", "must be a table"]),
        ({"notebooks": 3}, ["notebooks = 3", "must be a table"]),
        ({"notebooks": {}}, ["notebooks = {}", "must have runs for at least one"]),
    ],
    ids=str,
)
def test_a_bad_value_beside_the_runs_likewise(folder: Path, content: dict, words: list[str]) -> None:
    message = refusal(folder, a_preset(**content))
    for word in words:
        assert word in message


def test_a_key_that_is_there_twice_is_refused(folder: Path) -> None:
    (folder / "bad.toml").write_text(a_preset() + "description = 'e'\n")
    with pytest.raises(InputError, match=r"bad.toml: must be TOML \(Cannot overwrite a value \(at line 6"):
        load_preset("bad")


def made(run: dict[str, Any], **evaluation: Any) -> Preset:
    """A preset made in Python, of any run."""
    runs = {"method": {"net": {"ours": [{**NET, **run}]}}}
    return Preset(name="bad", description="d", evaluation=evaluation, benchmark={}, notebooks=runs)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"readout": "volts"}, ["readout", "'volts'", "spikes", "potential"]),
        ({"timesteps": -2}, ["timesteps = -2", "greater than or equal to 1"]),
        ({"dynamics": {"kind": "lif", "leak": 1.5}}, ["leak = 1.5", "between 0 and 1"]),
        ({"dynamics": {"kind": "single_step", "noise": {"kind": "pink"}}}, ["noise", "'pink'", "gaussian", "uniform"]),
        ({"after": 3}, ["after = 3", "dictionary"]),
        ({"after": {**NET, "network": "vgg16"}}, ["network = cnn: must be vgg16, as in the run that this is `after`"]),
        ({"after": {**NET, "width": 0.5}}, ["width = 1.0: must be 0.5, as in"]),
        ({"after": {**NET, "recipe": {"epoch": 1}}}, ["epoch = 1: no such field"]),
        ({"dynamics": {"kind": "lif", "tau": 2}}, ["tau = 2", "leak, surrogate, v_th"]),
        ({"dynamics": {"kind": "lif", "v_th": 1e30}}, ["v_th = 1e+30", "between 1e-06 and 1000000"]),
        ({"dynamics": {"kind": "lif", "v_reset": -1e9}}, ["v_reset = -1000000000.0", "between -1000000 and 1000000"]),
        ({"dynamics": {"kind": "lif", "surrogate": {"kind": "arctan", "slope": 1e-9}}}, ["slope = 1e-09", "between"]),
        (
            {"dynamics": {"kind": "single_step", "noise": {"kind": "uniform", "high": 0.3}}},
            ["noise low and high = 0.0 and 0.3", "converted, alpha = 4.0: must be at least 6.66667"],
        ),
    ],
)
def test_a_bad_run_given_in_python_likewise(run: dict, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        made(run)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_net_that_the_evaluation_cannot_convert_is_refused_before_it_is_trained() -> None:
    run = {"dynamics": {"kind": "single_step", "noise": {"kind": "uniform", "high": 0.6}}}
    with pytest.raises(InputError, match=r"noise low and high = 0.0 and 0.6: alpha = 3.0: must be at least 3.33333"):
        made(run, alpha=3)


def test_a_good_value_passes_the_same_way(folder: Path) -> None:
    (folder / "good.toml").write_text(a_preset({"width": 0.5}))
    assert load_preset("good").runs("method")[0].spec.width == 0.5


# --- nets x arms x seeds ---------------------------------------------------------------------

OTHER = {"dataset": "cifar10", "network": "vgg16"}


def comparing(folder: Path, *entries: dict[str, Any], **content: Any) -> Preset:
    """A preset whose notebook `method` has these entries, of two nets."""
    nets = {"net": NET, "other": OTHER}
    (folder / "good.toml").write_text(a_preset(**{"nets": nets, "notebooks": {"method": list(entries)}, **content}))
    return load_preset("good")


def test_runs_are_found_by_net_arm_and_seed(folder: Path) -> None:
    p = comparing(
        folder,
        {"nets": ["other"], "arms": ["direct", "ours"], "seeds": [5, 2]},
        {"nets": ["net"], "arms": ["ours"], "seeds": [3]},
    )
    found = p.comparison("method", must=("ours",), may=("direct",))
    assert list(found) == ["other", "net"]
    assert {net: list(arms) for net, arms in found.items()} == {"other": ["ours", "direct"], "net": ["ours"]}
    assert [run.spec for run in found["other"]["ours"]] == [Spec(**OTHER, seed=seed) for seed in (5, 2)]
    direct = {"dynamics": {"kind": "lif"}, "timesteps": 10}
    assert [run.spec for run in found["other"]["direct"]] == [Spec(**OTHER, **direct, seed=seed) for seed in (5, 2)]
    assert p.runs("method") == [run for arms in found.values() for runs in arms.values() for run in runs]


def test_the_common_recipe_holds_where_a_net_does_not_say_otherwise(folder: Path) -> None:
    nets = {"net": {**NET, "recipe": {"epochs": 7}}, "other": OTHER}
    entry = {"nets": ["net", "other"], "arms": ["ours"], "seeds": [0]}
    p = comparing(folder, entry, nets=nets, recipe={"epochs": 5, "lr": 0.5})
    assert [(run.spec.recipe.epochs, run.spec.recipe.lr) for run in p.runs("method")] == [(7, 0.5), (5, 0.5)]


def test_what_a_net_sets_for_an_arm_holds_for_that_arm_of_that_net(folder: Path) -> None:
    arms = {"direct": {"lr": 0.25, "evaluate_every": 0.5}, "ours": {"lr": 0.125}}
    nets = {"net": {**NET, "arms": arms}, "other": OTHER}
    entry = {"nets": ["net", "other"], "arms": ["ours", "direct", "arctan"], "seeds": [0]}
    p = comparing(folder, entry, nets=nets, recipe={"lr": 0.5})
    found = p.comparison("method", must=("ours", "direct", "arctan"))
    recipes = {net: {a: run.spec.recipe for a, (run,) in arms.items()} for net, arms in found.items()}
    assert {a: (r.lr, r.evaluate_every) for a, r in recipes["net"].items()} == {
        "ours": (0.125, 1), "direct": (0.25, 0.5), "arctan": (0.125, 1),  # like ours, it has its rate
    }  # fmt: skip
    assert {r.lr for r in recipes["other"].values()} == {0.5}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            [{"arms": ["ours"], "seeds": [0, 1]}, {"arms": ["direct"], "seeds": [0]}],
            "notebooks.method, net net: seeds = [0, 1] (ours) and [0] (direct): must be the same",
        ),
        (
            [{"arms": ["ours"], "seeds": [0, 1]}, {"arms": ["direct"], "seeds": [1, 0]}],
            "seeds = [0, 1] (ours) and [1, 0] (direct): must be the same",
        ),
        (
            [{"arms": ["ours"], "seeds": [0]}, {"arms": ["direct", "ours"], "seeds": [1]}],
            "notebooks.method, 2., net net, arm ours: must be there once",
        ),
        (
            [{"nets": ["net", "twin"], "arms": ["ours"], "seeds": [0]}],
            "net twin: dataset, network, width, augment = ('mnist', 'cnn', 1.0, 'none'): must not be as in net net",
        ),
    ],
)
def test_what_is_no_comparison_is_refused(folder: Path, entries: list[dict[str, Any]], words: str) -> None:
    nets = {"net": NET, "twin": {**NET, "recipe": {"epochs": 3}}}
    runs = [{"nets": ["net"], **entry} for entry in entries]
    assert words in refusal(folder, a_preset(nets=nets, notebooks={"method": runs}))


@pytest.mark.parametrize("notebook", HELD_OUT)
def test_what_was_held_out_tells_nets_apart_where_tables_have_it(folder: Path, notebook: str) -> None:
    nets = {"net": NET, "chosen": {**NET, "hold_out": 5000}}
    entry = {"nets": ["net", "chosen"], "arms": ["ours"], "seeds": [0]}
    words = "net chosen: dataset, network, width, augment = ('mnist', 'cnn', 1.0, 'none'): must not be as in net net"
    assert words in refusal(folder, a_preset(nets=nets, notebooks={"method": [entry]}))
    found = comparing(folder, nets=nets, notebooks={notebook: [entry]})
    assert [*found.notebooks[notebook]] == ["net", "chosen"]


@pytest.mark.parametrize(
    ("must", "may", "words"),
    [
        (("ours", "direct"), (), "net net: has no arm direct; must have ours and direct"),
        (("ours",), (), "net net, arm = 'relu': must be one of ours"),
        (("ours",), ("direct",), "net net, arm = 'relu': must be one of ours, direct"),
    ],
)
def test_an_arm_too_few_or_too_many_is_refused(folder: Path, must: tuple, may: tuple, words: str) -> None:
    p = comparing(folder, {"nets": ["net"], "arms": ["ours", "relu"], "seeds": [0]})
    with pytest.raises(InputError) as error:
        p.comparison("method", must, may)
    assert str(error.value) == f"preset good, notebook method, {words}"


def test_a_comparison_of_one_net_refuses_more(folder: Path) -> None:
    p = comparing(folder, {"nets": ["net", "other"], "arms": ["ours"], "seeds": [0]})
    with pytest.raises(InputError, match="preset good, notebook method: nets = net, other: must be one"):
        p.comparison_of_one("method", must=("ours",))


# --- fine-tuning -----------------------------------------------------------------------------


def test_a_run_comes_after_the_one_with_its_seed(folder: Path) -> None:
    net = {"recipe": {"epochs": 3, "lr": 0.5}}
    entry = {"seeds": [2, 5], "arms": ["tuned"]}
    (folder / "tuned.toml").write_text(a_preset({**net, "arms": {"tuned": {"epochs": 1}}}, entry))
    specs = [run.spec for run in load_preset("tuned").runs("method")]
    assert [s.seed for s in specs] == [2, 5]
    assert [s.after for s in specs] == [Spec(**NET, **net, seed=seed) for seed in (2, 5)]
    assert all((s.recipe.epochs, s.recipe.lr, s.timesteps) == (1, 0.5, 4) for s in specs)


@pytest.mark.parametrize("name", preset_found.preset_names())
def test_what_a_run_comes_after_is_a_run_of_the_same_preset(name: str) -> None:
    """So that it is trained once for both and shown beside what was made of it."""
    runs = load_preset(name).all_runs()
    tuned = [run.spec for run in runs.values() if run.spec.after]
    assert tuned
    assert all(s.after.name in runs and s.after.seed == s.seed for s in tuned)


# --- bad names and the command line ----------------------------------------------------------


def test_unknown_names_are_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="preset = 'big': must be one of cpu, paper, smoke"):
        load_preset("big")
    with pytest.raises(InputError, match="'fig99'.*must be one of .*method"):
        load_preset("smoke").runs("fig99")
    with pytest.raises(InputError, match="notebook = 'fig99': must be one of .*method"):
        draw_notebook("fig99", load_preset("smoke"))


@pytest.mark.parametrize("alpha", [1.9, 0, -3])
def test_an_evaluation_gives_the_reason_against_a_small_alpha(alpha: float) -> None:
    with pytest.raises(InputError, match="alpha = .*must be at least 2, or inf"):
        load_preset("smoke").evaluation.changed(alpha=alpha)


def command(*words: str, monkeypatch: pytest.MonkeyPatch, store: Path) -> int:
    monkeypatch.setenv("SNNLIB_RUNS", str(store))
    monkeypatch.setattr(sys, "argv", ["snnlib", *words])
    try:
        cli.main()
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("train", "--preset", "big"), "preset = 'big'"),
        (("train", "nonsense"), "name = 'nonsense'"),
        (("evaluate", "fashion_mnist_mini-resnet18-w0.0625-spikes-gaussian-s0", "--alpha", "1"), "alpha = 1.0"),
        (("draw", "fig99"), "notebook = 'fig99'"),
        (("data", "svhn"), "data set = 'svhn'"),
        (("figures", "--", "--unlock"), "target = '--unlock': must be one of all, trained, beyond"),
        (("evaluate", "--lambda", "0.5"), "No such option: --lambda"),
        (("evaluate", "x", "--alpha", "four"), "'--alpha': 'four': must be a number"),
        (("evaluate", "x", "--noise-seeds", "1000000000"), "--noise-seeds = 1000000000: must be at most 1000"),
        (("practise",), "No such command 'practise'. (commands: runs, train, evaluate"),
    ],
)
def test_the_command_line_answers_bad_input_in_one_line(
    tmp_path: Path,
    words: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(*words, monkeypatch=monkeypatch, store=tmp_path / "runs") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert expected in said
    assert not (tmp_path / "runs").exists()


def test_help_names_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--help", monkeypatch=monkeypatch, store=tmp_path) == 0
    said = capsys.readouterr().out
    for name in ("train", "runs", "evaluate", "data", "draw", "figures"):
        assert name in said
