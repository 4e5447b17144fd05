"""Generated parts of Markdown: put between their markers, once, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnlib.checks import InputError
from snnlib.store.markdown import markers, put

BEGIN, END = markers("part")
TEXT = f"# Title\n\nIntro.\n\n{BEGIN}\n{END}\n\nThe rest.\n"


def test_twice_is_once_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(TEXT)
    put(file, "part", "| new |\n")
    once = file.read_text()
    assert once == TEXT.replace(f"{BEGIN}\n", f"{BEGIN}\n\n| new |\n\n")
    put(file, "part", "| new |\n")
    assert file.read_text() == once
    put(file, "part", "| newer |")
    assert file.read_text() == once.replace("| new |", "| newer |")


@pytest.mark.parametrize("text", ["no markers", TEXT.replace(END, ""), TEXT + BEGIN, f"{END}\n{BEGIN}"])
def test_a_file_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "README.md"
    file.write_text(text)
    with pytest.raises(InputError, match=f"README.md: must have {BEGIN} once") as error:
        put(file, "part", "new")
    assert "\n" not in str(error.value)
    assert file.read_text() == text
