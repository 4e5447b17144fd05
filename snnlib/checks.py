"""One-line errors for bad values: what the value was, and what is allowed."""

from __future__ import annotations

import dataclasses
import difflib
import math
import reprlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

T = TypeVar("T")

_SHOWN = 80  # characters of a value in an error
_LISTED, _NEAREST = 30, 3  # choices that an error lists; of more it names so many
_SAID = 300  # of what pydantic says of it, which may repeat it
_ERRORS = 3  # of which one line tells
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN


class OneLine:
    """Mixed into an exception whose message says it all: in a notebook that line stands in place of the traceback.

    IPython asks for it (its "custom exception tracebacks"); `%debug` still finds where it was raised, and nbclient,
    papermill and nbval see a failed cell as ever.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class InputError(OneLine, ValueError):
    """A value that cannot be used; the message is one line and names it and what is allowed."""


def short(text: str, most: int = _SHOWN) -> str:
    """The text as one line of printable characters, its middle left out where it is too long."""
    if len(text) > most:
        half = (most - 3) // 2
        text = f"{text[:half]}...{text[-half:]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def shown(value: object) -> str:
    """A value as errors show it."""
    try:
        return short(_REPR.repr(value))
    except ValueError:  # Python does not write whole numbers of thousands of digits
        return f"a huge {type(value).__name__}"


def number(name: str, value: float, allowed: str = "a number") -> None:
    """Refuse anything but a number, infinite or not, with an `InputError`."""
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")


def positive(name: str, value: float) -> None:
    """Refuse anything but a finite number above zero with an `InputError`."""
    allowed = "a finite number above 0"
    number(name, value, allowed)
    if not 0 < value < math.inf:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")


def finite(name: str, value: float) -> None:
    """Refuse anything but a finite number with an `InputError`."""
    allowed = "a finite number"
    number(name, value, allowed)
    if not -math.inf < value < math.inf:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")


def between(name: str, value: float, low: float, high: float) -> None:
    """Refuse anything but a number in [low, high] with an `InputError`."""
    allowed = f"a number between {low} and {high}"
    number(name, value, allowed)
    if not low <= value <= high:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")


def magnitude(name: str, value: float) -> None:
    """Refuse with an `InputError` all but a positive number whose square and inverse single precision can hold."""
    positive(name, value)
    between(name, value, 1e-6, 1_000_000)


def moderate(name: str, value: float) -> None:
    """Refuse with an `InputError` all but a number whose square single precision can hold."""
    finite(name, value)
    between(name, value, -1_000_000, 1_000_000)


def whole(name: str, value: int, least: int, most: float = math.inf) -> None:
    """Refuse anything but a whole number in [least, most] with an `InputError`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name} = {shown(value)}: must be a whole number of at least {least}")
    if value > most:
        raise InputError(f"{name} = {shown(value)}: must be at most {most}")


def instance(name: str, value: object, kind: type, example: str) -> None:
    """Refuse anything but an object of this kind with an `InputError`; a class is none."""
    if not isinstance(value, kind):
        raise InputError(f"{name} = {shown(value)}: must be such as {example}")


