"""Layouts: how bits share octets, what reserved fields are, and what cannot be read."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.errors import FrameInvalid, SyntaxInvalid
from minibroker.wire.amqp.layout import Layout

from .records import domains
from .strategies import TABLES, carried

EXAMPLES: list[tuple[str, list[Any], bytes]] = [
    ("", [], b""),
    ("octet", [255], b"\xff"),
    ("short", [258], b"\x01\x02"),
    ("long", [0x01020304], b"\x01\x02\x03\x04"),
    ("longlong", [2**64 - 1], b"\xff" * 8),
    ("shortstr", ["é"], b"\x02\xc3\xa9"),
    ("shortstr", [""], b"\x00"),
    ("longstr", [b"\xff\x00"], b"\x00\x00\x00\x02\xff\x00"),
    ("table", [{}], b"\x00\x00\x00\x00"),
    ("bit", [True], b"\x01"),
    ("bit bit bit", [False, True, True], b"\x06"),
    ("bit short bit", [True, 7, True], b"\x01\x00\x07\x01"),
    ("bit " * 8, [False] * 7 + [True], b"\x80"),
    ("bit " * 9, [True] * 9, b"\xff\x01"),
    ("bit " * 17, [False] * 16 + [True], b"\x00\x00\x01"),
]


@pytest.mark.parametrize(("words", "values", "encoded"), EXAMPLES)
def test_fields_lie_behind_each_other_and_bits_share_octets(
    words: str, values: list[Any], encoded: bytes
) -> None:
    layout = Layout(words)
    assert layout.encode(values) == encoded
    assert layout.decode(encoded) == values
    assert layout.decode(b"before" + encoded, 6) == values


def test_reserved_fields_are_blank_and_not_among_the_values() -> None:
    layout = Layout("-short shortstr -shortstr -longstr -bit bit")
    encoded = b"\x00\x00\x01a\x00\x00\x00\x00\x00\x02"
    assert layout.encode(["a", True]) == encoded
    assert layout.decode(encoded) == ["a", True]
    assert layout.decode(b"\xff\xff\x01a\x02xy\x00\x00\x00\x01z\x03") == ["a", True]


def test_bits_that_no_field_has_are_ignored() -> None:
    assert Layout("bit bit").decode(b"\xff") == [True, True]


WORDS = st.lists(st.sampled_from(list(domains(TABLES))), max_size=12)


@given(WORDS, st.data())
def test_what_was_written_is_read_whatever_the_layout(
    words: list[str], data: st.DataObject
) -> None:
    values = [data.draw(domains(TABLES)[word]) for word in words]
    layout = Layout(" ".join(words))
    encoded = layout.encode(values)
    assert layout.decode(encoded) == [carried(value) for value in values]
    if encoded:
        with pytest.raises((FrameInvalid, SyntaxInvalid)):
            layout.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
    with pytest.raises(FrameInvalid, match="cannot decode <<"):
        layout.decode(encoded + b"\x00\x00\x00")


CUT: list[tuple[str, bytes, str]] = [
    ("octet octet", b"\x01", "cannot decode <<1>>"),
    ("short", b"\x01", "cannot decode <<1>>"),
    ("octet longlong", b"\x01" * 8, "cannot decode <<1,1,1,1,1,1,1,1>>"),
    ("bit", b"", "cannot decode <<>>"),
    ("shortstr", b"", "cannot decode <<>>"),
    ("octet shortstr", b"\x00\x03ab", "cannot decode <<0,3,97,98>>"),
    ("longstr", b"\x00\x00", "cannot decode <<0,0>>"),
    ("longstr", b"\x00\x00\x00\x05abcd", "cannot decode <<0,0,0,5,97,98,99,100>>"),
    ("longstr", b"\xff\xff\xff\xffabcd", "cannot decode <<255,255,255,255,97,98,99,100>>"),
    ("octet", b"\x01\x02\x03", "cannot decode <<1,2,3>>"),
    ("", b"\x00", "cannot decode <<0>>"),
]


@pytest.mark.parametrize(("words", "data", "text"), CUT)
@pytest.mark.parametrize("before", [b"", b"four"])
def test_what_are_not_these_fields_is_an_error_that_shows_them(
    words: str, data: bytes, text: str, before: bytes
) -> None:
    with pytest.raises(FrameInvalid) as caught:
        Layout(words).decode(before + data, len(before))
    assert str(caught.value) == text


def test_of_many_fields_only_the_first_octets_are_shown() -> None:
    with pytest.raises(FrameInvalid) as caught:
        Layout("octet").decode(bytes(1000))
    assert len(str(caught.value)) < 255


@pytest.mark.parametrize("data", [b"\x02\xc3\x28", b"\x01\xff", b"\x03\xed\xa0\x80"])
def test_a_short_string_that_is_not_utf_8_is_refused(data: bytes) -> None:
    with pytest.raises(FrameInvalid, match="^Malformed UTF-8 in shortstr$"):
        Layout("shortstr").decode(data)


def test_a_table_that_is_none_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxInvalid, match="table at byte 1"):
        Layout("octet table").decode(b"\x00\x00\x00\x00\x09\x01")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("octet", 256),
        ("short", -1),
        ("long", 2**32),
        ("longlong", "1"),
        ("shortstr", "a" * 256),
        ("shortstr", "é" * 128),
        ("shortstr", "\ud800"),
        ("table", {"k": object()}),
    ],
)
def test_a_value_that_does_not_fit_its_domain_is_not_written(word: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError, struct.error)):
        Layout(word).encode([value])
