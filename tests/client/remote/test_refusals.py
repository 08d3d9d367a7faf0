from __future__ import annotations

import pytest

from minibroker_client.remote import Features
from minibroker_client.remote.refusals import check_consumer, check_queue

ALL = Features(priority=True, delivery_count=True)
NONE = Features(priority=False, delivery_count=False)
PLAIN = False, False


@pytest.mark.parametrize(
    "argument",
    ["x-max-length", "x-max-length-bytes", "x-overflow", "x-single-active-consumer", "x-expires"],
)
def test_what_needs_one_place_that_sees_all_is_refused_by_every_system(argument: str) -> None:
    text = check_queue("jobs", PLAIN, {argument: 1}, ALL)
    assert text is not None
    assert text.startswith(f"queue 'jobs': {argument} is not supported here")


def test_a_stream_is_refused_and_a_quorum_queue_is_not() -> None:
    text = check_queue("q", PLAIN, {"x-queue-type": "stream"}, ALL)
    assert text is not None
    assert "streams are not supported here" in text
    assert check_queue("q", PLAIN, {"x-queue-type": "quorum"}, ALL) is None


def test_what_some_systems_can_do_is_refused_by_the_others_alone() -> None:
    assert check_queue("q", PLAIN, {"x-delivery-limit": 5}, ALL) is None
    text = check_queue("q", PLAIN, {"x-delivery-limit": 5}, NONE)
    assert text is not None
    assert "x-delivery-limit is not supported here" in text


def test_more_levels_than_a_system_can_have_are_refused() -> None:
    assert check_queue("q", PLAIN, {"x-max-priority": 255}, ALL) is None
    few = Features(highest_priority=9)
    assert check_queue("q", PLAIN, {"x-max-priority": 9}, few) is None
    text = check_queue("q", PLAIN, {"x-max-priority": 10}, few)
    assert text == "queue 'q': x-max-priority 10 is not supported here, only up to 9"


def test_a_queue_goes_with_its_consumers_only_where_one_connection_has_them_all() -> None:
    text = check_queue("q", (False, True), {}, ALL)
    assert text is not None
    assert "auto_delete is not supported here unless the queue is exclusive" in text
    assert check_queue("q", (True, True), {}, ALL) is None
    assert check_queue("q", (True, False), {}, ALL) is None


def test_what_every_system_does_is_not_refused() -> None:
    arguments = {"x-message-ttl": 1, "x-dead-letter-exchange": "e", "x-redis-layout": "sorted"}
    assert check_queue("q", PLAIN, arguments, NONE) is None


def test_consumers_of_direct_replies_and_exclusive_ones_are_refused() -> None:
    method = "basic.consume"
    text = check_consumer("amq.rabbitmq.reply-to", False, method)
    assert text == f"{method}: direct reply-to is not supported here, declare an exclusive queue"
    text = check_consumer("q", True, method)
    assert text is not None
    assert text.startswith(f"{method}: an exclusive consumer is not supported here")
    assert check_consumer("q", False, method) is None
