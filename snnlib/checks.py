"""One-line errors for bad values: what the value was, and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar, TypeVar

from pydantic import ConfigDict

T = TypeVar("T")


class Value:
    """Base of the frozen dataclasses that a preset spells: a field they do not have is refused."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


def _number(name: str, value: float, allowed: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ValueError(f"{name} = {value!r}: must be {allowed}")


def positive(name: str, value: float) -> None:
    """Refuse anything but a finite number above zero with a ``ValueError``."""
    allowed = "a finite number above 0"
    _number(name, value, allowed)
    if not 0 < value < math.inf:
        raise ValueError(f"{name} = {value}: must be {allowed}")


def between(name: str, value: float, low: float, high: float) -> None:
    """Refuse anything but a number in [low, high] with a ``ValueError``."""
    allowed = f"a number between {low} and {high}"
    _number(name, value, allowed)
    if not low <= value <= high:
        raise ValueError(f"{name} = {value}: must be {allowed}")


def whole(name: str, value: int, least: int) -> None:
    """Refuse anything but a whole number of at least ``least`` with a ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} = {value!r}: must be a whole number of at least {least}")


def one_of(name: str, value: T, choices: Iterable[T]) -> None:
    """Refuse anything outside ``choices`` with a ``ValueError``."""
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"{name} = {value!r}: must be one of {', '.join(map(str, choices))}")
