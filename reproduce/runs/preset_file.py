"""A preset's file: nets x arms x seeds in TOML, here written out to the spec of every run, or back to TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator, field_validator

from reproduce.runs.arms import ARMS, merged
from reproduce.runs.spec import Spec
from snnlib.checks import InputError, fields, one_of, short, shown
from snnlib.spelling import Checked
from snnlib.store.files import StoreError, regular
from snnlib.store.paths import NOTEBOOKS
from snnlib.training.recipe import Recipe

LARGEST = 20_000  # bytes, more than a preset takes; over a dotted key of a megabyte, tomllib sits for an hour
NET_FIELDS = ("dataset", "network", "width", "hold_out", "recipe")
TELLING_APART = ("dataset", "network", "width", "augment")  # `Spec.columns` by which tables tell nets apart
HELD_OUT = ("record", "silent_choices")  # notebooks whose tables have a column `hold_out`, which tells nets apart too
SECTIONS = ("recipe", "nets", "notebooks")  # of a file, below what stands for itself

T = TypeVar("T", bound=Checked)


def _spec(given: object, check: ValidatorFunctionWrapHandler) -> Spec:
    """A preset has hundreds: one that is a spec already was checked when it was made."""
    return given if isinstance(given, Spec) else check(given)


# A notebook's specs by net and arm, each arm's in the order of the seeds.
Nets = dict[str, dict[str, tuple[Annotated[Spec, WrapValidator(_spec)], ...]]]


class Entry(Checked):
    """Some of a notebook's runs: each of these nets, in each of these arms, with each of these seeds.

    All else that decides weights is the net's or the arm's.
    """

    nets: list[str] = Field(min_length=1)
    arms: list[str] = Field(min_length=1)
    seeds: list[Annotated[int, Field(strict=True, ge=0)]] = Field(min_length=1, max_length=100)

    @field_validator("nets", "arms", "seeds")
    @classmethod
    def _once(cls, values: list[Any], info: ValidationInfo) -> list[Any]:
        if len(set(values)) < len(values):
            raise InputError(f"{info.field_name} = {shown(values)}: must each be there once")
        return values


def read_toml(file: Path) -> dict[str, Any]:
    """What a file holds; an `InputError` if it cannot be read, is too large, or is no TOML."""
    where = short(str(file), 300)
    try:
        with open(regular(file), "rb") as f:
            content = f.read(LARGEST + 1)
    except StoreError as error:
        raise InputError(f"{short(str(error), 500)}: must be a file that can be read") from None
    except (OSError, ValueError) as error:  # Python's own for a path that no file system takes
        why = short(getattr(error, "strerror", None) or str(error))
        raise InputError(f"{where}: must be a file that can be read ({why})") from None
    if len(content) > LARGEST:
        raise InputError(f"{where}: must be at most {LARGEST:,} bytes long")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"{where}, byte {error.start}: must be text in UTF-8") from None
    except ValueError as error:  # tomllib's own, or Python's for digits by the thousand
        raise InputError(f"{where}: must be TOML ({short(str(error), 300)})") from None
    except RecursionError:
        raise InputError(f"{where}: must not be nested that deeply") from None


def toml(content: Mapping[str, Any]) -> str:
    """A file with this content, laid out as those that ship are; the standard library only reads TOML."""
    sections = {"": {name: value for name, value in content.items() if name not in SECTIONS}}
    if "recipe" in content:
        sections["recipe"] = content["recipe"]
    for net, given in content["nets"].items():
        sections[f"nets.{_key(net)}"] = {name: value for name, value in given.items() if name != "arms"}
        if "arms" in given:
            sections[f"nets.{_key(net)}.arms"] = given["arms"]
    sections["notebooks"] = content["notebooks"]
    return "\n".join(
        "".join([f"[{name}]\n" if name else "", *(f"{_key(key)} = {_toml(value)}\n" for key, value in values.items())])
        for name, values in sections.items()
    )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    """A value on one line."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML's escapes are JSON's
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)  # nan and inf are written so, too
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{ {', '.join(f'{_key(k)} = {_toml(v)}' for k, v in value.items())} }}"
    raise TypeError(f"{type(value).__name__}: no field of a preset has it")


