"""What an application embeds: virtual hosts, users, policies, time and the end."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES, Broker, ManualClock, SystemClock, TopicPermissions
from minibroker.errors import (
    AccessRefused,
    ConnectionForced,
    NotAllowed,
    NotFound,
    PreconditionFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_broker_has_the_default_virtual_host_and_profile(broker: Broker) -> None:
    assert list(broker.vhosts) == ["/"]
    assert broker.profile is PROFILES["rabbitmq-4.2"]
    assert repr(broker) == "<Broker rabbitmq-4.2 1 virtual hosts>"


def test_without_a_clock_it_takes_the_system_s() -> None:
    with Broker() as broker:
        assert isinstance(broker.clock, SystemClock)


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no profile 'rabbitmq-1'.*rabbitmq-4.2"):
        Broker(profile="rabbitmq-1")


def test_a_profile_of_one_s_own_applies(make_broker: Callable[..., Broker]) -> None:
    small = replace(PROFILES["rabbitmq-4.2"], max_message_size=3)
    channel = make_broker(profile=small).connect().channel()
    with pytest.raises(PreconditionFailed, match="message size 4 is larger"):
        channel.publish("", "q", b"1234")


def test_virtual_hosts_are_apart(broker: Broker) -> None:
    broker.add_vhost("other")
    broker.connect().channel().declare_queue("q")
    with pytest.raises(NotFound):
        broker.connect("other").channel().declare_queue("q", passive=True)


def test_adding_a_virtual_host_again_keeps_what_is_in_it(broker: Broker) -> None:
    broker.add_vhost("other")
    channel = broker.connect("other").channel()
    channel.declare_queue("q")
    broker.add_vhost("other")
    assert channel.declare_queue("q", passive=True).queue == "q"


def test_deleting_a_virtual_host_closes_its_connections_and_drops_what_it_holds(
    broker: Broker, clock: ManualClock
) -> None:
    broker.add_vhost("other")
    connection = broker.connect("other")
    channel = connection.channel()
    channel.declare_queue("q", arguments={"x-message-ttl": 1000})
    channel.publish("", "q", b"")
    channel.declare_exchange("late", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    broker.delete_vhost("other")
    assert connection.closed
    assert broker.next_deadline() is None
    clock.advance("1m")
    with pytest.raises(NotAllowed, match="vhost other not found"):
        broker.connect("other")


@pytest.mark.parametrize("name", ["set_limits", "set_permissions", "set_policy", "delete_policy"])
def test_an_unknown_virtual_host_is_named(broker: Broker, name: str) -> None:
    broker.add_user("ann")
    arguments: dict[str, tuple[object, ...]] = {
        "set_permissions": ("ann",),
        "set_policy": ("p", ".*", {}),
        "delete_policy": ("p",),
    }
    with pytest.raises(KeyError, match="no vhost 'nowhere'"):
        getattr(broker, name)(*arguments.get(name, ()), vhost="nowhere")
    with pytest.raises(KeyError, match="no vhost 'nowhere'"):
        broker.delete_vhost("nowhere")


def test_users_get_what_their_permissions_say(broker: Broker) -> None:
    broker.add_user("ann")
    topics = [TopicPermissions("amq.topic", "^ann", ".*")]
    broker.set_permissions("ann", configure="^ann", write=".*", read=".*", topics=topics)
    channel = broker.connect(user="ann").channel()
    channel.declare_queue("ann.q")
    channel.publish("amq.topic", "ann.1", b"")
    with pytest.raises(AccessRefused):
        channel.publish("amq.topic", "bob.1", b"")
    with pytest.raises(AccessRefused, match="configure access to queue 'q'"):
        channel.declare_queue("q")
    with pytest.raises(NotAllowed, match="refused for user 'guest'"):
        broker.connect()


def test_permissions_for_an_unknown_user_are_refused(broker: Broker) -> None:
    with pytest.raises(KeyError, match="no user 'ann'"):
        broker.set_permissions("ann")


def test_a_policy_applies_at_once_and_goes_with_its_deletion(
    broker: Broker, clock: ManualClock
) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q")
    broker.set_policy("short", "^q$", {"max-length": 1})
    broker.set_policy("shorter", "^q$", {"message-ttl": 1000}, operator=True)
    for body in (b"1", b"2"):
        channel.publish("", "q", body)
    assert channel.declare_queue("q", passive=True).message_count == 1
    clock.advance("1s")
    assert channel.declare_queue("q", passive=True).message_count == 0
    assert broker.delete_policy("short")
    assert broker.delete_policy("shorter", operator=True)
    assert not broker.delete_policy("short")
    for body in (b"1", b"2"):
        channel.publish("", "q", body)
    clock.advance("1h")
    assert channel.declare_queue("q", passive=True).message_count == 2


def test_a_clock_drives_every_broker_on_it_in_the_order_of_time(
    make_broker: Callable[..., Broker], clock: ManualClock
) -> None:
    brokers = [make_broker() for _ in range(2)]
    gone: list[tuple[int, int]] = []

    def note(number: int, now: int) -> None:
        gone.append((now, number))

    for number, broker in enumerate(brokers):
        for delay in (1 + number, 3 + number):
            timer = broker.timers.new(partial(note, number))
            timer.set(clock.now() + delay)
    start = clock.now()
    clock.advance("10ms")
    assert gone == [(start + 1, 0), (start + 2, 1), (start + 3, 0), (start + 4, 1)]


def test_a_closed_broker_takes_no_connections_and_leaves_its_clock(clock: ManualClock) -> None:
    with Broker(clock=clock) as broker:
        connection = broker.connect()
        channel = connection.channel()
        channel.declare_queue("q", arguments={"x-message-ttl": 1000})
        channel.publish("", "q", b"")
    assert broker.closed
    assert connection.closed
    clock.advance("1m")
    broker.close()
    with pytest.raises(ConnectionForced, match="the broker is closed"):
        broker.connect()
    with pytest.raises(ConnectionForced, match="the broker is closed"):
        broker.add_vhost("other")
