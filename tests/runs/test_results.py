"""Accuracies kept beside a run: computed once, and what the three steps of the method give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import InterruptError, stop_after

from reproduce.batch import pretrained
from reproduce.experiments.method.table import three_steps
from reproduce.runs import results
from reproduce.runs import run as runs
from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AnnConversion, AsLIF, AsTrained, Conversion
from reproduce.runs.results import accuracy, known, predictions
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.baselines.ann_neurons import IF, QCFS, ReLU
from snnlib.baselines.ann_to_snn import thresholds, to_spiking
from snnlib.checks import InputError
from snnlib.conversion import convert, ensemble, with_dynamics
from snnlib.data.sets import Dataset
from snnlib.dynamics import LIF, SingleStep
from snnlib.network import Spiking
from snnlib.noise import Gaussian, Uniform
from snnlib.store.files import DamagedError, seal, unseal, write
from snnlib.training.evaluation import accuracy_over_time, calibration_images, predict


def tiny(**changes: Any) -> Spec:
    recipe = {"epochs": 2, "batch_size": 8, "lr": 1e-2, "schedule": "constant"}
    return Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=recipe, **changes)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Any:
    """A run store of its own, whose runs train on the small set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        yield


@pytest.fixture(scope="module")
def run(store: None) -> Run:
    """A tiny finished run, whose net is not silent, or all of its accuracies were the same."""
    run = ensure(tiny())
    table = predictions(run, E).table
    assert table.accuracy.nunique() > 4
    assert table.silent.max() < 0.9
    return run


E = Conversion(timesteps=4, noise_seeds=(3, 5), batch_size=30)


def test_accuracy_is_that_of_the_converted_net_with_the_runs_columns(run: Run, small: Dataset) -> None:
    table = accuracy(run, E)
    expected = accuracy_over_time(convert(run.model(), statistics="layer"), small, 4, (3, 5), 30)
    assert table[["noise_seed", "timesteps", "accuracy"]].equals(expected)
    assert list(table.columns) == [*run.spec.columns(), "noise_seed", "timesteps", "accuracy"]
    assert set(table.run) == {run.spec.name}
    assert (table.noise == "gaussian").all()


def test_accuracy_is_computed_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = accuracy(run, E)
    monkeypatch.setattr(results, "predict", None)  # a second computation would fail
    assert accuracy(run, E).equals(first)
    with pytest.raises(TypeError):
        accuracy(run, E.changed(alpha=3.0))


