"""YAML written by hand: mappings, lists, text and numbers, and nothing that a few lines blow up to gigabytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from snnlib.checks import InputError, short, shown

LARGEST = 100_000  # bytes, twenty times what a preset takes
DEEPEST = 50  # mappings and lists in each other, aliases followed
MOST = 100_000  # values, where each alias counts as all that it stands for
PLAIN = {"str", "int", "float", "bool", "null", "map", "seq", "merge"}


def read(file: Path) -> dict[str, Any]:
    """The mapping that a file holds.

    Raises:
        InputError: the file cannot be read, is no YAML, holds no mapping, or anything but plain values with text as
            keys, each once; it is too large, or would be with its aliases written out.
    """
    try:
        with open(file, "rb") as f:
            content = f.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{file}: must be a file that can be read ({error.strerror})") from None
    if len(content) > LARGEST:
        raise InputError(f"{file}: must be at most {LARGEST:,} bytes long")
    try:
        return _parsed(content.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"{file}, byte {error.start}: must be text in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = ": ".join(filter(None, (error.context, error.problem)))
        raise InputError(f"{file}{where}: {short(problem, 300)}") from None
    except yaml.YAMLError as error:  # a character that YAML does not have
        raise InputError(f"{file}: must be YAML ({short(str(error))})") from None


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # digits by the thousand, or none
            raise _refused(
                node, f"{shown(node.value)}: must be a number that can be read, or stand in quotes"
            ) from None


def _parsed(text: str) -> dict[str, Any]:
    _check_events(text)
    loader = _Loader(text)
    root = loader.get_single_node()
    if not isinstance(root, yaml.MappingNode):
        raise ConstructorError(problem="must be a mapping, `name: value`", problem_mark=root and root.start_mark)
    _measure(root, {})
    return loader.construct_document(root)


def _check_events(text: str) -> None:
    """Refuse tags, and nesting, before PyYAML follows it by calling itself."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if getattr(event, "tag", None) is not None:
            raise _refused(
                event, f"tag {shown(event.tag)}: must be left out; values are text, numbers, lists, mappings"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _refused(event, f"must not be nested more than {DEEPEST} deep")


def _measure(node: yaml.Node, known: dict[yaml.Node, tuple[int, int] | None]) -> tuple[int, int]:
    """How many values a node stands for, aliases written out, and how deep they go; each node is counted once.

    ``known`` holds what was found before, None for nodes that are being counted: an alias of these never ends.
    """
    if node in known:
        if known[node] is None:
            raise _refused(node, "must not contain itself")
        return known[node]
    known[node] = None
    values, depth = 1, 1
    for child in _children(node):
        inner, below = _measure(child, known)
        values, depth = values + inner, max(depth, 1 + below)
        if values > MOST:
            raise _refused(node, f"must not stand for more than {MOST:,} values, aliases written out")
        if depth > DEEPEST:
            raise _refused(node, f"must not be nested more than {DEEPEST} deep, aliases written out")
    known[node] = values, depth
    return values, depth


def _children(node: yaml.Node) -> list[yaml.Node]:
    """What a node consists of, once its own kind, and the keys of a mapping, are checked."""
    kind = node.tag.rsplit(":", 1)[-1]
    if kind not in PLAIN:
        raise _refused(node, f"{shown(node.value)}: is taken for a {kind}; must stand in quotes")
    if isinstance(node, yaml.ScalarNode):
        return []
    if isinstance(node, yaml.SequenceNode):
        return node.value
    seen = set()
    for key, _ in node.value:
        if key.tag.rsplit(":", 1)[-1] not in ("str", "merge"):
            raise _refused(key, f"key {shown(key.value)}: must be text, in quotes where it reads as something else")
        if key.value in seen:
            raise _refused(key, f"key {shown(key.value)}: must be there once")
        seen.add(key.value)
    return [value for _, value in node.value]


def _refused(at: yaml.Node | yaml.Event, problem: str) -> ConstructorError:
    return ConstructorError(problem=problem, problem_mark=at.start_mark)
