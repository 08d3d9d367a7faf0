from __future__ import annotations

from typing import Any

import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.mongodb.documents import document_of, leased_of
from minibroker_client.remote.driver import Outgoing

FULL = Properties(
    content_type="text/plain", priority=9, correlation_id="c", type="t", headers={"a": [1, b"\xff"]}
)
MESSAGE = Message("e", "k", FULL, b"\x00\xff")
NOW = 1_700_000_000_000


def taken(document: dict[str, Any], count: int = 1) -> dict[str, Any]:
    """The document as it is after leasing."""
    return {**document, "token": "mine", "count": count}


def test_a_message_comes_back_as_it_was() -> None:
    document = document_of(Outgoing("q", MESSAGE, 1234), 7, 5, NOW)
    leased = leased_of(taken(document, 3))
    assert leased.message.properties == FULL
    assert (leased.message.exchange, leased.message.routing_key) == ("e", "k")
    assert leased.message.body == b"\x00\xff"
    assert leased.queue == "q"
    assert (leased.deliveries, leased.expires) == (2, 1234)
    assert leased.token == (document["_id"], "mine")


def test_nobody_has_what_was_just_put() -> None:
    document = document_of(Outgoing("q", MESSAGE), 7, 5, NOW)
    said = {name: document[name] for name in ("queue", "seq", "until", "token", "count")}
    assert said == {"queue": "q", "seq": 7, "until": 0, "token": "", "count": 0}
    assert "expires" not in document
    assert leased_of(taken(document)).expires is None


def test_what_is_delayed_is_not_ready_until_then() -> None:
    assert document_of(Outgoing("q", MESSAGE, None, 500), 7, 5, NOW)["until"] == NOW + 500


@pytest.mark.parametrize(("priority", "order"), [(None, 0), (0, 0), (3, -3), (9, -5)])
def test_a_higher_priority_up_to_the_queues_highest_has_a_lower_order(
    priority: int | None, order: int
) -> None:
    message = Message("", "q", Properties(priority=priority), b"")
    assert document_of(Outgoing("q", message), 7, 5, NOW)["order"] == order


def test_properties_are_fields_for_others_to_read() -> None:
    document = document_of(Outgoing("q", MESSAGE), 7, 5, NOW)
    assert document["body"] == b"\x00\xff"
    assert (document["type"], document["content_type"]) == ("t", "text/plain")


def test_two_documents_of_one_message_have_different_ids() -> None:
    ids = {document_of(Outgoing("q", MESSAGE), 7, 5, NOW)["_id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("body", "expected"), [("text é", "text é"), (7, "7"), (None, "None"), ({"a": 1}, "{'a': 1}")]
)
def test_a_body_of_another_program_is_text(body: object, expected: str) -> None:
    document = {"_id": 1, "queue": "q", "body": body, "token": "mine", "type": "t", "n": 5}
    leased = leased_of(document)
    assert leased.message.body == expected.encode()
    assert leased.message.properties == Properties(content_type="text/plain", type="t")
    assert (leased.message.routing_key, leased.deliveries) == ("q", 0)


def test_a_body_of_another_program_may_say_what_it_is() -> None:
    document = {"_id": 1, "queue": "q", "body": "{}", "token": "t", "content_type": "x/y"}
    assert leased_of(document).message.properties.content_type == "x/y"
