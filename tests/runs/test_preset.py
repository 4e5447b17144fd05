"""Presets and the command line: what they hold, and one-line errors before any work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from snnlib.batch.workflow import draw
from snnlib.checks import InputError
from snnlib.experiments.paper import EPOCHS
from snnlib.runs import preset
from snnlib.runs.evaluations import AnnConversion, AsLIF, AsTrained, Conversion, Evaluation
from snnlib.runs.preset import Preset, load_preset
from snnlib.runs.run import Run, Spec


@pytest.mark.parametrize("name", preset.names())
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
    monkeypatch.setattr(preset, "FOLDER", tmp_path)
    return tmp_path


def a_preset(**run: object) -> str:
    entry = {"dataset": "mnist", "network": "cnn", "seeds": [0], **run}
    content = {"description": "d", "evaluation": {}, "benchmark": {"cnn": 0.9}, "notebooks": {"method": [entry]}}
    return yaml.safe_dump(content)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"dataset": "svhn"}, ["bad.yaml", "dataset", "'svhn'", "mnist", "cifar10"]),
        ({"network": "alexnet"}, ["network", "'alexnet'", "cnn", "resnet18"]),
        ({"readout": "volts"}, ["readout", "'volts'", "spikes", "potential"]),
        ({"width": 0.001}, ["width = 0.001", "must be above"]),
        ({"width": "wide"}, ["width", "'wide'", "number"]),
        ({"timesteps": -2}, ["timesteps = -2", "greater than or equal to 1"]),
        ({"recipe": {"epochs": 0}}, ["epochs = 0", "greater than or equal to 1"]),
        ({"recipe": {"epoch": 3}}, ["epoch = 3", "not permitted"]),
        ({"recipe": {"schedule": "step"}}, ["schedule", "'step'", "one_cycle"]),
        ({"dynamics": {"kind": "lif", "leak": 1.5}}, ["leak = 1.5", "between 0 and 1"]),
        ({"dynamics": {"kind": "single_step", "noise": {"kind": "pink"}}}, ["noise", "'pink'", "gaussian", "uniform"]),
        ({"seeds": [-1]}, ["notebooks.method, 1., seed = -1", "at least 0"]),
        ({"seeds": []}, ["seeds = []", "a list of 1 to 100"]),
        ({"seeds": 3}, ["seeds = 3", "a list of 1 to 100"]),
        ({"seeds": [1, 2, 1]}, ["seeds = [1, 2, 1]", "once"]),
        ({"seeds": list(range(101))}, ["seeds = [0, 1, 2", "a list of 1 to 100"]),
        ({"seed": 3}, ["seed = 3", "left out"]),
        ({"after": {"dataset": "mnist", "network": "cnn", "seed": 3}}, ["seed = 3", "left out"]),
        ({"after": 3}, ["after = 3", "dictionary"]),
        ({"width": True}, ["width = True", "not be true or false"]),
        ({"width": 17}, ["width = 17", "at most 16"]),
        ({"dataset": "cifar10"}, ["network = cnn", "vgg16 or resnet18 for cifar10"]),
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
def test_a_bad_value_is_one_line_naming_it_and_what_is_allowed(folder: Path, run: dict, words: list[str]) -> None:
    (folder / "bad.yaml").write_text(a_preset(**run))
    with pytest.raises(InputError) as error:
        load_preset("bad")
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"name": "other"}, ["name = 'other'", "must be one of definitions, description"]),
        ({"evaluation": {"noise_seeds": [0, 0]}}, ["noise_seeds = (0, 0)", "once"]),
        ({"evaluation": {"noise_seeds": list(range(1001))}}, ["noise_seeds = [0, 1", "at most 1000 items"]),
        ({"evaluation": {"noise_seeds": [2**63]}}, ["noise_seeds.0 = 9223372036854775808", "less than"]),
        ({"evaluation": {"batch_size": 10**9}}, ["batch_size = 1000000000", "less than or equal to 4096"]),
        ({"evaluation": {"calibration": 10**9}}, ["calibration = 1000000000", "less than or equal to 10000"]),
        ({"evaluation": {"statistics": "frozen", "timesteps": 1000}}, ["calibration x timesteps = 500000", "at most"]),
        ({"evaluation": {"alpha": float("nan")}}, ["alpha = nan", "at least 2, or inf"]),
        ({"benchmark": {"cnn": 1.0}}, ["benchmark.cnn = 1.0", "less than 1"]),
        ({"benchmark": {"lenet": 0.5}}, ["benchmark.lenet", "'cnn', 'vgg16' or 'resnet18'"]),
        ({"notebooks": {"fig99": []}}, ["notebook = 'fig99'", "must be one of", "method"]),
        ({"notebooks": {"method": {"a": 1}}}, ["notebooks.method = {'a': 1}", "a list of runs"]),
        ({"notebooks": {"method": [3]}}, ["notebooks.method, 1. = 3", "a run's fields"]),
        ({"notebooks": 3}, ["notebooks = 3", "must map each notebook"]),
    ],
    ids=str,
)
def test_a_bad_value_beside_the_runs_likewise(folder: Path, content: dict, words: list[str]) -> None:
    (folder / "bad.yaml").write_text(yaml.safe_dump({**yaml.safe_load(a_preset()), **content}))
    with pytest.raises(InputError) as error:
        load_preset("bad")
    message = str(error.value)
    assert message.startswith("bad.yaml: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_net_that_the_evaluation_cannot_convert_is_refused_before_it_is_trained(folder: Path) -> None:
    text = a_preset(dynamics={"kind": "single_step", "noise": {"kind": "uniform", "high": 0.6}})
    (folder / "bad.yaml").write_text(text.replace("evaluation: {}", "evaluation: {alpha: 3}"))
    with pytest.raises(InputError, match=r"noise low and high = 0.0 and 0.6: alpha = 3.0: must be at least 3.33333"):
        load_preset("bad")


def test_a_good_value_passes_the_same_way(folder: Path) -> None:
    (folder / "good.yaml").write_text(a_preset(width=0.5))
    assert load_preset("good").runs("method")[0].spec.width == 0.5


# --- how each run is evaluated ---------------------------------------------------------------


def evaluations(**fields: object) -> list[Evaluation]:
    p = Preset(
        name="p", description="d", benchmark={}, notebooks={}, ann_timesteps=128, qcfs_timesteps=32,
        evaluation={"alpha": 3.0, "timesteps": 6, "noise_seeds": [4, 5], "batch_size": 20, "calibration": 30},
    )  # fmt: skip
    return p.evaluations(Run(Spec(dataset="mnist", network="cnn", **fields)))


ONCE = {"noise_seeds": (0,), "batch_size": 20, "calibration": 30}  # where no noise is drawn


def test_a_single_step_net_is_converted_as_the_preset_says() -> None:
    expected = Conversion(alpha=3.0, timesteps=6, noise_seeds=(4, 5), batch_size=20, calibration=30)
    assert evaluations() == evaluations(readout="potential") == [expected]


def test_a_net_trained_without_noise_is_run_as_trained_and_as_lif() -> None:
    silent = {"kind": "single_step", "noise": {"kind": "gaussian", "high": 0}}
    assert evaluations(dynamics=silent) == [AsTrained(timesteps=1, **ONCE), AsLIF(timesteps=6, **ONCE)]


def test_a_directly_trained_net_is_run_as_trained_for_as_long_as_ours() -> None:
    direct = {"dynamics": {"kind": "lif"}, "timesteps": 4}
    assert evaluations(**direct) == [AsTrained(timesteps=6, **ONCE)]
    assert evaluations(**direct, after={"dataset": "mnist", "network": "cnn"}) == [AsTrained(timesteps=6, **ONCE)]


def test_a_relu_net_is_run_as_an_ann_and_converted_in_five_ways() -> None:
    ann, *converted = evaluations(dynamics={"kind": "relu"}, readout="potential")
    assert ann == AsTrained(timesteps=1, **ONCE)
    assert all(type(e) is AnnConversion and e.timesteps == 128 for e in converted)
    assert [(e.percentile, e.v_init) for e in converted] == [(100, 0), (100, 0.5), (99.9, 0), (99.9, 0.5), (99, 0.5)]
    assert {(e.noise_seeds, e.batch_size, e.calibration) for e in converted} == {((0,), 20, 30)}


def test_a_qcfs_net_is_run_as_an_ann_and_converted_from_half_a_threshold() -> None:
    assert evaluations(dynamics={"kind": "qcfs"}, readout="potential") == [
        AsTrained(timesteps=1, **ONCE),
        AnnConversion(v_init=0.5, timesteps=32, **ONCE),
    ]


@pytest.mark.parametrize("name", preset.names())
def test_every_run_of_a_preset_has_its_evaluations(name: str) -> None:
    p = load_preset(name)
    for run in p.all_runs().values():
        found = p.evaluations(run)
        assert len({e.key for e in found}) == len(found) > 0


# --- fine-tuning -----------------------------------------------------------------------------


def test_a_run_comes_after_the_one_with_its_seed(folder: Path) -> None:
    first = {"dataset": "mnist", "network": "cnn", "recipe": {"epochs": 3}}
    (folder / "tuned.yaml").write_text(
        a_preset(seeds=[2, 5], dynamics={"kind": "lif"}, timesteps=4, recipe={"epochs": 1}, after=first)
    )
    specs = [run.spec for run in load_preset("tuned").runs("method")]
    assert [s.seed for s in specs] == [2, 5]
    assert [s.after for s in specs] == [Spec(**first, seed=seed) for seed in (2, 5)]
    assert all(s.recipe.epochs == 1 and s.timesteps == 4 for s in specs)


@pytest.mark.parametrize("name", preset.names())
def test_what_a_run_comes_after_is_a_run_of_the_same_preset(name: str) -> None:
    """So that it is trained once for both and shown beside what was made of it."""
    runs = load_preset(name).all_runs()
    tuned = [run.spec for run in runs.values() if run.spec.after]
    assert tuned
    assert all(s.after.name in runs and s.after.seed == s.seed for s in tuned)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"network": "vgg16"}, "bad.yaml: .*network = cnn: must be vgg16, as in the run that this is `after`"),
        ({"width": 0.5}, "bad.yaml: .*width = 1.0: must be 0.5, as in"),
        ({"recipe": {"epoch": 1}}, "bad.yaml: .*epoch = 1: Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_a_run_after_one_that_it_cannot_come_after_is_one_line(folder: Path, after: dict, words: str) -> None:
    (folder / "bad.yaml").write_text(a_preset(after={"dataset": "mnist", "network": "cnn", **after}))
    with pytest.raises(InputError, match=words) as error:
        load_preset("bad")
    assert "\n" not in str(error.value)


# --- bad names and the command line ----------------------------------------------------------


def test_unknown_names_are_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="preset = 'big': must be one of cpu, paper, smoke"):
        load_preset("big")
    with pytest.raises(InputError, match="'fig99'.*must be one of .*method"):
        load_preset("smoke").runs("fig99")
    with pytest.raises(InputError, match="notebook = 'fig99': must be one of .*method"):
        draw("fig99", load_preset("smoke"))


@pytest.mark.parametrize("alpha", [1.9, 0, -3])
def test_an_evaluation_gives_the_reason_against_a_small_alpha(alpha: float) -> None:
    with pytest.raises(InputError, match="alpha = .*must be at least 2, or inf"):
        load_preset("smoke").evaluation.changed(alpha=alpha)


def command(*words: str, store: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "SNNLIB_RUNS": str(store)}
    return subprocess.run([sys.executable, "-m", "snnlib", *words], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("train", "--preset", "big"), "preset = 'big'"),
        (("train", "nonsense"), "name = 'nonsense'"),
        (("evaluate", "fashion_mnist_mini-vgg16-w0.0625-spikes-gaussian-s0", "--alpha", "1"), "alpha = 1.0"),
        (("draw", "fig99"), "notebook = 'fig99'"),
        (("data", "svhn"), "data set = 'svhn'"),
        (("figures", "--", "--unlock"), "target = '--unlock': must be one of all, trained, beyond"),
        (("evaluate", "--lambda", "0.5"), "No such option: --lambda"),
        (("evaluate", "x", "--alpha", "four"), "'--alpha': 'four': must be a number"),
        (("evaluate", "x", "--noise-seeds", "1000000000"), "--noise-seeds = 1000000000: must be at most 1000"),
        (("practise",), "No such command 'practise'. (commands: runs, train, evaluate"),
    ],
)
def test_the_command_line_answers_bad_input_in_one_line(tmp_path: Path, words: tuple[str, ...], expected: str) -> None:
    done = command(*words, store=tmp_path / "runs")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr
    assert not (tmp_path / "runs").exists()


def test_help_names_the_commands(tmp_path: Path) -> None:
    done = command("--help", store=tmp_path)
    assert done.returncode == 0
    for name in ("train", "runs", "evaluate", "data", "draw", "figures"):
        assert name in done.stdout
