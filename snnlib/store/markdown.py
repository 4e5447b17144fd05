"""Tables in Markdown, and generated parts of what is otherwise written by hand, each kept between two markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snnlib.checks import InputError
from snnlib.store.files import write


def markers(name: str) -> tuple[str, str]:
    """The lines between which the part of this name is kept."""
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def part(text: str, name: str) -> tuple[int, int]:
    """Where in a text the part between the markers begins and ends.

    Raises:
        InputError: not exactly one of each, in order.
    """
    begin, end = markers(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise InputError(f"must have {begin} once and, below it, {end} once")
    return text.index(begin) + len(begin), text.index(end)


def lines(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table, a line for each row; unpadded, so that a changed number changes one line."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, ("---",) * len(header), *rows])


def put(file: Path, name: str, content: str) -> None:
    """Put a text between the markers of this name; twice is the same as once.

    Raises:
        InputError: as in `part`; the file is untouched then.
    """
    put_all({file: {name: content}})


def put_all(contents: Mapping[Path, Mapping[str, str]]) -> None:
    """Put texts between markers of several names in several files; all are found before anything is written.

    Args:
        contents: by file and name.

    Raises:
        InputError: as in `part`; no file is touched then.
    """
    texts = {file: file.read_text(encoding="utf-8") for file in contents}
    new = dict(texts)
    for file, parts in contents.items():
        for name, content in parts.items():
            try:
                start, end = part(new[file], name)
            except InputError as error:
                raise InputError(f"{file.name}: {error}") from None
            new[file] = f"{new[file][:start]}\n\n{content.strip()}\n\n{new[file][end:]}"
    for file, text in new.items():
        if text != texts[file]:
            write(file, text)
