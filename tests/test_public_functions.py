"""Whatever number or name a public function is given that it cannot use, it says so in a line that names it."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from reproduce.experiments.beyond.anytime import outputs_over_time
from reproduce.experiments.beyond.robustness import noisy
from reproduce.experiments.eq6_terms import record
from reproduce.runs.evaluations import AnnConversion, AsLIF, Conversion, Phased
from reproduce.runs.spec import Spec
from snnlib.baselines.ann_neurons import IF, QCFS, ReLU
from snnlib.baselines.ann_to_snn import to_spiking
from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.checks import InputError, one_of
from snnlib.conversion import convert, convert_exact, freeze
from snnlib.data.batches import batches
from snnlib.data.checksums import DataError
from snnlib.data.moving_bars import moving_bars
from snnlib.data.sets import Dataset, Split, load_dataset
from snnlib.deploy.folding import clamped, fold
from snnlib.deploy.nir_export import to_nir
from snnlib.deploy.operations import count
from snnlib.dynamics import LIF, Converted, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.fast.process import autocast, threads, usable
from snnlib.models import build
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.own.evaluate import evaluate
from snnlib.own.fit import fit
from snnlib.own.network_file import load, save
from snnlib.replace_activations import spiking
from snnlib.simulation import Simulation, simulate
from snnlib.store.files import StoreError
from snnlib.surrogate import Arctan, Density, Rectangle, Sigmoid, Triangle
from snnlib.training.evaluation import accuracy_over_time, calibration_images
from snnlib.training.failures import TrainingError
from snnlib.training.recipe import Recipe
from snnlib.training.seeds import stream

LONGEST = 1000  # characters of an answer

numbers = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, -1, 0, 1, 1.5, -0.0, 1e-320, 1e300, 10**9, 2**31, 2**63, 2**70]),
    st.floats(allow_subnormal=False), st.integers(),
)  # fmt: skip
others = st.sampled_from(
    [None, True, "", "x", "1", "±\n\0", b"1", [], [1], (), {}, 1j, "cuda:77", "meta", "a" * 10_000]
)
values = numbers | others
lists = st.lists(values, max_size=3) | values


def nets() -> dict[str, Any]:
    torch.manual_seed(0)
    single, relu = (
        build("cnn", dynamics, width=1 / 16, readout="potential").eval() for dynamics in (SingleStep(), ReLU())
    )
    images = torch.randn(2, *single.input_shape)
    plain = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    return {
        "single": single, "relu": relu, "images": images, "converted": convert(single),
        "frozen": convert(single, statistics="frozen", calibration=images),
        "plain": plain, "own": convert(spiking(plain)), "inputs": torch.randn(2, 3), "labels": torch.tensor([0, 1]),
    }  # fmt: skip


NETS = nets()
RELU = nn.Sequential(nn.Linear(3, 3), nn.ReLU())


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def bad_values(argument: str) -> st.SearchStrategy:
    """What an argument of this name may be given; some of it can be used."""
    return lists if argument in ("noise_seeds", "shape") else values


def run(steps: Any) -> Any:
    return list(steps)


def fitted(epochs: Any = 1, timesteps: Any = 1, **given: Any) -> Any:
    net = copy.deepcopy(NETS["own"])
    if isinstance(epochs, int):
        epochs = min(epochs, 3)
    return fit(net, epochs=epochs, timesteps=_small(timesteps), **{"data": (NETS["inputs"], NETS["labels"]), **given})


def evaluated(timesteps: Any = 1, **given: Any) -> Any:
    data = NETS["inputs"], NETS["labels"]
    return evaluate(NETS["own"], timesteps=_small(timesteps), **{"data": data, **given})


def calls(data: Dataset) -> dict[str, tuple[Callable[..., Any], tuple[str, ...]]]:
    """Public functions with everything else in place, and the arguments that are numbers, names or lists of them."""
    n = NETS
    few = Dataset(
        data.name, data.train, Split(data.test.images[:3], data.test.labels[:3]), data.mean, data.std, data.classes
    )
    return {
        "Gaussian": (Gaussian, ("low", "high", "k")),
        "MaxNormalised": (MaxNormalised, ("low", "high")),
        "Uniform": (Uniform, ("low", "high")),
        "LIF": (LIF, ("leak", "v_th", "v_reset")),
        "SingleStep": (SingleStep, ("v_th",)),
        "Converted": (Converted, ("alpha", "beta", "leak", "first_step", "v_th")),
        "ExactMemory": (ExactMemory, ("noise", "spread", "v_th")),
        "LowDiscrepancy": (LowDiscrepancy, ("noise", "v_th")),
        "IF": (IF, ("v_init", "v_th", "height")),
        "QCFS": (QCFS, ("levels", "threshold")),
        "Triangle": (Triangle, ("width",)),
        "Rectangle": (Rectangle, ("width",)),
        "Arctan": (Arctan, ("slope",)),
        "Sigmoid": (Sigmoid, ("slope",)),
        "Density": (Density, ("sigma", "mean")),
        "build": (partial(build, "cnn", SingleStep()), ("width", "readout")),
        "build by name": (lambda network: build(network, SingleStep(), width=1 / 64), ("network",)),
        "Simulation": (partial(Simulation, generator()), ("timesteps",)),
        "simulate": (
            lambda timesteps=1, precision="float32": next(
                simulate(n["single"], n["images"], generator(), timesteps, precision)
            ),
            ("timesteps", "precision"),
        ),
        "convert": (
            partial(convert, n["single"], calibration=n["images"]),
            ("alpha", "beta", "leak", "statistics", "seed", "first_step"),
        ),
        "convert_exact": (partial(convert_exact, n["single"]), ("noise", "spread")),
        "spiking": (
            lambda model=RELU, **more: spiking(model, **more).train()(torch.ones(1, 3)),
            ("model", "noise", "surrogate", "v_th", "replace", "example", "quiet"),
        ),
        "a net's pass": (
            lambda x=n["images"], **more: n["single"](x, **more), ("x", "generator", "simulation"),
        ),
        "a net's pass at T": (lambda timesteps: n["single"](n["images"], timesteps=_small(timesteps)), ("timesteps",)),
        "seed": (copy.deepcopy(n["single"]).seed, ("seed",)),
        "to_spiking": (partial(to_spiking, n["relu"], n["images"]), ("percentile", "v_init")),
        "load_dataset": (
            lambda name="fashion_mnist_mini", **more: load_dataset(name, download=False, **more),
            ("name", "device", "shape", "hold_out"),
        ),
        "batches": (lambda batch_size: run(batches(few.test, batch_size)), ("batch_size",)),
        "accuracy_over_time": (
            partial(accuracy_over_time, n["single"], few, timesteps=1),
            ("noise_seeds", "batch_size", "precision"),
        ),
        "accuracy_over_time at T": (
            lambda timesteps: accuracy_over_time(n["single"], few, _small(timesteps)),
            ("timesteps",),
        ),
        "calibration_images": (lambda n=1, seed=0: calibration_images(few, n, seed), ("n", "seed")),
        "stream": (
            lambda seed=0, purpose="noise", **more: stream(seed, purpose, **more),
            ("seed", "purpose", "index", "device"),
        ),
        "usable": (usable, ("device",)),
        "threads": (lambda n: ExitStack().enter_context(threads(n)), ("n",)),
        "autocast": (partial(autocast, torch.device("cpu")), ("precision",)),
        "count": (
            partial(count, n["converted"], few, timesteps=1), ("noise_seed", "batch_size", "precision"),
        ),
        "outputs_over_time": (
            partial(outputs_over_time, n["converted"], few, timesteps=1), ("noise_seed", "batch_size", "precision"),
        ),
        "noisy": (lambda deviation=0.0, seed=0: noisy(few, deviation, seed), ("deviation", "seed")),
        "record": (
            lambda timesteps: record(n["converted"], n["images"], generator(), _small(timesteps)), ("timesteps",),
        ),
        "clamped": (
            lambda timesteps: clamped(n["frozen"], n["images"], generator(), _small(timesteps)), ("timesteps",),
        ),
        "to_nir": (lambda dt: to_nir(fold(n["frozen"]), dt), ("dt",)),
        "fit": (fitted, ("data", "epochs", "loss", "optimizer", "lr", "batch_size", "timesteps")),
        "evaluate": (evaluated, ("data", "timesteps", "noise_seeds", "batch_size")),
        "load": (lambda path="net", model=n["plain"]: load(path, model), ("path", "model")),
        "save": (lambda net: save(net, "net"), ("net",)),
        "moving_bars": (
            lambda n=1, timesteps=1, **given: moving_bars(_small(n), _small(timesteps), **given),
            ("n", "timesteps", "size", "noise", "seed"),
        ),
        "Recipe": (Recipe, tuple(Recipe.model_fields)),
        "Spec": (
            partial(Spec, dataset="mnist", network="cnn"),
            ("dataset", "network", "width", "readout", "batch_norm", "seed", "hold_out", "timesteps", "dynamics"),
        ),
        "Conversion": (Conversion, tuple(Conversion.model_fields)),
        "Phased": (Phased, tuple(Phased.model_fields)),
        "AnnConversion": (AnnConversion, tuple(AnnConversion.model_fields)),
        "AsLIF": (AsLIF, tuple(AsLIF.model_fields)),
    }  # fmt: skip


def _small(timesteps: Any) -> Any:
    """What could be computed would take long: a few steps stand for all that are not refused."""
    return min(timesteps, 3) if isinstance(timesteps, int) and 3 < timesteps <= 10_000 else timesteps


def answer(call: Callable[..., Any], **bad: Any) -> str | None:
    """What is wrong with the answer to a bad value; None if it is used after all, or refused in one line."""
    try:
        call(**bad)
    except (InputError, DataError, StoreError, TrainingError) as error:
        text = str(error)
        if "\n" in text or len(text) > LONGEST:
            return f"{bad}: not one line of at most {LONGEST} characters: {text[:LONGEST]}"
    except Exception as error:
        return f"{bad}: {type(error).__name__}: {error}"
    return None


def every(small: Dataset) -> list[tuple[str, Callable[..., Any], str]]:
    found = calls(small)
    return [(name, call, argument) for name, (call, arguments) in found.items() for argument in arguments]


def test_every_bad_value_is_answered_in_a_line(small: Dataset) -> None:
    wrong = {}
    for name, call, argument in every(small):
        if complaint := first_complaint(call, argument):
            wrong[name, argument] = complaint
    assert not wrong, "\n".join(f"{where}: {complaint}" for where, complaint in wrong.items())


def first_complaint(call: Callable[..., Any], argument: str) -> str | None:
    found: list[str] = []

    @settings(max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(bad_values(argument))
    def each(value: Any) -> None:
        if complaint := answer(call, **{argument: value}):
            found.append(complaint)

    each()
    return found[0] if found else None


def test_images_that_are_none_are_refused(small: Dataset) -> None:
    net, sim = NETS["single"], Simulation(generator())
    empty = Split(small.test.images[:0], small.test.labels[:0])
    nothing = Dataset(small.name, small.train, empty, small.mean, small.std, small.classes)
    for bad in (math.nan, math.inf):
        images = NETS["images"].clone()
        images[0, 0, 3, 4] = bad
        with pytest.raises(InputError, match="input: must be finite"):
            net(images, simulation=sim)
    with pytest.raises(InputError, match="must have a batch, and at least one value in it"):
        net(NETS["images"][:0], simulation=sim)
    with pytest.raises(InputError, match="as the weights"):
        net(small.test.images[:2].double(), simulation=sim)
    for measure in (accuracy_over_time, outputs_over_time, count):
        with pytest.raises(InputError, match="number of images = 0: must be a whole number of at least 1"):
            measure(net, nothing, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda n: n["single"]([0.5]), "input = [0.5]: must be a tensor"),
        (lambda n: n["single"](), "input = None: must be a tensor"),
        (lambda n: n["single"](n["images"], simulation=7), "simulation = 7: must be a Simulation"),
        (lambda n: n["single"](n["images"].double()), "input of torch.float64: must be of torch.float32, as the"),
        (
            lambda n: copy.deepcopy(n["single"]).to("meta")(n["images"].to("meta"), generator=generator()),
            "generator on cpu: must be on meta",
        ),
        (lambda n: Neuron(LIF), "dynamics = <class"),
        (lambda n: Neuron("LIF"), "dynamics = 'LIF': must be a value with a step"),
        (lambda n: Spiking("net"), "model = 'net': must be a torch.nn.Module"),
        (lambda n: Converted(statistics="sample"), "statistics = 'sample': must be such as Layer()"),
        (lambda n: convert(n["single"], noise=0), "noise = 0: must be such as Gaussian()"),
        (
            lambda n: freeze(convert(n["single"], statistics="frozen", calibration=n["images"]), n["images"]),
            "hold already",
        ),
        (
            lambda n: build("cnn", SingleStep(), input_shape=(0, 28, 28)),
            "input_shape, a size = 0: must be a whole number",
        ),
        (lambda n: build("cnn", SingleStep(), input_shape=(1, "a", 28)), "input_shape, a size = 'a': must be a whole"),
        (lambda n: build("cnn", SingleStep(), norm_start=(1,)), "norm_start = (1,): must be a gain and a bias"),
        (lambda n: Simulation(7), "generator = 7: must be a torch.Generator"),
        (lambda n: build("cnn", SingleStep(), classes=10**10), "classes = 10000000000: must be at most"),
        (lambda n: build("cnn", None), "dynamics = None: must be a value with a step"),
        (lambda n: accuracy_over_time(n["single"], n["data"], 1, range(10**12)), "number of noise seeds = 1001"),
    ],
)
def test_objects_of_another_kind_are_refused(call: Callable, words: str, small: Dataset) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        call({**NETS, "data": small})


def test_of_many_choices_an_error_names_the_nearest() -> None:
    many = [f"run-{i}" for i in range(100)]
    with pytest.raises(InputError) as error:
        one_of("run", "rum-57", many)
    assert str(error.value).startswith("run = 'rum-57': must be one of 100; nearest are run-57, ")
    assert str(error.value).count("run-") == 3
    one_of("run", "run-99", many)
