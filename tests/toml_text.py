"""TOML of plain values, all of a table on one line: the standard library only reads it."""

from __future__ import annotations

from typing import Any


def toml(content: dict[str, Any]) -> str:
    """The text of a file with this content."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in content.items())


def _value(value: Any) -> str:
    match value:
        case str():
            return _text(value)
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)  # nan and inf are written so, too
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return f"{{ {', '.join(f'{_text(k)} = {_value(v)}' for k, v in value.items())} }}"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _text(text: str) -> str:
    return '"' + "".join(c if c.isalnum() or c in " _-." else f"\\U{ord(c):08x}" for c in text) + '"'