def test_which_images_are_right_is_kept_bit_for_bit(run: Run, small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """90 images: the last byte of each row is not full."""
    e = E.changed(ties="random")
    expected = predict(convert(run.model(), statistics="layer"), small, 4, (3, 5), 30, ties="random")
    first = predictions(run, e)
    monkeypatch.setattr(results, "predict", None)  # from the file
    for found in (first, predictions(run, e)):
        assert torch.equal(found.right, expected.right)
        assert found.right.dtype == torch.bool
        assert found.table[list(expected.table)].equals(expected.table)
        assert list(found.table) == [*run.spec.columns(), *expected.table]
    bits = e.file(run).with_suffix(".safetensors").read_bytes()
    assert len(bits) < 2 * 4 * 12 + 400  # eight images in a byte, and the header


def test_images_may_be_seen_mirrored_too(run: Run, small: Dataset) -> None:
    snn = convert(run.model(), statistics="layer")
    plain, both = (predict(snn, small, 4, (3, 5), 30, flips=flips).right for flips in (False, True))
    assert torch.equal(predictions(run, E.changed(flips=True)).right, both)
    assert not torch.equal(plain, both)


def test_an_accuracy_trains_what_is_missing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = accuracy(run, E)
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    assert not run.done
    assert accuracy(run, E).equals(same)


def test_the_three_steps_are_t_1_the_ensemble_and_the_conversion(run: Run, small: Dataset) -> None:
    table = three_steps(run, E).set_index("step")
    alone = accuracy_over_time(run.model(), small, 1, (3, 5), 30).accuracy * 100
    many = accuracy_over_time(ensemble(run.model()), small, 4, (3, 5), 30).query("timesteps == 4").accuracy * 100
    snn = (
        accuracy_over_time(convert(run.model(), statistics="layer"), small, 4, (3, 5), 30)
        .query("timesteps == 4")
        .accuracy
        * 100
    )
    for step, expected in ((2, many), (3, snn)):
        assert table["mean"][step] == pytest.approx(expected.mean())
        assert table["std"][step] == pytest.approx(expected.std())
    assert list(table.timesteps) == [1, 4, 4]
    assert abs(table["mean"][1] - alone.mean()) < 20  # other noise in the second batch, the same net


def test_frozen_statistics_are_calibrated_on_training_images(run: Run, small: Dataset) -> None:
    e = E.changed(statistics="frozen", calibration=40)
    images = calibration_images(small, 40)
    expected = convert(run.model(), statistics="frozen", calibration=images, timesteps=4)
    assert e.network(run).first.dynamics == expected.first.dynamics


def test_a_conversion_can_have_another_noise_than_training(run: Run, small: Dataset) -> None:
    e = E.changed(noise=Uniform())
    expected = accuracy_over_time(convert(run.model(), noise=Uniform(), statistics="layer"), small, 4, (3, 5), 30)
    assert {d.noise for d in dynamics(e.network(run))} == {Uniform()}
    assert numbers(accuracy(run, e)).equals(expected)
    assert e.key != E.key


def test_at_its_mean_nothing_is_drawn(run: Run, small: Dataset) -> None:
    """Each neuron fires where current + 1/2 > 1: a LIF neuron from rest with threshold 1/2, at T = 1."""
    e = E.at_mean
    assert (e.timesteps, e.noise_seeds, e.batch_size) == (1, (0,), 30)
    by_hand = with_dynamics(run.model(), lambda _: LIF(v_th=0.5))
    assert numbers(accuracy(run, e)).equals(accuracy_over_time(by_hand, small, 1, (0,), 30))
    assert predict(e.network(run), small, 3, (0, 1)).right.unique(dim=0).shape[0] == 1  # whatever the noise seed
    assert E.changed(beta=0.4).at_mean == e  # there is no memory whose place it could say


def test_a_net_trained_with_the_constant_is_run_with_noise(store: None, small: Dataset) -> None:
    run = ensure(tiny(dynamics=SingleStep(Gaussian(low=0.5, high=0.5))))
    for alpha in (4.0, float("inf")):
        e = E.changed(alpha=alpha, noise=Gaussian())
        expected = accuracy_over_time(
            convert(run.model(), alpha, noise=Gaussian(), statistics="layer"), small, 4, (3, 5), 30
        )
        assert numbers(accuracy(run, e)).equals(expected)
    as_trained = accuracy(run, AsTrained(timesteps=1, noise_seeds=(0,)))
    assert accuracy(run, E.at_mean).accuracy.tolist() == as_trained.accuracy.tolist()


@pytest.mark.parametrize("alpha", [4.0, 2.0])
def test_a_constant_leaves_no_noise_to_put_a_potential_in_place_of(store: None, alpha: float) -> None:
    constant = Gaussian(low=0.5, high=0.5)
    with pytest.raises(
        InputError, match="noise low and high = 0.5 and 0.5: alpha = .*: must be inf with noise of no width"
    ):
        E.changed(alpha=alpha).fits(tiny(dynamics=SingleStep(constant)))
    with pytest.raises(InputError, match="alpha = .*: must be inf with noise of no width"):
        E.changed(alpha=alpha, noise=constant)


@pytest.mark.parametrize("output", ["quiet", "current"])
def test_only_of_a_net_that_spikes_the_output_can_be_another_one(small_store: None, output: str) -> None:
    match = f"output = {output}: .* has no spikes there; readout = potential"
    with pytest.raises(InputError, match=match):
        E.changed(output=output).network(Run(tiny(readout="potential")))


# --- other evaluations than step 3 -----------------------------------------------------------

SILENT = SingleStep(Gaussian(high=0.0), v_th=0.9)  # no noise
RELU, QCFS4 = ({"dynamics": d, "readout": "potential"} for d in (ReLU(), QCFS(levels=4, threshold=1.5)))


def dynamics(model: Spiking) -> list[Any]:
    return [neuron.dynamics for _, neuron in model.neurons()]


def numbers(table: Any) -> Any:
    return table[["noise_seed", "timesteps", "accuracy"]]


@pytest.mark.parametrize(
    "changes", [{}, {"dynamics": LIF(), "timesteps": 2}, {"dynamics": SILENT}, RELU, QCFS4], ids=str
)
def test_as_trained_is_the_net_itself(store: None, small: Dataset, changes: dict[str, Any]) -> None:
    run = ensure(tiny(**changes))
    e = AsTrained(timesteps=3, noise_seeds=(1,), batch_size=30)
    assert set(dynamics(e.network(run))) == {run.spec.dynamics}
    assert numbers(accuracy(run, e)).equals(accuracy_over_time(run.model(), small, 3, (1,), 30))


def test_as_lif_is_plain_lif_with_the_same_weights_and_threshold(store: None, small: Dataset) -> None:
    run = ensure(tiny(dynamics=SILENT))
    e = AsLIF(leak=0.7, timesteps=3, noise_seeds=(0,))
    assert dynamics(e.network(run)) == [LIF(leak=0.7, v_th=0.9)] * 5
    by_hand = with_dynamics(run.model(), lambda _: LIF(leak=0.7, v_th=0.9))
    assert numbers(accuracy(run, e)).equals(accuracy_over_time(by_hand, small, 3))


def test_one_step_of_lif_from_rest_is_the_net_that_was_trained_without_noise(store: None, small: Dataset) -> None:
    run = ensure(tiny(dynamics=SILENT))
    as_lif, as_trained = (accuracy(run, kind(timesteps=1, noise_seeds=(0,))) for kind in (AsLIF, AsTrained))
    assert as_lif.accuracy.tolist() == as_trained.accuracy.tolist()


@pytest.mark.parametrize(("percentile", "v_init"), [(100.0, 0.0), (99.0, 0.5)])
def test_ann_conversion_takes_its_thresholds_from_training_images(
    store: None, small: Dataset, percentile: float, v_init: float
) -> None:
    run = ensure(tiny(**RELU))
    e = AnnConversion(percentile=percentile, v_init=v_init, timesteps=20, calibration=40)
    images = calibration_images(small, 40)
    theta = thresholds(run.model(), images, percentile).values()
    assert dynamics(e.network(run)) == [IF(v_init=v_init * t, v_th=t, height=t) for t in theta]
    expected = accuracy_over_time(to_spiking(run.model(), images, percentile, v_init), small, 20)
    assert numbers(accuracy(run, e)).equals(expected)
    assert e.noise_seeds == (0,)  # nothing is drawn


def test_ann_conversion_of_a_qcfs_net_keeps_its_threshold(store: None) -> None:
    found = dynamics(AnnConversion(v_init=0.5).network(ensure(tiny(**QCFS4))))
    assert found == [IF(v_init=0.75, v_th=1.5, height=1.5)] * 4


@pytest.mark.parametrize("first_step", ["noise", "rest"])
def test_a_conversions_first_step_reaches_every_neuron(run: Run, first_step: str) -> None:
    assert {d.first_step for d in dynamics(E.changed(first_step=first_step).network(run))} == {first_step}


@pytest.mark.parametrize(
    ("evaluation", "changes", "words"),
    [
        (
            AnnConversion(),
            {},
            "dynamics = single_step: only a net trained as relu or qcfs can be converted by percentile",
        ),
        (AnnConversion(percentile=99.0), QCFS4, "percentile = 99.0: must be 100 for a qcfs net"),
        (Conversion(), RELU, "dynamics = relu: only a net trained as single_step can be converted by alpha"),
        (AsLIF(), RELU, "dynamics = relu: AsLIF takes the weights of a net trained as single_step"),
    ],
)
def test_an_evaluation_of_the_wrong_net_is_one_line(
    store: None, evaluation: Evaluation, changes: dict[str, Any], words: str
) -> None:
    run = ensure(tiny(**changes))
    with pytest.raises(InputError, match=words) as error:
        accuracy(run, evaluation)
    assert "\n" not in str(error.value)
    assert not evaluation.file(run).exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AnnConversion(percentile=0), "percentile = 0: .*greater than 0"),
        (lambda: AnnConversion(percentile=101), "percentile = 101: .*less than or equal to 100"),
        (lambda: AnnConversion(v_init=1.5), "v_init = 1.5: .*less than or equal to 1"),
        (lambda: AnnConversion(alpha=4), "alpha = 4: no such field"),
        (lambda: AsTrained(leak=0.5), "leak = 0.5: no such field"),
        (lambda: AsTrained(timesteps=10_001), "timesteps = 10001: .*less than or equal to 10000"),
        (lambda: AsLIF(leak=-1), "leak = -1: .*greater than or equal to 0"),
    ],
)
def test_bad_fields_of_other_evaluations_are_one_line(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


def test_evaluations_of_different_kinds_do_not_share_a_file(run: Run) -> None:
    common = {"timesteps": 4, "noise_seeds": (0,)}
    kinds = [AsTrained(**common), AsLIF(**common), Conversion(**common), AnnConversion(**common)]
    kinds += [AsLIF(leak=0.6, **common), AnnConversion(percentile=99.9, **common), AnnConversion(v_init=0.5, **common)]
    kinds += [Conversion(first_step="rest", **common)]
    assert len({e.file(run) for e in kinds}) == len(kinds)

    class SameFields(AsTrained):
        """Another kind with nothing of its own."""

    assert SameFields(**common).file(run) != AsTrained(**common).file(run)


# --- bad values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alpha": 1.0}, "alpha = 1.0: must be at least 2, or inf"),
        ({"leak": 2.0}, "leak = 2.0: must be a number between 0 and 1"),
        ({"statistics": "mean"}, "statistics = 'mean': .*'layer', 'sample' or 'frozen'"),
        ({"noise_seeds": (-1,)}, "noise_seeds.0 = -1: .*greater than or equal to 0"),
        ({"noise_seeds": ()}, "noise_seeds = ()"),
        ({"timesteps": 0}, "timesteps = 0: .*greater than or equal to 1"),
        ({"ties": "last"}, "ties = 'last': .*'first' or 'random'"),
        ({"noise": {"kind": "pink"}}, "noise = .*'pink'"),
        ({"noise": Uniform(0.0, 0.3)}, "alpha = 4.0: must be at least 6.66667, or inf"),
    ],
)
def test_a_bad_evaluation_is_one_line(fields: dict[str, Any], words: str) -> None:
    for make in (lambda: Conversion(**fields), lambda: E.changed(**fields)):
        with pytest.raises(InputError, match=words) as error:
            make()
        assert "\n" not in str(error.value)