def written_out(notebooks: object, nets: object, recipe: object) -> dict[str, Nets]:
    """The specs of each notebook's runs.

    Args:
        notebooks: a list of entries (`Entry`) for each notebook.
        nets: fields of a spec (`NET_FIELDS`) for each net, and under ``arms`` what only some of its arms have: fields
            of the recipe (`Arm.own`).
        recipe: what the recipes of all nets have unless they say otherwise.

    Returns:
        By notebook, net and arm. Arms are in the order of `ARMS`. Those of a net have the same seeds in the same order.

    Raises:
        InputError: no notebook, an unknown name, a value that cannot be used, or a net whose arms differ in seeds.
    """
    recipe, nets = _table("recipe", recipe), _table("nets", nets)
    _checked("recipe", Recipe, recipe)
    bases, own = {}, {}
    for net, given in nets.items():
        if not re.fullmatch(r"\w[\w.-]{,49}", net):
            raise InputError(f"nets, name = {shown(net)}: must be at most 50 letters, digits, dots, - and _")
        bases[net] = merged({"recipe": recipe}, _table(f"nets.{net}", given))
        own[net] = _own(f"nets.{net}.arms", bases[net].pop("arms", {}))
        _checked(f"nets.{net}", Spec, bases[net], NET_FIELDS)
    notebooks, found = _table("notebooks", notebooks), {}
    if not notebooks:
        raise InputError("notebooks = {}: must have runs for at least one")
    for notebook, entries in notebooks.items():
        one_of("notebook", notebook, sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")))
        where = f"notebooks.{short(notebook)}"
        found[notebook] = _specs(where, entries, bases, own)
        _check_comparable(where, found[notebook], (*TELLING_APART, *(["hold_out"] if notebook in HELD_OUT else [])))
    return found


def _own(where: str, given: object) -> dict[str, Any]:
    """The recipe's fields that a net sets for some of its arms alone."""
    for arm, own in _table(where, given).items():
        one_of(where, arm, ARMS)
        _checked(f"{where}.{arm}", Recipe, own, ARMS[arm].settable)
    return dict(given)


def _specs(where: str, entries: object, bases: Mapping[str, Any], own: Mapping[str, Any]) -> Nets:
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{where} = {shown(entries)}: must be a list of runs, each with nets, arms and seeds")
    found: Nets = {}
    for number, given in enumerate(entries, 1):
        place = f"{where}, {number}."
        entry = _checked(place, Entry, given)
        for net, arm in product(entry.nets, entry.arms):
            one_of(f"{place}, net", net, bases)
            one_of(f"{place}, arm", arm, ARMS)
            if arm in found.setdefault(net, {}):
                raise InputError(f"{place}, net {net}, arm {arm}: must be there once")
            with _named(f"{place}, {net}, {arm}"):
                found[net][arm] = tuple(ARMS[arm].spec(arm, bases[net], seed, own[net]) for seed in entry.seeds)
    return {net: {arm: arms[arm] for arm in ARMS if arm in arms} for net, arms in found.items()}


def _check_comparable(where: str, nets: Nets, telling_apart: Collection[str]) -> None:
    known: dict[tuple, str] = {}
    for net, arms in nets.items():
        (ours, first), *others = ((arm, [spec.seed for spec in specs]) for arm, specs in arms.items())
        for arm, seeds in others:
            if seeds != first:
                raise InputError(f"{where}, net {net}: seeds = {first} ({ours}) and {seeds} ({arm}): must be the same")
        spec = arms[ours][0]
        columns = {**spec.columns(), "hold_out": spec.hold_out}
        key = tuple(columns[name] for name in telling_apart)
        if key in known:
            raise InputError(
                f"{where}, net {net}: {', '.join(telling_apart)} = {shown(key)}: must not be as in net {known[key]}"
            )
        known[key] = net


def _table(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where} = {shown(value)}: must be a table of names and values")
    return value


def _checked(place: str, cls: type[T], given: object, known: Collection[str] = ()) -> T:
    """A value made of these fields, all of them ``known``."""
    given, known = _table(place, given), known or cls.model_fields
    with _named(place):
        fields(given, known, known)
        return cls(**given)


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Say in an error where in the file it is, in place of the class that found it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {re.sub('^(Spec|Recipe|Entry): ', '', str(error))}") from None
