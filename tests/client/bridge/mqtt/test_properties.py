from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker_client.bridge.mqtt.properties import (
    CORRELATION,
    RETAINED,
    Values,
    is_retained,
    received,
    sent,
)
from minibroker_client.bridge.transforms import HOPS

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def there_and_back(values: Values, prefix: str = "") -> Values:
    return received(SimpleNamespace(**sent(values, prefix)), 1, False, prefix)


def test_all_properties_come_back() -> None:
    values = Values(
        content_type="text/plain", content_encoding="utf-8", headers={"a": "b", HOPS: ["up"]},
        delivery_mode=2, priority=7, correlation_id="c", reply_to="replies.me",
        expiration="60000", message_id="m", timestamp=datetime(2026, 1, 2, tzinfo=UTC),
        type="t", app_id="app",
    )  # fmt: skip
    assert there_and_back(values, "site") == values
    assert sent(values, "site")["ResponseTopic"] == "site/replies/me"


@given(st.dictionaries(texts, texts), texts, texts)
def test_headers_and_ids_that_are_texts_come_back(
    headers: dict[str, str], message_id: str, correlation_id: str
) -> None:
    named = {f"x-{name}": text for name, text in headers.items()}
    named.pop(RETAINED, None)
    values = there_and_back(
        Values(headers=named, message_id=message_id, correlation_id=correlation_id)
    )
    assert values.headers == (named or None)
    assert (values.message_id, values.correlation_id) == (message_id, correlation_id)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        (b"\xff", "/w=="),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        ({"a": [1]}, '{"a": [1]}'),
        ([[1], 2], "[[1], 2]"),
        ([], "[]"),
        ([1, "b"], ["1", "b"]),
        (["alone"], "alone"),
    ],
)
def test_other_headers_arrive_as_texts(value: Any, text: Any) -> None:
    assert there_and_back(Values(headers={"h": value})).headers == {"h": text}


def test_the_names_of_links_stay_a_list() -> None:
    assert there_and_back(Values(headers={HOPS: ["up"]})).headers == {HOPS: ["up"]}
    assert there_and_back(Values(headers={HOPS: ["a", "b"]})).headers == {HOPS: ["a", "b"]}
    three = SimpleNamespace(UserProperty=[("x", "1"), ("x", "2"), ("x", "3")])
    assert received(three, 1, False).headers == {"x": ["1", "2", "3"]}


def test_an_expiration_is_rounded_up_to_seconds() -> None:
    assert sent(Values(expiration="1"))["MessageExpiryInterval"] == 1
    assert sent(Values(expiration="0"))["MessageExpiryInterval"] == 0
    assert sent(Values(expiration=str(10**15)))["MessageExpiryInterval"] == 2**32 - 1


def test_correlation_data_that_is_no_text_is_a_header_of_bytes() -> None:
    values = received(SimpleNamespace(CorrelationData=b"\xff"), 1, False)
    assert (values.correlation_id, values.headers) == (None, {CORRELATION: b"\xff"})
    assert sent(values)["CorrelationData"] == b"\xff"


def test_a_retained_message_says_so_in_a_header_that_does_not_travel() -> None:
    values = received(None, 1, True)
    assert values.headers == {RETAINED: True}
    assert is_retained(values)
    assert not is_retained(Values(headers={RETAINED: False}))
    assert not is_retained(Values())
    assert "UserProperty" not in sent(Values(headers={RETAINED: True}))


def test_the_level_of_service_is_the_delivery_mode() -> None:
    assert [received(None, qos, False).delivery_mode for qos in (0, 1)] == [1, 2]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("amqp-priority", "high"),
        ("amqp-priority", "256"),
        ("amqp-timestamp", "9" * 30),
        ("amqp-delivery-mode", "²"),
    ],
)
def test_what_is_no_value_of_a_property_stays_a_header(name: str, text: str) -> None:
    values = received(SimpleNamespace(UserProperty=[(name, text)]), 1, False)
    assert values == Values(headers={name: text}, delivery_mode=2)


@pytest.mark.parametrize(
    "values",
    [
        Values(message_id="a\0b"),
        Values(headers={"a\0": "b"}),
        Values(content_type="x" * 65536),
        Values(reply_to="a.#"),
        Values(expiration="soon"),
    ],
)
def test_what_mqtt_cannot_carry_is_refused(values: Values) -> None:
    with pytest.raises(ValueError, match=r"MQTT|invalid literal"):
        sent(values)


def test_a_header_that_amqp_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="a header of MQTT"):
        sent(Values(headers={"x": object()}))