def test_the_key_is_that_of_the_values() -> None:
    assert E.key == Conversion(timesteps=4, noise_seeds=[3, 5], batch_size=30, alpha=4).key
    keys = {E.key, E.changed(alpha=float("inf")).key, E.changed(alpha=5).key, E.changed(noise_seeds=(3,)).key}
    assert len(keys) == 4


# --- damaged ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".csv", ".safetensors", ".json"])
@pytest.mark.parametrize("how", ["a bit", "cut short", "empty", "missing", "of another evaluation"])
def test_a_damaged_evaluation_is_moved_aside_and_computed_anew(
    run: Run, caplog: pytest.LogCaptureFixture, ending: str, how: str
) -> None:
    alpha = {".csv": 3.0, ".safetensors": 3.2, ".json": 3.5}[ending]
    e = E.changed(alpha=alpha, beta={"a bit": 0.4, "cut short": 0.45}.get(how, 0.55))
    accuracy(run, e)
    path = e.file(run).with_suffix(ending)
    whole = [e.file(run).with_suffix(suffix).read_bytes() for suffix in (".csv", ".safetensors")]
    content = path.read_bytes()
    accuracy(run, E)
    bad = {
        "a bit": content[:9] + bytes([content[9] ^ 4]) + content[10:],
        "cut short": content[:-1],
        "empty": b"",
        "of another evaluation": E.file(run).with_suffix(ending).read_bytes(),
    }.get(how)
    path.unlink() if bad is None else path.write_bytes(bad)
    if (ending, how) == (".json", "missing"):
        assert known(run, e) is None  # then it is not done
        return
    with pytest.raises(DamagedError, match=path.name):
        known(run, e)
    accuracy(run, e)
    assert known(run, e) is not None
    assert [e.file(run).with_suffix(suffix).read_bytes() for suffix in (".csv", ".safetensors")] == whole
    assert str(path) in caplog.text
    if bad is not None:
        assert bad in [aside.read_bytes() for aside in (run.folder / "damaged").rglob(path.name)]


