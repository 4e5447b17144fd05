"""``--set name=value``: other values for a preset's fields, in all of its runs or in those of one net or arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from reproduce.runs.arms import ARMS
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset_file import NET_FIELDS
from snnlib.checks import InputError, one_of, short, shown
from snnlib.training.recipe import Recipe

LISTS = ("seeds", "noise_seeds")  # fields that take several values; one alone is a list, too
LONGEST = 500  # characters of a preset's description

Place = tuple[str | int, ...]  # a path into what a preset's file holds


def changed(content: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """What a preset's file would hold with these changes made, one after another; its description tells them.

    ``width=0.25`` is for every net, ``recipe.epochs=2`` for every run, ``seeds=0,1`` for every notebook,
    ``nets.cnn.width=0.25``, ``nets.cnn.recipe.lr=0.01`` and ``nets.cnn.arms.direct.lr=0.01`` for that net or arm,
    ``evaluation.alpha=3`` and ``ann_timesteps=64`` for what is done with trained nets. What holds for more runs takes
    the place of what the file says for some of them.

    Args:
        content: of a file that was checked, `preset_file.read_toml`.
        changes: "name=value" each. The new values are checked with all else, by `load_preset`.

    Raises:
        InputError: no change at all, or a name that is not known.
    """
    new, made = deepcopy(dict(content)), []
    for change in changes:
        name, sign, text = change.partition("=")
        if not sign:
            raise InputError(f"--set {shown(change)}: must be name=value, such as width=0.25")
        one_of("--set, name", name, _places(new))
        put(new, name, read_value(text))
        made.append(f"{name} = {text}")
    return told(new, made)


def put(content: dict[str, Any], name: str, value: Any) -> None:
    """Set a field by one of the names above, in place; a `KeyError` for another name."""
    places, hidden = _places(content)[name]
    if name.rpartition(".")[2] in LISTS and not isinstance(value, list):
        value = [value]
    for place in hidden:
        _inside(content, place).pop(place[-1], None)
    for place in places:
        _inside(content, place)[place[-1]] = value


def told(content: dict[str, Any], made: Sequence[str]) -> dict[str, Any]:
    """The same with a description that tells what was changed."""
    if not made:
        return content
    return {**content, "description": short(f"{content['description']}; with {', '.join(made)}", LONGEST)}


def _places(content: Mapping[str, Any]) -> dict[str, tuple[list[Place], list[Place]]]:
    """Every name that can be set: where its value goes, and what else would stand before it and has to go."""
    nets, own = content["nets"], [name for name in NET_FIELDS if name != "recipe"]
    found: dict[str, tuple[list[Place], list[Place]]] = {
        name: ([("nets", net, name) for net in nets], []) for name in own
    }
    entries = [(notebook, i) for notebook, runs in content["notebooks"].items() for i in range(len(runs))]
    found["seeds"] = [("notebooks", *entry, "seeds") for entry in entries], []
    found |= {name: ([(name,)], []) for name in ("ann_timesteps", "ann_images")}
    found |= {f"evaluation.{name}": ([("evaluation", name)], []) for name in Conversion.model_fields}

    def of_arms(net: str, name: str) -> list[Place]:
        return [("nets", net, "arms", arm, name) for arm in nets[net].get("arms", {})]

    for name in Recipe.model_fields:
        hidden = [place for net in nets for place in (("nets", net, "recipe", name), *of_arms(net, name))]
        found[f"recipe.{name}"] = [("recipe", name)], hidden
    for net in nets:
        found |= {f"nets.{net}.{name}": ([("nets", net, name)], []) for name in own}
        for name in Recipe.model_fields:
            found[f"nets.{net}.recipe.{name}"] = [("nets", net, "recipe", name)], of_arms(net, name)
        for arm, known in ARMS.items():
            found |= {f"nets.{net}.arms.{arm}.{n}": ([("nets", net, "arms", arm, n)], []) for n in known.settable}
    return found


def _inside(content: dict[str, Any], place: Place) -> dict[str, Any]:
    """The table that holds a place's field; made where there is none."""
    found: Any = content
    for part in place[:-1]:
        found = found[part] if isinstance(part, int) else found.setdefault(part, {})
    return found


def read_value(text: str) -> Any:
    """A number, true or false, else text; with commas, a list."""
    if "," in text:
        return [read_value(part.strip()) for part in text.split(",") if part.strip()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)
