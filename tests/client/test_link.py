from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection
from minibroker_client.exceptions import NotAllowed, OperationalError, RecoverableConnectionError
from minibroker_client.link import FAILOVER_STRATEGIES
from minibroker_client.parameters import Parameters
from minibroker_client.resilient import ResilientLink

if TYPE_CHECKING:
    from minibroker import Broker
    from minibroker_client.transport.base import Address


class Unreachable:
    """A transport that fails so often before it connects to a broker in memory."""

    def __init__(self, real: Any, failures: int) -> None:
        self.real = real
        self.capabilities = real.capabilities
        self.default_port = real.default_port
        self.failures = failures
        self.tried: list[str | None] = []

    def connect(self, address: Address) -> Any:
        self.tried.append(address.hostname)
        if len(self.tried) <= self.failures:
            raise ConnectionRefusedError(f"attempt {len(self.tried)}")
        return self.real.connect(address)


def unreachable(connection: Connection, failures: int) -> Unreachable:
    """Let a connection fail; what it would have slept is in `slept`."""
    transport = Unreachable(connection._transport, failures)
    connection._transport = transport
    connection.sleep = lambda _: None
    return transport


def test_a_connection_is_made_when_it_is_first_needed(broker: Broker) -> None:
    for use in (
        Connection.connect,
        Connection.channel,
        lambda connection: connection.default_channel,
        Connection.ensure_connection,
    ):
        with Connection(broker) as connection:
            assert not connection.connected
            use(connection)
            assert connection.connected
        assert not connection.connected


def test_draining_connects_first(broker: Broker) -> None:
    with Connection(broker) as connection:
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0)
        assert connection.connected


def test_a_closed_connection_can_be_used_again(connection: Connection) -> None:
    first = connection.default_channel
    connection.close()
    connection.close()
    assert first.closed
    second = connection.default_channel
    assert second is not first
    assert not second.closed
    connection.collect()
    assert second.closed


def test_a_closed_default_channel_is_replaced(connection: Connection) -> None:
    first = connection.default_channel
    assert connection.default_channel is first
    first.close()
    assert connection.default_channel is not first


def test_what_was_declared_is_forgotten_with_the_connection(connection: Connection) -> None:
    connection.connect()
    connection.declared_entities.add(1)
    connection.close()
    assert connection.declared_entities == set()


@pytest.mark.semantics(128)
def test_connecting_is_tried_again_with_growing_waits(broker: Broker) -> None:
    with Connection(broker) as connection:
        unreachable(connection, 3)
        told: list[tuple[str, float]] = []
        slept: list[float] = []
        connection.sleep = slept.append
        connection.ensure_connection(lambda error, wait: told.append((str(error), wait)))
        assert told == [("attempt 1", 2), ("attempt 2", 4), ("attempt 3", 6)]
        assert sum(slept) == 12
        assert connection.connected
        assert connection.ensure_connection() is connection


def test_giving_up_raises_operational_error(broker: Broker) -> None:
    with Connection(broker) as connection:
        unreachable(connection, 9)
        with pytest.raises(OperationalError, match="attempt 3") as caught:
            connection.ensure_connection(max_retries=2)
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_connect_tries_once_and_raises_what_the_transport_said(broker: Broker) -> None:
    with Connection(broker) as connection:
        transport = unreachable(connection, 9)
        with pytest.raises(ConnectionRefusedError, match="attempt 1"):
            connection.connect()
        assert len(transport.tried) == 1


def test_an_error_that_will_not_go_away_is_raised_at_once(broker: Broker) -> None:
    with Connection(broker, virtual_host="x") as connection, pytest.raises(NotAllowed):
        connection.ensure_connection()


def test_the_default_channel_connects_as_the_transport_options_say(broker: Broker) -> None:
    options = {"max_retries": 1, "interval_start": 0, "connect_retries_timeout": 5}
    with Connection(broker, transport_options=options) as connection:
        transport = unreachable(connection, 9)
        with pytest.raises(OperationalError):
            _ = connection.default_channel
        assert len(transport.tried) == 2
        transport.tried.clear()
        transport.failures = 1
        assert connection.default_channel.channel_id == 1


@pytest.mark.semantics(132)
def test_alternates_are_tried_in_turn_and_waits_are_between_rounds() -> None:
    with Connection("memory://a;memory://b") as connection:
        transport = unreachable(connection, 3)
        switched = connection.switch

        def switch(url: str) -> None:
            switched(url)
            connection._transport = transport

        connection.switch = switch  # type: ignore[method-assign, assignment]  # keep the failing transport
        waits: list[float] = []
        connection.ensure_connection(lambda _, wait: waits.append(wait))
        assert transport.tried == ["a", "b", "a", "b"]
        assert waits == [0, 2, 0]
        assert connection.as_uri() == "memory://b//"


def test_the_next_host_is_tried_even_if_the_errback_fails() -> None:
    with Connection(["memory://a", "memory://b"]) as connection:
        unreachable(connection, 1)

        def fail(error: BaseException, wait: float) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            connection.ensure_connection(fail)
        assert connection.parameters.hostname == "b"


def test_a_failover_strategy_may_be_a_function() -> None:
    connection = Connection(["memory://a", "memory://b"], failover_strategy=iter)
    connection.maybe_switch_next()
    assert connection.parameters.hostname == "b"
    connection.switch("c")
    assert connection.parameters.hostname == "c"


def test_without_alternates_there_is_nothing_to_switch_to(connection: Connection) -> None:
    connection.connect()
    connection.maybe_switch_next()
    assert connection.connected


@pytest.mark.semantics(132)
def test_shuffling_goes_through_all_urls_in_each_round() -> None:
    urls = ["a", "b", "c"]
    tried = list(islice(FAILOVER_STRATEGIES["shuffle"](urls), 6))
    assert sorted(tried[:3]) == sorted(tried[3:]) == urls


def test_an_alternate_without_a_transport_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="gopher"):
        Connection("memory://a;gopher://b")


def test_heartbeats_can_be_checked_with_or_without_a_connection(connection: Connection) -> None:
    connection.heartbeat_check()
    connection.connect()
    connection.heartbeat_check()


def test_an_error_while_closing_a_lost_connection_is_ignored(connection: Connection) -> None:
    class Lost:
        closed = False

        def close(self) -> None:
            raise RecoverableConnectionError("lost")

    connection.connect()
    real, connection._link = connection._link, Lost()  # type: ignore[assignment]  # as far as needed
    connection.close()
    assert not connection.connected
    assert real is not None
    real.close()


def test_what_channels_call_their_connection_is_for_the_subclass(broker: Broker) -> None:
    parameters = Parameters(None, transport="memory", broker=broker)
    link = ResilientLink(parameters, None, (), None, None)
    with pytest.raises(NotImplementedError):
        link.channel()
    link.collect()


def test_alternates_besides_the_url_are_all_tried() -> None:
    connection = Connection("memory://a", alternates=["memory://b", "memory://c"])
    assert connection.cycle is not None
    assert list(islice(connection.cycle, 3)) == ["memory://b", "memory://c", "memory://b"]
    twin = Connection("memory://a;memory://b").clone()
    assert twin.alt == ["memory://a", "memory://b"]
    assert twin.cycle is not None
    assert list(islice(twin.cycle, 2)) == ["memory://b", "memory://a"]


def test_what_one_url_says_is_not_carried_over_to_the_next() -> None:
    connection = Connection("memory://me@a/v;memory://b", userid="you")
    connection.maybe_switch_next()
    assert connection.as_uri() == "memory://you@b//"
