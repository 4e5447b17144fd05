"""Generated parts of Markdown: put between their markers, once, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnlib.checks import InputError
from snnlib.store.markdown import markers, put, put_all

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


def test_nothing_is_put_anywhere_where_one_marker_is_missing(tmp_path: Path) -> None:
    whole, lacking = tmp_path / "whole.md", tmp_path / "lacking.md"
    whole.write_text("\n".join((*markers("one"), *markers("two"))))
    lacking.write_text("\n".join(markers("one")))
    before = whole.read_text(), lacking.read_text()
    with pytest.raises(InputError, match=r"^lacking\.md: must have <!-- two:begin -->"):
        put_all({whole: {"one": "1", "two": "2"}, lacking: {"one": "1", "two": "2"}})
    assert (whole.read_text(), lacking.read_text()) == before
    put_all({whole: {"one": "1", "two": "2"}, lacking: {"one": "1"}})
    assert "begin -->\n\n2\n\n<!-- two" in whole.read_text()
    assert "\n1\n" in lacking.read_text()
