"""Kombu's envelope, against Kombu itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.fields import FarTimestamp
from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.remote.kombu import (
    envelope_in,
    envelope_of,
    is_asked_for,
    message_of_envelope,
)

from ...interop.needed import needed_module

if TYPE_CHECKING:
    from collections.abc import Iterator

kombu = needed_module("kombu")
kombu_json = needed_module("kombu.utils.json")
texts = st.text(max_size=20)
seconds = st.datetimes(timezones=st.just(UTC)).map(lambda found: found.replace(microsecond=0))
names = st.none() | texts
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
moments = st.datetimes(timezones=st.just(UTC)) | st.decimals(allow_nan=False) | st.binary()
values = st.recursive(
    scalars | moments,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
headers = st.dictionaries(texts, values, max_size=4)
properties = st.builds(
    Properties,
    content_type=names,
    content_encoding=names,
    headers=headers,
    delivery_mode=st.none() | st.sampled_from([1, 2]),
    priority=st.none() | st.integers(0, 255),
    correlation_id=names,
    reply_to=names,
    expiration=st.none() | st.integers(0).map(str),
    message_id=names,
    timestamp=st.none() | seconds,
    type=names,
    user_id=names,
    app_id=names,
)
messages = st.builds(Message, texts, texts, properties, st.binary(max_size=50))


@pytest.fixture(scope="module")
def channel() -> Iterator[Any]:
    """A channel of Kombu's own transport in memory, which encodes as all virtual ones do."""
    with kombu.Connection("memory://") as connection:
        yield connection.default_channel


def parts(message: Message) -> tuple[Any, ...]:
    found = message.properties.as_dict()
    found.setdefault("headers", {})
    return message.exchange, message.routing_key, found, message.body


@given(messages)
def test_a_message_is_the_same_after_its_envelope(message: Message) -> None:
    found = message_of_envelope(envelope_of(message), "q")
    assert found is not None
    assert parts(found) == parts(message)


@given(messages)
def test_kombu_reads_what_is_written(channel: Any, message: Message) -> None:
    found = channel.message_to_python(kombu_json.loads(envelope_of(message)))
    assert (found.body or b"") == message.body
    assert found.headers == message.headers
    assert found.content_type == message.properties.content_type
    assert found.content_encoding == message.properties.content_encoding
    assert found.delivery_info == {"exchange": message.exchange, "routing_key": message.routing_key}
    for name in ("delivery_mode", "priority", "correlation_id", "reply_to", "message_id", "type"):
        assert found.properties.get(name) == getattr(message.properties, name)


@given(
    body=st.binary(max_size=50) | texts,
    exchange=texts,
    routing_key=texts,
    headers=headers,
    priority=st.none() | st.integers(0, 9),
    given=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("correlation_id", "reply_to", "message_id", "type"), texts)
    ),
)
def test_what_kombu_writes_is_read(
    channel: Any,
    body: bytes | str,
    exchange: str,
    routing_key: str,
    headers: dict[str, Any],
    priority: int | None,
    given: dict[str, Any],
) -> None:
    raw = channel.prepare_message(
        body, priority, "text/plain", "utf-8", headers, {**given, "delivery_mode": 2}
    )
    channel._inplace_augment_message(raw, exchange, routing_key)
    message = message_of_envelope(kombu_json.dumps(raw), "q")
    assert message is not None
    assert message.body == (body.encode() if isinstance(body, str) else body)
    assert (message.exchange, message.routing_key) == (exchange, routing_key)
    assert message.headers == headers
    assert message.properties == Properties(
        content_type="text/plain",
        content_encoding="utf-8",
        headers=headers or None,
        delivery_mode=2,
        priority=priority or 0,
        **given,
    )


@given(st.text() | st.binary())
def test_any_other_text_is_no_envelope(text: str | bytes) -> None:
    assert message_of_envelope(text, "q") is None


keys = st.sampled_from(["body", "properties", "headers", "delivery_tag", "delivery_info"])


@given(st.recursive(scalars, lambda inner: st.dictionaries(keys, inner)))
def test_no_json_is_a_surprise(value: Any) -> None:
    envelope_in(json.dumps(value), "q")


def test_each_envelope_of_a_message_has_a_tag_of_its_own() -> None:
    message = Message("", "q", Properties(), b"")
    tags = {json.loads(envelope_of(message))["properties"]["delivery_tag"] for _ in range(3)}
    assert len(tags) == 3


def test_the_times_of_a_message_travel_along() -> None:
    text = envelope_of(Message("", "q", Properties(), b""), expires=5, due=3)
    found = envelope_in(text, "q")
    assert found is not None
    assert (found.expires, found.due, found.redelivered) == (5, 3, False)


@pytest.mark.parametrize("where", ["delivery_info", "top"])
def test_an_envelope_says_whether_it_was_given_back(where: str) -> None:
    raw = json.loads(envelope_of(Message("", "q", Properties(), b"")))
    (raw["properties"]["delivery_info"] if where == "delivery_info" else raw)["redelivered"] = True
    found = envelope_in(json.dumps(raw), "q")
    assert found is not None
    assert found.redelivered


@pytest.mark.parametrize("encoding", [None, "utf-8", "UTF-8"])
def test_a_body_of_text_is_read_as_such(encoding: str | None) -> None:
    raw = json.loads(envelope_of(Message("", "q", Properties(), b"")))
    raw["body"], raw["properties"]["body_encoding"] = "grün", encoding
    found = message_of_envelope(json.dumps(raw), "q")
    assert found is not None
    assert found.body == "grün".encode()


@pytest.mark.parametrize(
    ("body", "encoding"), [("a", "base64"), ("a", "rot13"), (5, None), ({"a": 1}, "base64")]
)
def test_an_unreadable_body_makes_it_no_envelope(body: Any, encoding: str | None) -> None:
    raw = json.loads(envelope_of(Message("", "q", Properties(), b"")))
    raw["body"], raw["properties"]["body_encoding"] = body, encoding
    assert message_of_envelope(json.dumps(raw), "q") is None


def test_a_header_of_an_unknown_type_stays_as_it_is_written() -> None:
    raw = json.loads(envelope_of(Message("", "q", Properties(), b"")))
    raw["headers"] = odd = {"h": {"__type__": "complex", "__value__": "1j"}}
    found = message_of_envelope(json.dumps(raw), "q")
    assert found is not None
    assert found.headers == odd


def test_an_unreadable_property_is_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw = json.loads(envelope_of(Message("", "q", Properties(type="t"), b"")))
    raw["properties"] |= {"priority": -1, "reply_to": {}, "timestamp": "soon", "message_id": 7}
    found = message_of_envelope(json.dumps(raw), "q")
    assert found is not None
    assert found.properties == Properties(type="t", message_id="7")
    assert len(caplog.records) == 3


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1.5, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ({"__type__": "datetime", "__value__": "1970-01-01T00:00:02"},
         datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)),
        (1 << 50, FarTimestamp(1 << 50)),
    ],
)  # fmt: skip
def test_a_timestamp_may_be_a_number_or_a_time(written: Any, read: Any) -> None:
    raw = json.loads(envelope_of(Message("", "q", Properties(), b"")))
    raw["properties"]["timestamp"] = written
    found = message_of_envelope(json.dumps(raw), "q")
    assert found is not None
    assert found.properties.timestamp == read


def test_the_option_is_kombu_or_left_out() -> None:
    assert is_asked_for({"envelope": "kombu"})
    assert not is_asked_for({})
    with pytest.raises(ValueError, match="'celery'"):
        is_asked_for({"envelope": "celery"})
