"""What a preset's file holds of one notebook, with other values: which nets and arms, how they are trained and run.

That is `preset_changes` of that notebook's nets alone, and a few changes that only make sense there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from reproduce.runs.arms import AS_POTENTIAL
from reproduce.runs.preset_changes import put, told
from reproduce.runs.preset_file import Nets
from snnlib.checks import one_of, short
from snnlib.training.recipe import Recipe


def changed(content: Mapping[str, Any], notebook: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The file with the runs of this notebook alone, changed; its description tells how.

    Args:
        content: of a file that was checked.
        notebook: one that it has runs for.
        changes: by name. ``nets``: which of those that it has there, a list. ``arms``: which, of all nets, a list.
            ``readout``: "spikes" or "potential", arms that are read out in another way are left out or replaced
            (`AS_POTENTIAL`). ``epochs``: of the nets; an arm that has more or fewer keeps its ratio to that.
            ``benchmark``: the accuracy to reach, of all networks. Else a name of `preset_changes.changed`.

    Raises:
        InputError: a net that the notebook does not have.
    """
    entries = [{**deepcopy(e), "nets": [net]} for e in content["notebooks"][notebook] for net in e["nets"]]
    if "nets" in changes:
        for net in changes["nets"]:
            one_of("nets", net, dict.fromkeys(entry["nets"][0] for entry in entries))
        entries = [entry for entry in entries if entry["nets"][0] in changes["nets"]]
    nets = {entry["nets"][0]: deepcopy(content["nets"][entry["nets"][0]]) for entry in entries}
    new = {**deepcopy(dict(content)), "nets": nets, "notebooks": {notebook: entries}}
    for name, value in changes.items():
        if name in _OWN:
            _OWN[name](new, value)
        elif name != "nets":
            put(new, name, value)
    return told(new, [in_words(changes)])


def in_words(changes: Mapping[str, Any]) -> str:
    """The changes in a line: timesteps = 20, seeds = [0, 1]."""
    texts = {name: f"[{', '.join(map(str, v))}]" if isinstance(v, list) else str(v) for name, v in changes.items()}
    return short(", ".join(f"{name.removeprefix('evaluation.')} = {text}" for name, text in texts.items()), 300)


def read_out(notebooks: Mapping[str, Nets], changes: Mapping[str, Any]) -> dict[str, Nets]:
    """The runs under the names of those arms in whose place they are read out as potentials, if they are."""
    names = {other: arm for arm, other in AS_POTENTIAL.items()} if changes.get("readout") == "potential" else {}
    return {
        notebook: {net: {names.get(arm, arm): specs for arm, specs in arms.items()} for net, arms in nets.items()}
        for notebook, nets in notebooks.items()
    }


def _entries(new: dict[str, Any]) -> list[dict[str, Any]]:
    (entries,) = new["notebooks"].values()
    return entries


def _arms(new: dict[str, Any], arms: list[str]) -> None:
    seeds = {entry["nets"][0]: entry["seeds"] for entry in _entries(new)}  # the same for all arms of a net
    _entries(new)[:] = [{"nets": [net], "arms": arms, "seeds": its} for net, its in seeds.items()]


def _readout(new: dict[str, Any], readout: str) -> None:
    kept = []
    for entry in _entries(new):
        spiking = [arm for arm in entry["arms"] if arm not in AS_POTENTIAL.values()]
        arms = [AS_POTENTIAL.get(arm, arm) for arm in spiking] if readout == "potential" else spiking
        kept += [{**entry, "arms": arms}] if arms else []
    _entries(new)[:] = kept


def _epochs(new: dict[str, Any], epochs: int) -> None:
    usual = new.get("recipe", {}).get("epochs", Recipe.model_fields["epochs"].default)
    for net in new["nets"].values():
        recipe = net.setdefault("recipe", {})
        before, recipe["epochs"] = recipe.get("epochs", usual), epochs
        for own in net.get("arms", {}).values():
            if "epochs" in own:
                own["epochs"] = max(1, round(own["epochs"] * epochs / before))


def _benchmark(new: dict[str, Any], accuracy: float) -> None:
    new["benchmark"] = {net["network"]: accuracy for net in new["nets"].values()}


_OWN: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "arms": _arms, "readout": _readout, "epochs": _epochs, "benchmark": _benchmark,
}  # fmt: skip
