"""Companion to "A noise based novel strategy for faster SNN training" (Jiang & Zhang, 2023)."""

from importlib import import_module

from snnlib.batch.starting import in_one_line

in_one_line()  # before PyTorch is imported, which takes seconds

from snnlib.fast import process  # noqa: E402

process.configure()

# What a user of the method needs, by the name of the module that has it; imported where it is asked for.
_PUBLIC = {
    "spiking": "replace_relu",
    "Spiking": "network",
    "Neuron": "neurons", "SingleStep": "neurons", "Converted": "neurons", "LIF": "neurons",
    "Gaussian": "noise", "Uniform": "noise", "MaxNormalised": "noise",
    "Triangle": "surrogate", "Rectangle": "surrogate", "Arctan": "surrogate", "Sigmoid": "surrogate",
    "convert": "conversion", "ensemble": "conversion",
    "fit": "own.fit", "evaluate": "own.evaluate", "save": "own.network_file", "load": "own.network_file",
    "InputError": "checks",
}  # fmt: skip

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'snnlib' has no attribute {name!r}")
    return getattr(import_module(f"snnlib.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
