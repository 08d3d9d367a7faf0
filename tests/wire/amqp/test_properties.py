"""The basic properties as bytes: flags, order, what is refused, and any bytes at all."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker import PLAIN, Properties
from minibroker.errors import SyntaxInvalid
from minibroker.fields import FarTimestamp
from minibroker.properties import FIELDS
from minibroker.wire.amqp import decode_properties, encode_properties

from .strategies import MOMENTS, TABLES, carried, damaged, properties

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_SECONDS = struct.pack(">Q", 1795435200)

EVERY = Properties(
    content_type="text/plain",
    content_encoding="utf-8",
    headers={"n": 1},
    delivery_mode=2,
    priority=9,
    correlation_id="c",
    reply_to="r",
    expiration="60000",
    message_id="m",
    timestamp=NOON,
    type="t",
    user_id="guest",
    app_id="é",
)
EVERY_ENCODED = (
    b"\xff\xf8\x0atext/plain\x05utf-8\x00\x00\x00\x07\x01nI\x00\x00\x00\x01\x02\x09\x01c\x01r"
    b"\x0560000\x01m" + NOON_SECONDS + b"\x01t\x05guest\x02\xc3\xa9"
)

# One property and its encoding: the bits of AMQP 0-9-1 section 4.2.6.1, from the highest.
SINGLE: list[tuple[str, Any, bytes]] = [
    ("content_type", "a", b"\x80\x00\x01a"),
    ("content_encoding", "a", b"\x40\x00\x01a"),
    ("headers", {}, b"\x20\x00\x00\x00\x00\x00"),
    ("headers", {"k": True}, b"\x20\x00\x00\x00\x00\x04\x01kt\x01"),
    ("delivery_mode", 0, b"\x10\x00\x00"),
    ("delivery_mode", 1, b"\x10\x00\x01"),
    ("delivery_mode", 2, b"\x10\x00\x02"),
    ("priority", 255, b"\x08\x00\xff"),
    ("correlation_id", "a", b"\x04\x00\x01a"),
    ("reply_to", "a", b"\x02\x00\x01a"),
    ("expiration", "0", b"\x01\x00\x010"),
    ("message_id", "", b"\x00\x80\x00"),
    ("timestamp", NOON, b"\x00\x40" + NOON_SECONDS),
    ("type", "a", b"\x00\x20\x01a"),
    ("user_id", "a", b"\x00\x10\x01a"),
    ("app_id", "é" * 127, b"\x00\x08\xfe" + b"\xc3\xa9" * 127),
]


@pytest.mark.parametrize(("name", "value", "encoded"), SINGLE)
def test_a_property_has_its_flag_and_its_value(name: str, value: Any, encoded: bytes) -> None:
    single = PLAIN.replace(**{name: value})
    assert encode_properties(single) == encoded
    assert decode_properties(encoded) == (single, len(encoded))


def test_the_properties_follow_their_flags_in_the_order_of_amqp() -> None:
    assert list(EVERY.as_dict()) == list(FIELDS)
    assert encode_properties(EVERY) == EVERY_ENCODED
    assert decode_properties(EVERY_ENCODED) == (EVERY, len(EVERY_ENCODED))


def test_no_property_is_no_flag() -> None:
    assert encode_properties(PLAIN) == b"\x00\x00"
    assert decode_properties(b"\x00\x00") == (PLAIN, 2)


def test_empty_headers_are_present_and_absent_ones_are_not() -> None:
    assert decode_properties(encode_properties(Properties(headers={})))[0].headers == {}
    assert decode_properties(encode_properties(Properties(priority=1)))[0].headers is None


def test_properties_are_read_from_the_middle_and_what_follows_is_left_alone() -> None:
    for single in (PLAIN, Properties(delivery_mode=2), EVERY):
        encoded = encode_properties(single)
        assert decode_properties(b"ab" + encoded + b"cd", 2) == (single, 2 + len(encoded))


def test_what_the_broker_inspects_is_known_after_reading() -> None:
    assert decode_properties(EVERY_ENCODED)[0].inspect
    assert not decode_properties(b"\x10\x00\x02")[0].inspect
    assert decode_properties(b"\x10\x00\x03")[0].inspect


def test_a_cluster_id_is_read_and_dropped() -> None:
    assert decode_properties(b"\x00\x0c\x01a\x02id") == (Properties(app_id="a"), 7)
    assert decode_properties(b"\x00\x04\x02id") == (PLAIN, 5)


def test_further_words_of_flags_are_skipped_when_they_name_no_property() -> None:
    assert decode_properties(b"\x08\x01\x00\x01\x00\x00\x05") == (Properties(priority=5), 7)
    assert decode_properties(b"\x00\x01\x00\x00") == (PLAIN, 4)


def test_a_timestamp_is_written_in_whole_seconds() -> None:
    late = Properties(timestamp=NOON + timedelta(microseconds=999_999))
    assert decode_properties(encode_properties(late))[0] == Properties(timestamp=NOON)


@given(properties(TABLES, MOMENTS, st.text(max_size=12)))
def test_what_was_written_is_read(original: Properties) -> None:
    encoded = encode_properties(original)
    assert decode_properties(encoded) == (
        original.replace(headers=carried(original.headers), timestamp=carried(original.timestamp)),
        len(encoded),
    )


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("content_type", b"a", TypeError, "property 'content_type': b'a' is not a string"),
        ("expiration", 60, TypeError, "property 'expiration': 60 is not a string"),
        ("type", "a" * 256, ValueError, "aaa' is longer than 255 bytes"),
        ("app_id", "é" * 128, ValueError, "property 'app_id': 'éé"),
        ("user_id", "\ud800", ValueError, r"property 'user_id': '\ud800' is not Unicode text"),
        ("delivery_mode", "2", TypeError, "property 'delivery_mode': '2' is not an integer"),
        ("delivery_mode", 1.0, TypeError, "property 'delivery_mode': 1.0 is not an integer"),
        ("priority", 256, ValueError, "property 'priority': 256 is not from 0 to 255"),
        ("priority", -1, ValueError, "property 'priority': -1 is not from 0 to 255"),
        ("timestamp", 5, TypeError, "property 'timestamp': 5 is not a datetime"),
        ("timestamp", NOON.replace(tzinfo=None), ValueError, "12, 0) has no time zone"),
        ("timestamp", NOON.replace(year=1969), ValueError, "is before 1970"),
        ("headers", [1], TypeError, "property 'headers': [1] is not a table"),
        ("headers", {"tags": {1}}, TypeError, "field 'tags': {1} of type set is no AMQP field"),
        ("headers", {"n": 2**63}, ValueError, "field 'n': 9223372036854775808 does not fit"),
    ],
)
def test_what_a_property_cannot_hold_is_refused_by_name_and_value(
    name: str, value: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        encode_properties(PLAIN.replace(**{name: value}))
    assert type(caught.value) is error
    assert text in str(caught.value)


@pytest.mark.parametrize("timestamp", [NOON, FarTimestamp(2**40)])
def test_it_is_the_property_at_fault_that_is_named(timestamp: datetime | FarTimestamp) -> None:
    fine = Properties(content_type="a", headers={}, priority=5, timestamp=timestamp)
    with pytest.raises(ValueError, match="property 'app_id': 'aaa"):
        encode_properties(fine.replace(app_id="a" * 256))


def test_a_timestamp_after_the_year_9999_goes_through_as_it_came() -> None:
    encoded = b"\x00\x40" + struct.pack(">Q", 2**60)
    decoded, end = decode_properties(encoded)
    assert (decoded.timestamp, end) == (FarTimestamp(2**60), len(encoded))
    assert encode_properties(decoded) == encoded


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "property flags at byte 0 run past the end"),
        (b"\x10", "property flags at byte 0 run past the end"),
        (b"\x00\x01\x00", "property flags at byte 2 run past the end"),
        (b"\x00\x02", "property flags 0x0002 at byte 0 are of no property"),
        (b"\x00\x01\x80\x00\x01a", "property flags 0x8000 at byte 2 are of no property"),
        (b"\x10\x00", "property 'delivery_mode' at byte 2 runs past the end"),
        (b"\x80\x08\x01a", "property 'app_id' at byte 4 runs past the end"),
        (b"\xc0\x00\x02a", "property 'content_type' at byte 2 runs past the end"),
        (b"\x00\x44\x00\x00", "property 'timestamp' at byte 2 runs past the end"),
        (b"\x00\x04\x01", "property 'cluster_id' at byte 2 runs past the end"),
        (b"\x00\x10\x01\xff", "property 'user_id' at byte 2 is not UTF-8"),
        (b"\x20\x00\x00", "table at byte 2 has no length"),
        (b"\x20\x00\x00\x00\x00\x03\x01kZ", "unknown field type 'Z' at byte 8"),
    ],
)
def test_what_are_no_properties_is_a_syntax_error_that_says_what_and_where(
    data: bytes, text: str
) -> None:
    with pytest.raises(SyntaxInvalid) as caught:
        decode_properties(data)
    assert text in str(caught.value)


@given(properties(TABLES, MOMENTS, st.text(max_size=4)), st.data())
def test_properties_that_were_cut_short_are_refused(
    original: Properties, data: st.DataObject
) -> None:
    encoded = encode_properties(original)
    with pytest.raises(SyntaxInvalid):
        decode_properties(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@given(
    st.binary(max_size=30)
    | damaged(properties(TABLES, MOMENTS, st.text(max_size=4)).map(encode_properties))
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        decoded, end = decode_properties(data)
    except SyntaxInvalid:
        return
    assert end <= len(data)
    assert decode_properties(encode_properties(decoded))[0].as_dict().keys() == (
        decoded.as_dict().keys()
    )


def test_milliseconds_where_seconds_are_wanted_come_back_as_they_were_sent() -> None:
    data = b"\x00\x40" + (1_767_225_600_000).to_bytes(8, "big")
    properties, end = decode_properties(data)
    assert (properties.timestamp, end) == (1_767_225_600_000, 10)
    assert encode_properties(properties) == data
