"""How values are spelled: a field that was added later is not there while it is at its default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from pydantic import Field

from snnlib import spelling
from snnlib.checks import InputError
from snnlib.spelling import ADDED, Checked, Formerly, Value


@dataclass(frozen=True)
class Inner(Value):
    a: int = 1
    b: Annotated[float, ADDED] = 2.0
    c: Annotated[tuple[int, ...], ADDED] = field(default_factory=lambda: (1, 2))


class Outer(Checked):
    inner: Inner = Inner()
    x: int = 0
    y: Annotated[int, ADDED] = Field(3, ge=0)
    way: Annotated[Literal["off", "half", "full"], Formerly(false="off", true="full")] = "off"
    then: Outer | None = None


def test_added_fields_are_absent_at_their_default_at_every_depth() -> None:
    before = {"inner": {"a": 1}, "x": 0, "way": False}
    value = Outer(then=Outer())
    assert value.model_dump(mode="json") == before | {"then": before | {"then": None}}
    assert Outer.model_validate_json(value.model_dump_json()) == value


@pytest.mark.parametrize(
    ("changed", "spelled"),
    [
        (Outer(y=4), {"y": 4}),
        (Outer(inner=Inner(b=2.5)), {"inner": {"a": 1, "b": 2.5}}),
        (Outer(inner=Inner(c=())), {"inner": {"a": 1, "c": []}}),
        (Outer(way="half"), {"way": "half"}),
        (Outer(way="full"), {"way": True}),
    ],
)
def test_other_values_are_spelled_and_read_back(changed: Outer, spelled: dict[str, object]) -> None:
    found = changed.model_dump(mode="json")
    assert found == {"inner": {"a": 1}, "x": 0, "way": False, "then": None} | spelled
    assert Outer(**found) == changed


@pytest.mark.parametrize(("raised", "seen"), [(KeyboardInterrupt, KeyboardInterrupt), (ZeroDivisionError, ValueError)])
@pytest.mark.parametrize("spell", [Outer.model_dump, Outer.model_dump_json])
def test_ctrl_c_while_a_value_is_spelled_stays_what_it_is(
    monkeypatch: pytest.MonkeyPatch, spell: Callable[[Outer], object], raised: type, seen: type
) -> None:
    def stop(_: type) -> dict[str, object]:
        raise raised

    monkeypatch.setattr(spelling, "_added", stop)
    with pytest.raises(seen):
        spell(Outer(then=Outer()))


def test_an_added_field_is_checked_like_any_other() -> None:
    with pytest.raises(InputError, match="y = -1"):
        Outer(y=-1)
    with pytest.raises(InputError, match="y = True: must not be true or false"):
        Outer(y=True)
    with pytest.raises(InputError, match="way = 'none'"):
        Outer(way="none")
