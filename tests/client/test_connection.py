from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Channel, Connection, Consumer, Producer, Queue
from minibroker_client.connection import is_connection
from minibroker_client.exceptions import (
    MessageNacked,
    NotFound,
    OperationalError,
    RecoverableConnectionError,
    ResourceLocked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker


class Revived:
    """Something whose call fails so often, and that remembers the channels it was given."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.channels: list[Channel] = []

    def revive(self, channel: Channel) -> None:
        self.channels.append(channel)

    def call(self, result: str, suffix: str = "") -> str:
        """Say what it is called with."""
        if self.errors:
            raise self.errors.pop(0)
        return result + suffix


def test_a_name_is_shared_in_the_process_and_gone_with_its_last_connection() -> None:
    with Connection("memory://shared") as one:
        Queue("q")(one).declare()
        with Connection("memory://shared") as two, Connection("memory://other") as other:
            Queue("q")(two).queue_declare(passive=True)
            with pytest.raises(NotFound):
                Queue("q")(other).queue_declare(passive=True)
    with Connection("memory://shared") as again, pytest.raises(NotFound):
        Queue("q")(again).queue_declare(passive=True)


def test_a_broker_object_is_used_and_left_open(broker: Broker) -> None:
    with Connection(broker) as one, Connection(broker) as two:
        Queue("q")(one).declare()
        Queue("q")(two).queue_declare(passive=True)
    assert not broker.closed


def test_the_path_of_the_url_is_the_virtual_host(broker: Broker) -> None:
    broker.add_vhost("v")
    with Connection(broker, virtual_host="v") as connection:
        Queue("q")(connection).declare()
    with Connection(broker) as connection, pytest.raises(NotFound):
        Queue("q")(connection).queue_declare(passive=True)
    assert Connection("memory://a/v").parameters.virtual_host == "v"
    assert Connection("memory://a").parameters.virtual_host == "/"
    assert Connection(None, transport="memory").as_uri() == "memory:////"


def test_a_url_without_a_transport_is_refused() -> None:
    for url in ("gopher://x", "kafka://x"):
        with pytest.raises(ValueError, match="memory://"):
            Connection(url)
    assert Connection("name", transport="memory").as_uri() == "memory://name//"


def test_a_url_hides_its_password() -> None:
    connection = Connection("memory://me:secret@a/v")
    assert connection.as_uri() == "memory://me:**@a/v"
    assert connection.as_uri(include_password=True) == "memory://me:secret@a/v"
    assert "secret" not in repr(connection)


def test_a_clone_leads_to_the_same_place(broker: Broker) -> None:
    with Connection(broker, transport_options={"confirm_publish": True}) as one:
        two = one.clone()
        assert two.identity() == one.identity()
        assert not two.connected
        assert two.info() == one.info()
        assert one.clone(transport_options={}).identity() != one.identity()


def test_a_pickled_connection_comes_back_unconnected() -> None:
    with Connection("memory://a;memory://b", userid="me", heartbeat=3) as connection:
        connection.connect()
        copy = pickle.loads(pickle.dumps(connection))
    assert copy.info() == connection.info()
    assert not copy.connected


def test_it_makes_producers_and_consumers(connection: Connection) -> None:
    channel = connection.channel()
    assert isinstance(connection.Producer(), Producer)
    assert connection.Producer(channel, routing_key="k").channel is channel
    assert connection.Consumer(Queue("q")).channel is connection.default_channel
    assert isinstance(connection.Consumer([Queue("q")], channel), Consumer)
    assert connection.Pool(3).limit == 3
    assert connection.ChannelPool(2).limit == 2
    simple, buffer = connection.SimpleQueue("s"), connection.SimpleBuffer("b", channel=channel)
    assert simple.channel is connection.default_channel
    assert buffer.channel is channel


def test_its_errors_are_those_of_connections_and_channels(connection: Connection) -> None:
    with pytest.raises(connection.channel_errors):
        connection.default_channel.get("nowhere")
    with pytest.raises(connection.connection_errors):
        connection.drain_events(timeout=0)


def test_it_knows_what_its_transport_can_do(connection: Connection) -> None:
    assert connection.supports_exchange_type("topic")
    assert not connection.supports_exchange_type("x-random")
    assert connection.capabilities.confirms
    assert not connection.capabilities.heartbeats


def test_a_connection_is_one(connection: Connection) -> None:
    assert is_connection(connection)
    assert not is_connection(connection.channel())


def test_a_default_channel_can_be_replaced(connection: Connection) -> None:
    first, second = connection.default_channel, connection.channel()
    connection.revive(second)
    assert connection.default_channel is second
    assert first.closed
    connection.revive(second)
    assert not second.closed


def test_an_error_while_closing_a_channel_is_ignored(connection: Connection) -> None:
    class Broken:
        def close(self) -> None:
            raise RecoverableConnectionError("gone")

    connection.maybe_close_channel(Broken())  # type: ignore[arg-type]  # as far as needed


# -- calls that are tried again


def ensured(connection: Connection, obj: Revived, **policy: Any) -> Callable[..., Any]:
    connection.sleep = lambda _: None
    return connection.ensure(obj, obj.call, **policy)


def test_a_call_that_does_not_fail_is_made_once(connection: Connection) -> None:
    obj = Revived()
    call = ensured(connection, obj)
    assert call("a", suffix="b") == "ab"
    assert obj.channels == []
    assert (call.__name__, call.__doc__) == ("call(ensured)", "Say what it is called with.")


@pytest.mark.semantics(128)
def test_after_a_lost_connection_a_call_is_tried_with_a_new_channel(
    connection: Connection,
) -> None:
    obj = Revived(RecoverableConnectionError("lost"), ConnectionResetError("reset"))
    told: list[tuple[BaseException, float]] = []
    revived: list[Channel] = []
    connection.connect()
    connection.close()
    call = ensured(
        connection, obj, errback=lambda *args: told.append(args), on_revive=revived.append
    )
    assert call("a") == "a"
    assert [str(error) for error, _ in told] == ["lost", "reset"]
    assert obj.channels == revived
    assert obj.channels[-1] is connection.default_channel


def test_a_closed_channel_does_not_cost_the_connection(connection: Connection) -> None:
    channel = connection.default_channel
    channel.close()
    obj = Revived(RecoverableConnectionError("the channel is closed"))
    link = connection._link
    assert ensured(connection, obj)("a") == "a"
    assert connection._link is link
    assert obj.channels == [connection.default_channel]


@pytest.mark.semantics(128)
def test_a_channel_error_that_may_go_away_is_tried_again_after_a_wait(
    connection: Connection,
) -> None:
    obj = Revived(ResourceLocked("q"), MessageNacked("full"))
    slept: list[float] = []
    told: list[float] = []
    call = connection.ensure(
        obj,
        obj.call,
        lambda _, wait: told.append(wait),
        interval_start=1,
        interval_step=2,
        interval_max=9,
    )
    connection.sleep = slept.append
    assert call("a") == "a"
    assert slept == told == [1, 3]


def test_without_an_errback_channel_errors_are_tried_again_quietly(
    connection: Connection,
) -> None:
    assert ensured(connection, Revived(ResourceLocked("q")))("a") == "a"


def test_giving_up_raises_operational_error(connection: Connection) -> None:
    obj = Revived(*[RecoverableConnectionError("lost")] * 3)
    with pytest.raises(OperationalError, match="lost"):
        ensured(connection, obj, max_retries=2)("a")
    assert obj.errors == []


def test_errors_to_retry_can_be_added_and_are_raised_as_they_are(connection: Connection) -> None:
    assert ensured(connection, Revived(KeyError("k")), retry_errors=(KeyError,))("a") == "a"
    with pytest.raises(KeyError):
        ensured(connection, Revived(KeyError("k")), retry_errors=(KeyError,), max_retries=0)("a")


def test_other_errors_are_raised_at_once(connection: Connection) -> None:
    for error in (NotFound("q"), ZeroDivisionError()):
        with pytest.raises(type(error)):
            ensured(connection, Revived(error))("a")


def test_autoretry_gives_the_call_a_channel(connection: Connection) -> None:
    failures = [RecoverableConnectionError("lost")]

    def call(result: str, channel: Channel) -> tuple[str, Channel]:
        if failures:
            raise failures.pop()
        return result, channel

    (result, used), channel = connection.autoretry(call)("a")
    assert result == "a"
    assert used is channel is connection.default_channel
    own = connection.channel()
    assert connection.autoretry(call, own)("a") == (("a", own), own)
    failures.append(RecoverableConnectionError("lost"))
    own.close()
    assert connection.autoretry(call, own)("a")[1] is connection.default_channel