def test_an_evaluation_of_other_weights_is_computed_anew(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    """As when the weights were trained anew on another machine."""
    e = E.changed(alpha=2.5)
    accuracy(run, e)
    beside = e.file(run).with_suffix(".json")
    about = unseal(beside)
    write(beside, seal({**about, "weights": "0" * 64}))
    with pytest.raises(DamagedError, match="belongs to another run, evaluation or training"):
        known(run, e)
    accuracy(run, e)
    assert unseal(beside)["weights"] == about["weights"]


@pytest.mark.parametrize("published", [False, True])
def test_an_evaluation_that_waited_leaves_the_checkpoints_of_a_training_that_was_killed(
    folder: Path, tmp_path: Path, published: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process found the run damaged, moved it aside and began it anew, between its training and this lock."""
    run, seen = Run(tiny()), []
    monkeypatch.setenv("SNNLIB_PRETRAINED", str(tmp_path / "pretrained"))

    def then_damaged(*args: Any) -> None:
        seen.append(epochs_done(run.folder))
        ensure(*args)
        if len(seen) == 1:
            if published:
                pretrained.publish(run)
            (run.folder / "metadata.json").unlink()
            with monkeypatch.context() as patch:
                stop_after(1, patch)
                with pytest.raises(InterruptError):
                    ensure(*args)

    monkeypatch.setattr(results, "ensure", then_damaged)
    accuracy(run, E)
    assert seen == [0, 1]


def test_beside_an_evaluation_stands_what_it_was_made_with(run: Run) -> None:
    accuracy(run, E)
    about = unseal(E.file(run).with_suffix(".json"))
    assert about["run"] == run.spec.name
    assert about["evaluation"]["kind"] == "Conversion"
    assert about["evaluation"]["noise_seeds"] == [3, 5]
    assert {"python", "packages", "device", "system", "git", "started", "finished", "wall_seconds"} <= set(
        about["made"]
    )
