from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.fields import FarTimestamp
from minibroker.message import Message
from minibroker.properties import FIELDS, PLAIN, Properties
from minibroker_client.remote.fields import foreign, message_of, texts_of

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001 -- the zone is added
    lambda moment: moment.replace(microsecond=0)
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | MOMENTS
)
NAMES = st.text(max_size=5)
HEADERS = st.dictionaries(
    NAMES,
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
        max_leaves=4,
    ),
    min_size=1,
    max_size=3,
)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "headers": HEADERS,
    "delivery_mode": st.integers(0, 255),
    "priority": st.integers(0, 255),
    "timestamp": MOMENTS,
}
PROPERTIES = st.builds(
    Properties, **{name: st.none() | KINDS.get(name, st.text(max_size=8)) for name in FIELDS}
)


@given(PROPERTIES, st.text(max_size=8), st.text(max_size=8), st.binary(max_size=8))
def test_any_message_comes_back_from_its_texts(
    properties: Properties, exchange: str, routing_key: str, body: bytes
) -> None:
    texts = texts_of(Message(exchange, routing_key, properties, body))
    assert all(isinstance(value, str) for value in texts.values())
    found = message_of(texts, body, "q")
    assert (found.exchange, found.routing_key, found.body) == (exchange, routing_key, body)
    assert found.properties == properties


def test_what_is_absent_has_no_field_and_shares_the_plain_properties() -> None:
    texts = texts_of(Message("", "q", PLAIN, b""))
    assert texts == {"routing_key": "q"}
    assert message_of(texts, b"", "q").properties is PLAIN


def test_a_timestamp_beyond_the_calendar_stays_a_number_of_seconds() -> None:
    far = FarTimestamp(1_700_000_000_000)
    texts = texts_of(Message("", "q", Properties(timestamp=far), b""))
    assert texts["timestamp"] == "1700000000000"
    found = message_of(texts, b"", "q").properties.timestamp
    assert (type(found), found) == (FarTimestamp, far)


def test_a_message_without_fields_is_of_the_queue_it_was_found_in() -> None:
    found = message_of({}, b"body", "q")
    assert (found.exchange, found.routing_key, found.body) == ("", "q", b"body")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority", "high"),
        ("priority", "256"),
        ("delivery_mode", "-1"),
        ("timestamp", "yesterday"),
        ("headers", "[1]"),
        ("headers", "{"),
        ("headers", '{"a": {"__type__": "unknown", "__value__": 1}}'),
    ],
)
def test_what_another_program_wrote_and_is_not_readable_is_left_out_with_a_warning(
    name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = message_of({name: value, "type": "kept"}, b"body", "q")
    assert found.properties == Properties(type="kept")
    [record] = caplog.records
    assert f"queue 'q': a message has an unreadable {name} {value!r}" in record.getMessage()


def test_a_foreign_message_has_the_queue_as_its_routing_key() -> None:
    found = foreign(b"text", "q", "text/plain", message_id="7")
    assert (found.exchange, found.routing_key, found.body) == ("", "q", b"text")
    assert found.properties == Properties(content_type="text/plain", message_id="7")
