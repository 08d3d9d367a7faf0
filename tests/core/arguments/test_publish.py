"""Expiration and sender-selected routing keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.arguments import parse_expiration, sender_selected
from minibroker.arguments.checks import MAX_EXPIRY
from minibroker.errors import PreconditionFailed

if TYPE_CHECKING:
    from minibroker.fields import FieldValue


@pytest.mark.semantics(58)
@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("0", 0), ("1", 1), ("60000", 60_000), ("007", 7), ("+5", 5), ("-0", 0),
     (str(MAX_EXPIRY), MAX_EXPIRY)],
)  # fmt: skip
def test_an_expiration_is_a_decimal_number_of_milliseconds(text: str, milliseconds: int) -> None:
    assert parse_expiration(text) == milliseconds


@pytest.mark.semantics(58)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_integer"),
        ("abc", "no_integer"),
        (" 5", "no_integer"),
        ("-", "no_integer"),
        ("٣", "no_integer"),
        ("10foobar", '{leftover_string,"foobar"}'),
        ("1.5", '{leftover_string,".5"}'),
        ("1\n", '{leftover_string,"\n"}'),
        ("-1", "{value_negative,-1}"),
        ("-1x", '{leftover_string,"x"}'),
        (str(MAX_EXPIRY + 1), "{value_too_large,315360000001}"),
        ("9" * 200, f"{{value_too_large,{'9' * 200}}}"),
    ],
)
def test_any_other_expiration_is_refused_with_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        parse_expiration(text)
    assert str(caught.value) == f"invalid expiration '{text}': {reason}"


@given(st.integers(0, MAX_EXPIRY))
def test_every_number_in_range_is_parsed(milliseconds: int) -> None:
    assert parse_expiration(str(milliseconds)) == milliseconds


@given(st.text(max_size=10))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        assert 0 <= parse_expiration(text) <= MAX_EXPIRY
    except PreconditionFailed as error:
        assert "invalid expiration" in str(error)


def test_a_number_of_thousands_of_digits_is_refused_as_too_large() -> None:
    with pytest.raises(PreconditionFailed, match="value_too_large"):
        parse_expiration("9" * 10_000)


@pytest.mark.semantics(51)
@pytest.mark.parametrize(
    ("headers", "keys"),
    [
        (None, ((), ())),
        ({}, ((), ())),
        ({"a": 1}, ((), ())),
        ({"CC": ["a", "b"]}, (("a", "b"), ())),
        ({"BCC": ["c"]}, ((), ("c",))),
        ({"CC": ("a",), "BCC": ["c"]}, (("a",), ("c",))),
        ({"CC": ["a", 5, None, b"b"]}, (("a",), ())),
        ({"cc": ["a"]}, ((), ())),
    ],
)
def test_cc_and_bcc_are_arrays_of_further_routing_keys(
    headers: dict[str, FieldValue] | None, keys: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    assert sender_selected(headers) == keys


@pytest.mark.semantics(51)
@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("CC", 5, "signedint"), ("BCC", "a", "longstr"), ("CC", None, "void"), ("CC", {}, "table")],
)
def test_a_cc_that_is_no_array_is_refused(name: str, value: FieldValue, kind: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        sender_selected({name: value})
    assert str(caught.value) == (
        f'invalid message: {{unacceptable_type_in_header,"{name}",{kind}}}'
    )
