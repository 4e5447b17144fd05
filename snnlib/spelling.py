"""How what a user writes is read, with errors in a line, and spelled: a field that is new changes no name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from snnlib.checks import InputError, fields, short, shown

_SAID = 300  # of what pydantic says of it, which may repeat it
_ERRORS = 3  # of which one line tells

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

    def model_dump(self, **how: Any) -> dict[str, Any]:
        with interruptible():
            return super().model_dump(**how)

    def model_dump_json(self, **how: Any) -> str:
        with interruptible():
            return super().model_dump_json(**how)

    @model_serializer(mode="wrap")
    def _spelled(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _spell(self, serialise)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C through while a value is spelled: pydantic makes an error of its own of whatever comes then."""
    try:
        yield
    except ValueError as error:  # PydanticSerializationError, of pydantic_core
        if KeyboardInterrupt.__name__ in str(error):
            raise KeyboardInterrupt from None
        raise


def explain(error: ValidationError, where: str) -> InputError:
    """pydantic's report as one line: where the value came from, its name, itself, what is allowed."""
    errors = error.errors(include_url=False)
    parts = []
    for e in errors[:_ERRORS]:
        name = ".".join(short(str(part)) for part in e["loc"])
        if e["type"] == "value_error":  # one of `snnlib.checks`, which names its value itself
            parts.append(e["msg"].removeprefix("Value error, ").removeprefix(f"{where}: "))
        elif e["type"] == "missing":
            parts.append(f"{name}: is missing")
        else:
            value = f"{name} = {shown(e['input'])}" if name else shown(e["input"])
            parts.append(f"{value}: {short(e['msg'], _SAID)}")
    if len(errors) > _ERRORS:
        parts.append(f"and {len(errors) - _ERRORS} more")
    return InputError(f"{where}: {'; '.join(parts)}")
