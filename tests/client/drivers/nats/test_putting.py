from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import outgoing

if TYPE_CHECKING:
    from minibroker_client.drivers.nats import NatsDriver


def test_what_nats_does_not_take_is_refused_and_the_others_of_the_batch_are_there(
    driver: NatsDriver,
) -> None:
    large = b"x" * (driver.features.max_message_size + 1)
    batch = [outgoing(b"1"), outgoing(large), outgoing(b"2"), outgoing(b"3", "nowhere")]
    answer = driver.put(batch)
    assert [each.place for each in answer.refused] == [1, 3]
    assert "NATS takes" in answer.refused[0].reason
    assert "not there" in answer.refused[1].reason
    assert [each.message.body for each in driver.lease([("q", 9)], 1)] == [b"1", b"2"]


def test_the_answer_says_up_to_where_the_declarations_of_others_are_known(
    driver: NatsDriver,
) -> None:
    before = driver.put([outgoing()]).version
    driver.facts.add("key", "value")
    assert driver.put([outgoing()]).version == driver.facts.version() != before
