from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.sqs.messages import LONGEST_DELAY, entry_of, leased_of, queue_name
from minibroker_client.remote.driver import Outgoing

from .conftest import outgoing

NOW = 1_700_000_000_000
TEXTS = st.none() | st.text(max_size=8)
PROPERTIES = st.builds(
    Properties,
    content_type=TEXTS,
    correlation_id=TEXTS,
    message_id=TEXTS,
    app_id=TEXTS,
    priority=st.none() | st.integers(0, 255),
    headers=st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5), min_size=1),
)


def received(entry: dict[str, Any], count: int = 1) -> dict[str, Any]:
    """What SQS answers for what was sent."""
    return {
        "MessageId": "of SQS",
        "ReceiptHandle": "handle",
        "Body": entry["MessageBody"],
        "Attributes": {"ApproximateReceiveCount": str(count)},
        "MessageAttributes": entry["MessageAttributes"],
    }


@given(PROPERTIES, st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_any_message_comes_back_as_it_was(properties: Properties, body: bytes) -> None:
    entry = entry_of(Outgoing("q", Message("e", "k", properties, body), NOW), NOW)
    leased = leased_of("q", received(entry, 3))
    assert leased.message.properties == properties
    assert (leased.message.exchange, leased.message.routing_key) == ("e", "k")
    assert leased.message.body == body
    assert (leased.token, leased.deliveries, leased.expires) == ("handle", 2, NOW)


@given(PROPERTIES, st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_sqs_takes_what_is_written(properties: Properties, body: bytes) -> None:
    entry = entry_of(Outgoing("q", Message("e", "k", properties, body)), NOW)
    attributes = entry["MessageAttributes"]
    assert len(attributes) <= 10
    for text in (entry["MessageBody"], *(each["StringValue"] for each in attributes.values())):
        assert text
        assert not re.search("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)


def test_text_and_the_usual_properties_are_for_others_to_read() -> None:
    entry = entry_of(outgoing("grüß".encode(), content_type="text/plain", type="greeting"), NOW)
    assert entry["MessageBody"] == "grüß"
    found = {name: each["StringValue"] for name, each in entry["MessageAttributes"].items()}
    assert found.pop("properties") == '{"routing_key": "q"}'
    assert found == {"content_type": "text/plain", "type": "greeting"}


@pytest.mark.parametrize(
    ("delay", "seconds", "due"),
    [
        (0, None, None),
        (1, 1, None),
        (1500, 2, None),
        (LONGEST_DELAY * 1000, LONGEST_DELAY, None),
        (LONGEST_DELAY * 1000 + 1, LONGEST_DELAY, NOW + LONGEST_DELAY * 1000 + 1),
        (86_400_000, LONGEST_DELAY, NOW + 86_400_000),
    ],
)
def test_a_delay_over_the_longest_is_handed_out_with_its_time(
    delay: int, seconds: int | None, due: int | None
) -> None:
    entry = entry_of(outgoing(delay=delay), NOW)
    assert entry.get("DelaySeconds") == seconds
    assert leased_of("q", received(entry)).due == due


def test_a_fifo_queue_holds_nothing_itself() -> None:
    entry = entry_of(outgoing(queue="q.fifo", delay=700), NOW)
    assert "DelaySeconds" not in entry
    assert leased_of("q.fifo", received(entry)).due == NOW + 700


@pytest.mark.parametrize("key", ["a", "a b", "grüß", "", "k" * 200])
def test_a_fifo_group_is_one_that_sqs_takes(key: str) -> None:
    entry = entry_of(Outgoing("q.fifo", Message("", key, Properties(), b"")), NOW)
    assert re.fullmatch(r"[!-~]{1,128}", entry["MessageGroupId"])


def test_routing_keys_with_different_letters_are_different_groups() -> None:
    groups = {
        entry_of(Outgoing("q.fifo", Message("", key, Properties(), b"")), NOW)["MessageGroupId"]
        for key in ("a b", "a  b", "ä", "ö", "a", "k" * 200, "k" * 201)
    }
    assert len(groups) == 7


@pytest.mark.parametrize(
    ("text", "kind"),
    [("plain", "text/plain"), ('{"n": 1}', "application/json"), ("[1]", "application/json")],
)
def test_a_message_of_another_program_is_its_text(text: str, kind: str) -> None:
    found = {"MessageId": "m", "ReceiptHandle": "h", "Body": text}
    leased = leased_of("q", found)
    assert (leased.message.body, leased.message.routing_key) == (text.encode(), "q")
    assert leased.message.properties == Properties(content_type=kind, message_id="m")


def test_attributes_of_another_program_are_headers() -> None:
    attributes = {
        "kind": {"DataType": "String", "StringValue": "order"},
        "size": {"DataType": "Number", "StringValue": "7"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    found = {"ReceiptHandle": "h", "Body": "x", "MessageAttributes": attributes}
    headers = leased_of("q", found).message.properties.headers
    assert headers == {"kind": "order", "size": "7", "raw": b"\x00\xff"}


@pytest.mark.parametrize("text", ["no json", "[1]", "7"])
def test_an_attribute_that_happens_to_be_named_as_ours_is_another_programs(text: str) -> None:
    attributes = {"properties": {"DataType": "String", "StringValue": text}}
    found = {"ReceiptHandle": "h", "Body": "x", "MessageAttributes": attributes}
    leased = leased_of("q", found)
    assert (leased.message.body, leased.message.properties.content_type) == (b"x", "text/plain")


def test_a_body_that_is_not_the_base64_it_says_stays_as_it_is() -> None:
    fields = json.dumps({"body_encoding": "base64"})
    attributes = {"properties": {"DataType": "String", "StringValue": fields}}
    found = {"ReceiptHandle": "h", "Body": "no base64!", "MessageAttributes": attributes}
    assert leased_of("q", found).message.body == b"no base64!"


@pytest.mark.parametrize("name", ["jobs", "jobs.fifo", "A-z_0", "x" * 80])
def test_a_name_that_fits_stays(name: str) -> None:
    assert queue_name(name, "") == name


@given(st.text(min_size=1, max_size=100), st.sampled_from(["", "p-", "t" * 60 + "-"]))
def test_any_name_is_made_one_that_sqs_takes(name: str, prefix: str) -> None:
    made = queue_name(name, prefix)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo", made)
    assert made.endswith(".fifo") == name.endswith(".fifo")


def test_names_that_differ_in_what_does_not_fit_stay_apart() -> None:
    names = ["a.b", "a b", "a-b", "a:b", "x" * 100, "x" * 101, "a.b.fifo"]
    assert len({queue_name(name, "") for name in names}) == len(names)
    assert queue_name("a.b", "").startswith("a-b-")
