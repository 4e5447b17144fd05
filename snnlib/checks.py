"""One-line errors for bad values: what the value was, and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

T = TypeVar("T")


class InputError(ValueError):
    """A value that cannot be used; the message is one line and names it and what is allowed."""


class Value:
    """Base of the frozen dataclasses that a preset spells: a field they do not have is refused."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", revalidate_instances="always")


def number(name: str, value: float, allowed: str = "a number") -> None:
    """Refuse anything but a number, infinite or not, with an `InputError`."""
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
        raise InputError(f"{name} = {value!r}: must be {allowed}")


def positive(name: str, value: float) -> None:
    """Refuse anything but a finite number above zero with an `InputError`."""
    allowed = "a finite number above 0"
    number(name, value, allowed)
    if not 0 < value < math.inf:
        raise InputError(f"{name} = {value}: must be {allowed}")


def finite(name: str, value: float) -> None:
    """Refuse anything but a finite number with an `InputError`."""
    allowed = "a finite number"
    number(name, value, allowed)
    if math.isinf(value):
        raise InputError(f"{name} = {value}: must be {allowed}")


def between(name: str, value: float, low: float, high: float) -> None:
    """Refuse anything but a number in [low, high] with an `InputError`."""
    allowed = f"a number between {low} and {high}"
    number(name, value, allowed)
    if not low <= value <= high:
        raise InputError(f"{name} = {value}: must be {allowed}")


def whole(name: str, value: int, least: int) -> None:
    """Refuse anything but a whole number of at least ``least`` with an `InputError`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name} = {value!r}: must be a whole number of at least {least}")


def one_of(name: str, value: T, choices: Iterable[T]) -> None:
    """Refuse anything outside ``choices`` with an `InputError`."""
    choices = tuple(choices)
    if value not in choices:
        raise InputError(f"{name} = {value!r}: must be one of {', '.join(map(str, choices))}")


class Checked(BaseModel):
    """Base of what a user writes by hand: frozen, and any field that cannot be used is an `InputError`."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")

    def __init__(self, **fields: object) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise explain(error, type(self).__name__) from None


def explain(error: ValidationError, where: str) -> InputError:
    """pydantic's report as one line: where the value came from, its name, itself, what is allowed."""
    parts = []
    for e in error.errors(include_url=False):
        if e["type"] == "value_error":  # one of the checks above, which names its value itself
            parts.append(e["msg"].removeprefix("Value error, "))
        else:
            parts.append(f"{'.'.join(map(str, e['loc']))} = {e['input']!r}: {e['msg']}")
    return InputError(f"{where}: {'; '.join(parts)}")