def sequence(name: str, value: Iterable[Any]) -> None:
    """Refuse with an `InputError` what has no members to go through one by one, and text, which has letters."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise InputError(f"{name} = {shown(value)}: must be a list")


def one_of(name: str, value: T, choices: Iterable[T]) -> None:
    """Refuse anything outside ``choices`` with an `InputError`: it names them, of many the nearest."""
    choices = tuple(choices)
    if value in choices:
        return
    listed = [*map(str, choices)]
    if len(listed) > _LISTED:
        raise InputError(f"{name} = {shown(value)}: must be one of {len(listed)}; nearest are {nearest(value, listed)}")
    raise InputError(f"{name} = {shown(value)}: must be one of {', '.join(listed)}")


def nearest(value: object, choices: Iterable[str]) -> str:
    """Those few of many choices that are most like a value, for an error."""
    return ", ".join(difflib.get_close_matches(short(str(value)), list(choices), n=_NEAREST, cutoff=0))


def fields(given: dict[str, Any], known: Collection[str], switches: Collection[str] = ()) -> None:
    """Refuse with an `InputError` an unknown field, and true or false for a field that is not among the ``switches``.

    pydantic would not say which fields there are, and would take true for 1.
    """
    for name, value in given.items():
        if name not in known:
            choices = ", ".join(known)
            raise InputError(f"{short(str(name))} = {shown(value)}: no such field; must be one of {choices}")
        if isinstance(value, bool) and name not in switches:
            raise InputError(f"{name} = {value}: must not be true or false")


# Marks, in `Annotated`, a field that came after results had been stored. At its default it is left out wherever the
# value is spelled, so that what was stored before keeps its name.
ADDED = object()


@dataclass(frozen=True)
class Formerly:
    """Marks, in `Annotated`, a field that once was true or false: both spellings are read, the old one is written."""

    false: str
    true: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        written = {self.false: False, self.true: True}

        def read(given: object) -> object:
            return (self.true if given else self.false) if isinstance(given, bool) else given

        schema = BeforeValidator(read).__get_pydantic_core_schema__(source, handler)
        return schema | {
            "serialization": {"type": "function-plain", "function": lambda value: written.get(value, value)}
        }


@cache
def _added(cls: type) -> dict[str, Any]:
    """The fields of a class that are marked `ADDED`, with their defaults."""
    if issubclass(cls, BaseModel):
        known = cls.model_fields.items()
        return {name: f.get_default(call_default_factory=True) for name, f in known if ADDED in f.metadata}
    hints = get_type_hints(cls, include_extras=True)
    marked = [f for f in dataclasses.fields(cls) if ADDED in getattr(hints[f.name], "__metadata__", ())]
    return {f.name: f.default_factory() if f.default is dataclasses.MISSING else f.default for f in marked}


def _spell(value: Any, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """A value's fields, without those `ADDED` that are at their default."""
    spelled = serialise(value)
    for name, default in _added(type(value)).items():
        if getattr(value, name) == default:
            spelled.pop(name, None)
    return spelled


class Value:
    """Base of the frozen dataclasses that a preset spells: a field they do not have is refused."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", revalidate_instances="always")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        def check(given: object) -> object:
            if isinstance(given, dict):
                fields(given, cls.__dataclass_fields__)
            return given

        schema = BeforeValidator(check).__get_pydantic_core_schema__(source, handler)
        return schema | {"serialization": {"type": "function-wrap", "function": _spell, "schema": schema["schema"]}}


class Checked(BaseModel):
    """Base of what a user writes by hand: frozen, and any field that cannot be used is an `InputError`."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")

    def __init__(self, /, **given: object) -> None:
        cls = type(self)
        try:
            fields(given, cls.model_fields, cls._switches())
            super().__init__(**given)
        except ValidationError as error:
            raise explain(error, cls.__name__) from None
        except RecursionError:
            raise InputError(f"{cls.__name__}: must not be nested that deeply") from None

    @classmethod
    @cache  # presets make some thousand of these
    def _switches(cls) -> list[str]:
        """The fields that take true and false."""
        known = cls.model_fields.items()
        return [n for n, f in known if f.annotation is bool or any(isinstance(m, Formerly) for m in f.metadata)]

    @model_serializer(mode="wrap")
    def _spelled(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _spell(self, serialise)


def explain(error: ValidationError, where: str) -> InputError:
    """pydantic's report as one line: where the value came from, its name, itself, what is allowed."""
    errors = error.errors(include_url=False)
    parts = []
    for e in errors[:_ERRORS]:
        name = ".".join(short(str(part)) for part in e["loc"])
        if e["type"] == "value_error":  # one of the checks above, which names its value itself
            parts.append(e["msg"].removeprefix("Value error, ").removeprefix(f"{where}: "))
        elif e["type"] == "missing":
            parts.append(f"{name}: is missing")
        else:
            parts.append(f"{name} = {shown(e['input'])}: {short(e['msg'], _SAID)}")
    if len(errors) > _ERRORS:
        parts.append(f"and {len(errors) - _ERRORS} more")
    return InputError(f"{where}: {'; '.join(parts)}")
