"""How it is written what a reader changed in a notebook: in titles, in commands, and in the names of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARK = "-"  # between a file's name and what was changed; the names themselves have none
LONGEST = 24, 120  # characters of one value in a file's name, and of the whole; file systems end at 255 bytes


def text(value: Any, between: str = ", ") -> str:
    """A value, or a list of them."""
    if isinstance(value, list | tuple):
        return between.join(text(each) for each in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def in_words(changed: Mapping[str, Any]) -> str:
    """All of it, in a line; lists in brackets."""
    told = {name: f"[{text(value)}]" if isinstance(value, list) else text(value) for name, value in changed.items()}
    return ", ".join(f"{name} = {value}" for name, value in told.items())


def named(name: str, changed: Mapping[str, Any]) -> str:
    """The name of a file with what was changed in it; what is too long is cut, and told apart by a hash."""
    parts = [f"{parameter}{_cut(text(value, '_'), LONGEST[0])}" for parameter, value in changed.items()]
    return MARK.join([name, *([_cut(MARK.join(parts), LONGEST[1])] if parts else [])])


def is_changed(file: Path) -> bool:
    """Whether a file of figures is named so, and not a preset's own."""
    return MARK in file.stem


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 9]}_{hashlib.sha256(words.encode()).hexdigest()[:8]}"
