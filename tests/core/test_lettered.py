"""Numbers and texts that keep their type on the wire."""

from __future__ import annotations

import pytest

from minibroker.fields import type_class, type_name
from minibroker.lettered import LETTERED, Long, OddText

NAMES = {
    "b": "byte",
    "B": "unsignedbyte",
    "s": "short",
    "u": "unsignedshort",
    "i": "unsignedint",
    "l": "long",
    "f": "float",
    "S": "longstr",
}


@pytest.mark.parametrize("letter", LETTERED)
def test_each_has_the_name_that_rabbitmq_gives_its_letter(letter: str) -> None:
    value = LETTERED[letter]() if letter == "S" else LETTERED[letter](1)
    assert type_name(value) == NAMES[letter]


def test_in_comparisons_they_are_what_they_derive_from() -> None:
    assert Long(5) == 5
    assert {5: "five"}[Long(5)] == "five"
    assert OddText(b"\xff") == b"\xff"
    assert type_class(Long(5)) == "int"
    assert type_class(OddText(b"\xff")) == "longstr"
