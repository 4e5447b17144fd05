"""Activations are found where a model calls them: as many neurons as ReLUs that PyTorch computes, in their order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as vision
from conftest import generator
from relus import relus
from torch import Tensor, nn

from snnlib.activations import ACTIVATIONS
from snnlib.checks import InputError
from snnlib.replace_activations import spiking
from snnlib.simulation import Simulation

SHARED = nn.ReLU()


class Code(nn.Module):
    """A module of one linear layer, those of these activations that the code names, and this code."""

    def __init__(self, code: Callable[[Code, Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.code = nn.Linear(5, 5), code
        for name, module in (("act", nn.ReLU(inplace=True)), ("act6", nn.ReLU6())):
            if name in code.__code__.co_names:
                self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.code(self, x)


def loops(net: Code, x: Tensor) -> Tensor:
    for _ in range(3):
        x = net.act(net.linear(x))
    return net.act6(F.relu(x - 0.5, inplace=True))


def depends_on_its_input(net: Code, x: Tensor) -> Tensor:
    for _ in range(2 if x.sum() > 0 else 1):
        x = F.relu(net.linear(x))
    return x


CODE: dict[str, Callable[[Code, Tensor], Tensor]] = {
    "module": lambda net, x: net.act(net.linear(x)),
    "three times in a loop": loops,
    "functions": lambda net, x: F.relu6(torch.relu(F.relu(net.linear(x)) - 0.1) + 0.1),
    "functions in place": lambda net, x: torch.relu_(F.relu_(net.linear(x)) + 1),
    "methods": lambda net, x: net.linear(x).relu() + net.linear(x * 2).relu_(),
    "by name": lambda net, x: torch.relu(input=F.relu(input=net.linear(x), inplace=True)),
    "modules and functions": lambda net, x: net.act6(F.relu(net.act(net.linear(x)))),
    "behind other code": lambda net, x: functools.reduce(lambda y, f: f(y), [net.linear, F.relu, net.act], x),
}


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_each_relu_of_ones_own_code_is_a_layer_of_neurons(code: Callable[[Code, Tensor], Tensor]) -> None:
    model, x = Code(code), torch.ones(2, 5)
    assert_found(model, spiking(model), x)
    assert_found(model, spiking(model, example=x), x)


def assert_found(model: nn.Module, net: nn.Module, x: Tensor, *more: Any) -> None:
    """As many neurons as the model computes ReLUs, named in the order in which they are called; and no ReLU left."""
    called: list[nn.Module] = []
    with torch.no_grad():
        net.eval()(x, *more, simulation=Simulation(generator(), 1, lambda neuron, *_: called.append(neuron)))
    assert [neuron for _, neuron in net.neurons()] == called
    assert len(called) == len({name for name, _ in net.neurons()}) == relus(model, x, *more)
    assert not any(isinstance(module, nn.ReLU | nn.ReLU6) for module in net.modules())


MODELS: dict[str, Callable[[], nn.Module]] = {
    "itself": nn.ReLU,
    "the same twice in a row": lambda: nn.Sequential(nn.Linear(5, 5), SHARED, nn.Linear(5, 5), SHARED),
    "the same in two places": lambda: nn.Sequential(
        nn.Sequential(nn.Linear(5, 5), SHARED), nn.Sequential(nn.Sequential(nn.Linear(5, 5)), nn.Sequential(SHARED))
    ),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(5, 5), nn.ReLU()), nn.ReLU6()), nn.ReLU()),
    "a block twice": lambda: nn.Sequential(*[nn.Sequential(nn.Linear(5, 5), nn.ReLU())] * 2),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_each_call_of_a_module_is_a_layer_of_neurons(make: Callable[[], nn.Module]) -> None:
    model, x = make(), torch.ones(2, 5)
    assert_found(model, spiking(model), x)
    assert_found(model, spiking(model, example=x), x)


SHAPE = (2, 3, 224, 224)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18", {}), ("vgg16_bn", {}), ("mobilenet_v2", {}), ("squeezenet1_1", {}), ("densenet121", {}),
        ("shufflenet_v2_x0_5", {}), ("mnasnet0_5", {}), ("googlenet", {"init_weights": False, "aux_logits": False}),
    ],
)  # fmt: skip
def test_torchvisions_nets_have_as_many_neurons_as_relus(name: str, options: dict[str, Any]) -> None:
    """GoogLeNet calls them as functions, ResNet each one twice; nothing is computed, on the device "meta"."""
    with torch.device("meta"):
        model, x = getattr(vision, name)(**options), torch.ones(SHAPE)
    modules = {type(m) for m in model.modules()}
    assert len(list(spiking(model).neurons())) == relus(model, x) > 10
    assert (name == "googlenet") == (not modules & {nn.ReLU, nn.ReLU6})


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", nn.ReLU()], ids=["function", "module"])
def test_a_transformers_mlp_fires(activation: Any, norm_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation=activation, norm_first=norm_first)
    model, x = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), torch.randn(2, 4, 8, generator=generator())
    net = spiking(model, example=x).eval()
    called: list[nn.Module] = []
    with torch.no_grad():  # here PyTorch would take its fused kernel, ReLU and all
        net(x, simulation=Simulation(generator(), 3, lambda neuron, t, *_: called.append((neuron, t))))
        alone = net(x)
    torch.testing.assert_close(alone, net(x))  # with gradients there is none
    assert not torch.allclose(alone, model.eval()(x))
    assert called == [(neuron, t) for _, neuron in net.neurons() for t in (1, 2, 3)]
    assert len(called) == 3 * 3
    with pytest.raises(
        InputError, match=r"its code cannot be followed without an input .*pass one: spiking\(model, ex"
    ):
        spiking(model)


def test_code_that_depends_on_its_input_needs_an_example() -> None:
    model = Code(depends_on_its_input)
    with pytest.raises(InputError, match=r"^model = Code: its code cannot be followed without an input"):
        spiking(model)
    assert_found(model, spiking(model, example=torch.ones(2, 5)), torch.ones(2, 5))
    net = spiking(model, example=-torch.ones(2, 5))
    with pytest.raises(InputError, match=r"calls an activation more often than the 1 times it has neurons for"):
        net(torch.ones(2, 5))


def test_the_calls_are_those_of_evaluation_and_the_model_keeps_its_modes_and_buffers() -> None:
    model = Code(lambda net, x: net.act6(net.act(x)) if net.training else net.act(x)).train()
    model.add_module("norm", nn.BatchNorm1d(5))
    model.act.eval()
    for example in (None, torch.ones(2, 5)):
        net = spiking(model, example=example)
        assert [name for name, _ in net.neurons()] == ["act", "act6"]
        assert (model.training, model.act.training, model.linear.training) == (True, False, True)
        assert model.norm.num_batches_tracked == 0


def test_calls_of_training_alone_are_refused() -> None:
    for code in (
        lambda net, x: F.relu(net.act(x)) if net.training else net.act(x),
        lambda net, x: net.act(net.act(x)) if net.training else net.act(x),
    ):
        for example in (None, torch.ones(2, 5)):
            with pytest.raises(InputError, match=r"is called . times in training and . in evaluation; give each call"):
                spiking(Code(code), example=example)
    with torch.device("meta"), pytest.raises(InputError, match=r"^relu: is called 61 times in training and 57 in"):
        spiking(vision.googlenet(init_weights=False))


def test_activations_that_training_leaves_out_are_neurons() -> None:
    model = Code(lambda net, x: x if net.training else F.relu(net.linear(x)))
    assert [name for name, _ in spiking(model, example=torch.ones(2, 5)).neurons()] == ["relu"]


def test_inputs_that_may_be_left_out_are() -> None:
    class Masked(nn.Module):
        def forward(self, x: Tensor, mask: Tensor | None = None, twice: bool = False) -> Tensor:
            x = torch.relu(x if mask is None else torch.relu(x * mask))
            return torch.relu(x) if twice else x

    net = spiking(Masked())
    assert [name for name, _ in net.neurons()] == ["relu"]
    with pytest.raises(InputError, match=r"calls an activation more often than the 1 times it has neurons for"):
        net(torch.ones(2, 5), mask=torch.ones(2, 5))


def test_a_module_that_is_not_called_comes_last() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.spare, self.used = nn.ReLU(), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.used(x))

    for example in (None, torch.ones(1, 2)):
        assert [name for name, _ in spiking(Spare(), example=example).neurons()] == ["used", "relu", "spare"]


# --- in place --------------------------------------------------------------------------------

IN_PLACE: dict[str, Callable[[Code, Tensor], Tensor]] = {
    "result unused": lambda net, x: _written(net.linear(x), lambda y: y.relu_()),
    "module's result unused": lambda net, x: _written(net.linear(x), net.act),
    "function's result unused": lambda net, x: _written(net.linear(x), lambda y: F.relu(y, inplace=True)),
    "and without a name": lambda net, x: _written(net.linear(x), lambda y: F.relu(y, True)),
    "skip from what was written into": lambda net, x: _skip(net.linear(x), net.act),
}


def _written(y: Tensor, write: Callable[[Tensor], Tensor]) -> Tensor:
    write(y)
    return y * 2


def _skip(y: Tensor, write: Callable[[Tensor], Tensor]) -> Tensor:
    return write(y) * 3 + y


@pytest.mark.parametrize("code", IN_PLACE.values(), ids=IN_PLACE.keys())
def test_what_a_relu_wrote_into_must_not_be_used_again(code: Callable[[Code, Tensor], Tensor]) -> None:
    """Neurons write nothing: what was max(x, 0) there would be x."""
    model = Code(code)
    for example in (None, torch.linspace(-1, 1, 20).reshape(4, 5)):
        with pytest.raises(InputError, match=r"called in place: what it wrote into must not be used") as error:
            spiking(model, example=example)
        assert "\n" not in str(error.value)


def test_a_one_that_is_no_flag_is_not_taken_for_one_that_writes() -> None:
    model = Code(lambda net, x: (h := net.linear(x)) + F.celu(h, 1.0))
    assert len(list(spiking(model, replace=(nn.CELU,)).neurons())) == 1


def test_a_model_with_chance_in_it_is_not_taken_for_one_that_writes() -> None:
    model = Code(lambda net, x: net.act(net.linear(x) + torch.randn_like(x)))
    before = torch.get_rng_state()
    assert len(list(spiking(model, example=torch.ones(2, 5)).neurons())) == 1
    assert torch.equal(torch.get_rng_state(), before)


# --- refused ---------------------------------------------------------------------------------

OTHERS = [kind for kind in ACTIVATIONS if kind not in (nn.ReLU, nn.ReLU6)]


@pytest.mark.parametrize("example", [None, torch.ones(2, 5)], ids=["by its code", "by an example"])
@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.__name__)
def test_another_activation_is_refused_by_its_place_or_taken_if_asked_for(kind: Any, example: Tensor | None) -> None:
    other = kind(*(0.1, 0.0) if kind is nn.Threshold else ())
    model = nn.Sequential(nn.Linear(5, 5), nn.Sequential(other, nn.ReLU()))
    with pytest.raises(InputError) as error:
        spiking(model, example=example)
    assert str(error.value).startswith(f"1.0 = {kind.__name__}: must be one of ReLU, ReLU6; put one in its place")
    assert str(error.value).endswith(f"spiking(model, replace=(nn.ReLU, nn.ReLU6, nn.{kind.__name__}))")
    with pytest.raises(InputError, match=rf"^1.1 = ReLU: must be one of {kind.__name__}; "):
        spiking(model, example=example, replace=(kind,))
    net = spiking(model, example=example, replace=(nn.ReLU, kind))
    assert [name for name, _ in net.neurons()] == ["1.0", "1.1"]


@pytest.mark.parametrize("kind", [kind for kind in OTHERS if kind is not nn.PReLU], ids=lambda kind: kind.__name__)
def test_another_activation_is_found_as_a_function(kind: Any) -> None:
    for function in ACTIVATIONS[kind]:
        more = (0.1, 0.0) if kind is nn.Threshold else ()
        model = Code(lambda net, x, f=function, more=more: f(F.relu(net.linear(x)) - 0.5, *more) + 1)
        x = torch.ones(2, 5)
        with pytest.raises(InputError, match=rf"= {kind.__name__}: must be one of ReLU, ReLU6"):
            spiking(model)
        for net in (spiking(model, replace=(nn.ReLU, kind)), spiking(model, example=x, replace=(kind, nn.ReLU))):
            (first, _), (second, _) = net.neurons()
            assert first == "relu"
            assert second == ACTIVATIONS[kind][0].__name__
            assert set((net.eval()(x) - 1).unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("example", [None, torch.ones(2, 5)], ids=["by its code", "by an example"])
def test_an_activation_of_ones_own_may_be_made_of_others(example: Tensor | None) -> None:
    class Squared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.relu(x).square()

    model = nn.Sequential(Squared(), nn.Linear(5, 5), nn.ReLU())
    net = spiking(model, replace=(Squared, nn.ReLU), example=example)
    assert [name for name, _ in net.neurons()] == ["0", "2"]
    assert [name for name, _ in spiking(model, example=example).neurons()] == ["0.relu", "2"]


def test_gates_stay_as_they_are() -> None:
    model = Code(lambda net, x: F.relu(net.linear(x)) * torch.sigmoid(x) + torch.tanh(x).softmax(1)).eval()
    x = torch.randn(2, 5, generator=generator())
    spikes = (model.linear(x) + 0.5 > 1).float()
    torch.testing.assert_close(spiking(model).eval()(x), spikes * torch.sigmoid(x) + torch.tanh(x).softmax(1))


@pytest.mark.parametrize("example", [None, torch.ones(2, 5)], ids=["by its code", "by an example"])
def test_a_relu_by_another_name_is_refused(example: Tensor | None) -> None:
    for clamp in (
        lambda x: x.clamp(min=0), lambda x: torch.clamp(x, 0.0, 1.0), lambda x: x.clamp_min(0), lambda x: x.clip_(0, 6)
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"^(clamp|clip)\w* at 0: is a ReLU by another name; write torch.relu"):
            spiking(Code(lambda net, x, clamp=clamp: clamp(net.act(net.linear(x)) * 2)), example=example)
    spiking(Code(lambda net, x: net.act(x).clamp(min=1e-6).clamp(max=0)), example=example)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.jit.script(nn.ReLU()), "1 = RecursiveScriptModule: must be Python code"),
        (
            lambda: nn.RNN(5, 5, batch_first=True, nonlinearity="relu"),
            r"1 = RNN\(nonlinearity='relu'\): must be 'tanh'",
        ),
        (lambda: nn.utils.weight_norm(nn.Linear(5, 5)), "model = Sequential: cannot be copied .*parametrizations"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_modules_that_hide_their_code_are_refused(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}") as error:
        spiking(nn.Sequential(nn.ReLU(), make()))
    assert "\n" not in str(error.value)


def test_an_example_that_the_model_cannot_take_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"^example = .*: the model cannot take it \((addmm: )?mat1 and mat2 shapes"
    ) as error:
        spiking(nn.Sequential(nn.Linear(5, 5), nn.ReLU()), example=torch.ones(2, 6))
    assert "\n" not in str(error.value)
