from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import exceptions

if TYPE_CHECKING:
    from .fake import FakeSide, FakeSystem


def test_channels_are_numbered_from_one(side: FakeSide) -> None:
    other = side.another()
    assert (side.channel.channel_id, other.channel_id) == (1, 2)


def test_a_closed_connection_opens_no_channel(side: FakeSide) -> None:
    side.connection.close()
    with pytest.raises(exceptions.RecoverableConnectionError):
        side.another()


def test_whoever_meets_the_end_first_is_told_why_and_others_that_it_is_closed(
    side: FakeSide,
) -> None:
    side.driver.fails.add("put")
    with pytest.raises(exceptions.ConnectionForced, match="put failed"):
        side.publish("q")
    with pytest.raises(exceptions.RecoverableConnectionError, match="connection is closed"):
        side.publish("q")


def test_who_drains_is_told_why_the_system_was_lost_in_the_background(side: FakeSide) -> None:
    side.consume()
    side.remote.lost(RuntimeError("the cable was cut"))
    with pytest.raises(exceptions.ConnectionForced, match="the cable was cut"):
        side.connection.drain(0)
    assert side.channel.lost


def test_an_error_of_a_channel_leaves_the_connection_and_other_channels(side: FakeSide) -> None:
    other = side.another()
    with pytest.raises(exceptions.NotFound):
        side.channel.declare_queue("not there", passive=True)
    assert side.channel.closed
    assert not side.channel.lost
    assert other.declare_queue("q", passive=True).queue == "q"


def test_taking_events_keeps_deliveries_and_their_order(side: FakeSide) -> None:
    for number in range(3):
        side.publish("q", b"%d" % number)
    side.channel.confirm_select()
    side.consume()
    side.connection.drain(0)
    number = side.publish("q", b"3")
    side.remote.flush()
    link: Any = side.connection
    link.take_events()
    assert len(side.deliveries) == 1
    assert side.channel.unconfirmed == 0
    assert side.channel.confirmed(number)
    assert side.drain_all() == [b"1", b"2", b"3"]


def test_what_is_fetched_lies_here_until_it_is_dispatched(side: FakeSide) -> None:
    link: Any = side.connection
    side.publish("q")
    assert not link.consumes
    side.consume()
    assert link.consumes
    link.fetch(0.0)
    assert side.deliveries == []
    assert link.dispatch_one()
    assert [each.message.body for each in side.deliveries] == [b"hello"]
    assert not link.dispatch_one()


def test_fetching_sends_what_was_settled(side: FakeSide, system: FakeSystem) -> None:
    link: Any = side.connection
    side.publish("q", b"1")
    side.publish("q", b"2")
    side.consume()
    side.drain_all()
    side.channel.ack(1)
    link.fetch(0.0)
    assert len(system.queues["q"]) == 1


def test_whoever_fetches_is_told_why_the_system_was_lost(side: FakeSide) -> None:
    link: Any = side.connection
    side.consume()
    side.driver.fails.add("lease")
    with pytest.raises(exceptions.ConnectionForced, match="lease failed"):
        link.fetch(0.0)
    assert link.closed


def test_there_is_no_heartbeat_to_miss(side: FakeSide) -> None:
    side.driver.calls.clear()
    side.connection.heartbeat_check()
    assert side.driver.calls == []
