from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import ConnectionForced
from minibroker.message import Message
from minibroker.properties import PLAIN
from minibroker_client import exceptions
from minibroker_client.remote.declared import READ_AGAIN

from .fake import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fake import Clock, FakeSide

    Opened = Callable[..., FakeSide]

METHODS = ["version", "load", "add", "declare", "put", "lease", "ack", "nack", "size", "purge"]
AGEING = replace(FEATURES, refresh=5.0)


def do_all(side: FakeSide) -> None:
    """Something that asks each method of the driver."""
    side.channel.declare_queue("other")
    side.publish("q")
    side.channel.purge_queue("q")
    side.publish("q")
    side.publish("q")
    side.consume()
    side.drain_all()
    side.channel.ack(1)
    side.channel.nack(2)
    side.channel.declare_queue("q", passive=True)


def test_all_methods_are_asked_when_nothing_fails(side: FakeSide, opened: Opened) -> None:
    opened().channel.declare_queue("of another")
    do_all(side)
    assert {call[0] for call in side.driver.calls} >= set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_system_that_is_lost_anywhere_ends_the_connection(
    side: FakeSide, opened: Opened, method: str
) -> None:
    opened().channel.declare_queue("of another")
    side.driver.fails.add(method)
    with pytest.raises(exceptions.ConnectionForced, match=f"{method} failed"):
        do_all(side)
    assert side.connection.closed
    assert side.channel.lost
    assert side.driver.calls[-1] == ("close",)
    assert side.keeper.told[-1] == "stop"


def test_nothing_more_is_asked_of_a_system_that_is_lost(side: FakeSide) -> None:
    side.channel.declare_queue("mine", exclusive=True)
    side.channel.declare_exchange("e", "fanout", auto_delete=True)
    side.channel.bind_queue("mine", "e")
    side.publish("q")
    side.consume()
    side.drain_all()
    side.driver.calls.clear()
    side.remote.lost(RuntimeError("the cable was cut"))
    assert side.driver.calls == [("close",)]
    with pytest.raises(exceptions.RecoverableConnectionError):
        side.publish("q")
    side.connection.close()
    assert side.driver.calls == [("close",)]


def test_the_first_reason_of_the_end_stays(side: FakeSide) -> None:
    first = side.remote.lost(RuntimeError("first"))
    assert isinstance(first, ConnectionForced)
    assert side.remote.lost(RuntimeError("second")) is first is side.remote.error


def test_a_consumer_reads_what_others_declared_once_in_a_while(
    side: FakeSide, clock: Clock
) -> None:
    side.consume()
    side.drain_all()
    side.driver.calls.clear()
    side.drain_all()
    clock.seconds += READ_AGAIN - 0.1
    side.drain_all()
    assert side.driver.taken("version") == []
    clock.seconds += 0.1
    side.drain_all()
    side.drain_all()
    assert side.driver.taken("version") == [("version",)]


def test_what_a_library_says_to_being_closed_meanwhile_is_that_it_is_closed(
    side: FakeSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed_meanwhile(*_: object) -> None:
        side.connection.close()
        raise AttributeError("'NoneType' object has no attribute 'recv'")

    side.consume()
    monkeypatch.setattr(side.driver, "lease", closed_meanwhile)
    with pytest.raises(exceptions.RecoverableConnectionError, match="connection is closed"):
        side.connection.drain(0)


def test_a_mistake_of_a_driver_is_not_taken_for_a_lost_system(
    side: FakeSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> None:
        raise AttributeError("a mistake")

    side.consume()
    monkeypatch.setattr(side.driver, "lease", mistaken)
    with pytest.raises(AttributeError, match="a mistake"):
        side.connection.drain(0)
    assert not side.connection.closed


def test_facts_are_loaded_only_when_their_version_changed(side: FakeSide, opened: Opened) -> None:
    side.remote.refresh(at_once=True)
    side.driver.calls.clear()
    side.remote.refresh(at_once=True)
    assert side.driver.taken("version", "load") == [("version",)]
    opened().channel.declare_queue("another")
    side.remote.refresh(at_once=True)
    assert side.driver.taken("version", "load") == [("version",), ("load",)]


def test_facts_without_a_version_are_loaded_each_time(
    side: FakeSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side.driver, "version", lambda: None)
    side.remote.refresh(at_once=True)
    side.remote.refresh(at_once=True)
    assert side.driver.taken("load") == [("load",), ("load",)]


def test_where_put_does_not_tell_a_publisher_reads_once_in_a_while(
    opened: Opened, clock: Clock
) -> None:
    other, side = opened(AGEING), opened(AGEING)
    side.driver.tells = other.driver.tells = False
    other.channel.declare_exchange("e", "fanout")
    other.channel.declare_queue("q")
    other.channel.declare_queue("late")
    other.channel.bind_queue("q", "e")
    record = side.channel.properties({})
    side.channel.publish("e", "", b"1", record)
    other.channel.bind_queue("late", "e")
    side.channel.publish("e", "", b"2", record)
    clock.seconds += 5
    side.channel.publish("e", "", b"3", record)
    assert side.driver.system.bodies("q") == [b"1", b"2", b"3"]
    assert side.driver.system.bodies("late") == [b"3"]


def test_asking_for_the_routes_of_a_message_moves_nothing(side: FakeSide) -> None:
    side.channel.declare_exchange("e", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    side.driver.calls.clear()
    queue = side.remote.vhost.queues["q"]
    assert side.remote.routes(Message("", "q", PLAIN, b"")) == (queue,)
    assert side.remote.routes(Message("", "nowhere", PLAIN, b"")) == ()
    assert side.remote.routes(Message("not there", "q", PLAIN, b"")) == ()
    assert side.driver.calls == []
    assert side.remote.going == []
