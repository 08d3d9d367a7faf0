"""What a restart keeps of what was declared and set (125)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker.access import TopicPermissions
from minibroker.errors import (
    AccessRefused,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    ResourceLocked,
)

from ..described import described
from ..restarts import PERSISTENT, Restarts

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock

    End = Callable[[], Broker]

ALL_TYPES = ("direct", "fanout", "topic", "headers", "x-consistent-hash", "x-delayed-message")


def unchanged(world: Restarts, restart: End) -> None:
    """End the broker, and see that all that is durable is as it was."""
    world.broker.sync()
    before = described(world.broker)
    restart()
    assert described(world.broker) == before


def names(world: Restarts, what: str) -> set[str]:
    """The queues or exchanges that there are, without those that are always there."""
    found = getattr(world.broker.vhosts["/"], what)
    return {name for name in found if name and not name.startswith("amq.")}


# -- exchanges


@pytest.mark.semantics(125)
@pytest.mark.parametrize("type", ALL_TYPES)
def test_a_durable_exchange_of_any_type_outlives_the_broker_with_its_flags_and_arguments(
    world: Restarts, restart: End, type: str
) -> None:
    arguments: dict[str, Any] = {"alternate-exchange": "amq.fanout", "own": [1, {"a": None}]}
    if type == "x-delayed-message":
        arguments["x-delayed-type"] = "topic"
    channel = world.channel()
    for name, flags in {"x": {}, "i": {"internal": True}, "a": {"auto_delete": True}}.items():
        channel.declare_exchange(name, type, durable=True, arguments=arguments, **flags)
    unchanged(world, restart)
    world.channel().declare_exchange("x", type, durable=True, arguments=arguments)
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'internal'"):
        world.channel().declare_exchange("i", type, durable=True, arguments=arguments)


@pytest.mark.semantics(125)
def test_transient_exchanges_and_queues_and_all_their_bindings_are_gone(
    world: Restarts, restart: End
) -> None:
    channel = world.channel()
    channel.declare_exchange("lasting", "direct", durable=True)
    channel.declare_exchange("fleeting", "direct")
    channel.declare_queue("q", durable=True)
    channel.declare_queue("transient")
    for source in ("lasting", "fleeting"):
        for queue in ("q", "transient"):
            channel.bind_queue(queue, source, "k")
    channel.bind_exchange("fleeting", "lasting", "k")
    channel.bind_exchange("lasting", "fleeting", "k")
    restart()
    assert (names(world, "exchanges"), names(world, "queues")) == ({"lasting"}, {"q"})
    lasting = world.broker.vhosts["/"].exchanges["lasting"]
    assert [each.destination.name for each in lasting.bindings] == ["q"]
    with pytest.raises(NotFound):
        world.channel().declare_exchange("fleeting", "direct", passive=True)


@pytest.mark.semantics(125)
def test_what_was_deleted_or_unbound_stays_away(world: Restarts, restart: End) -> None:
    channel = world.channel()
    for name in ("x", "y", "z"):
        channel.declare_exchange(name, "topic", durable=True)
        channel.declare_queue(name, durable=True)
    for source in ("x", "y", "amq.topic"):
        for queue in ("x", "y", "z"):
            channel.bind_queue(queue, source, "k.*")
    channel.bind_exchange("z", "x", "e")
    channel.bind_exchange("z", "amq.topic", "e")
    world.checkpoint()
    channel.delete_exchange("y")
    channel.delete_queue("z")
    channel.unbind_queue("x", "x", "k.*")
    channel.unbind_exchange("z", "amq.topic", "e")
    unchanged(world, restart)
    assert (names(world, "exchanges"), names(world, "queues")) == ({"x", "z"}, {"x", "y"})
    bound = [
        (source, each.destination.name)
        for source in ("x", "amq.topic")
        for each in world.broker.vhosts["/"].exchanges[source].bindings
    ]
    assert sorted(bound) == [("amq.topic", "x"), ("amq.topic", "y"), ("x", "y"), ("x", "z")]


@pytest.mark.semantics(36, 125)
def test_an_auto_delete_exchange_still_goes_with_its_last_binding(
    world: Restarts, restart: End
) -> None:
    channel = world.channel()
    channel.declare_exchange("x", "direct", durable=True, auto_delete=True)
    channel.declare_queue("q", durable=True)
    channel.bind_queue("q", "x", "k")
    restart()
    world.channel().unbind_queue("q", "x", "k")
    restart()
    assert names(world, "exchanges") == set()


@pytest.mark.semantics(125)
def test_bindings_with_arguments_route_as_before(world: Restarts, restart: End) -> None:
    channel = world.channel()
    for queue, match in {"all": "all", "any": "any"}.items():
        channel.declare_queue(queue, durable=True)
        arguments: dict[str, Any] = {"x-match": match, "a": 1, "b": None}
        channel.bind_queue(queue, "amq.headers", "", arguments)
        channel.bind_queue(queue, "amq.headers", "", {**arguments, "a": 2})
    unchanged(world, restart)
    channel = world.channel()
    for headers in ({"a": 1}, {"a": 2, "b": "x"}, {"a": 3}):
        channel.publish("amq.headers", "", b"", PERSISTENT.replace(headers=headers))
    assert (world.count("all"), world.count("any")) == (1, 2)
    channel.unbind_queue("any", "amq.headers", "", {"x-match": "any", "a": 2, "b": None})
    restart()
    assert len(world.broker.vhosts["/"].exchanges["amq.headers"].bindings) == 3


@pytest.mark.semantics(125)
def test_consistent_hashing_chooses_the_same_queues_as_before(
    world: Restarts, restart: End
) -> None:
    channel = world.channel()
    channel.declare_exchange("x", "x-consistent-hash", durable=True)
    queues = [f"q{number}" for number in range(5)]
    for number, queue in enumerate(queues):
        channel.declare_queue(queue, durable=True)
        channel.bind_queue(queue, "x", str(number + 1))

    def routed() -> list[list[str]]:
        channel = world.channel()
        for number in range(50):
            channel.publish("x", f"key {number}", b"%d" % number)
        return [world.drained(queue) for queue in queues]

    before = routed()
    restart()
    assert routed() == before


# -- queues


@pytest.mark.semantics(125)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"own": {"deep": [1, 2.5, None, "x"]}},
        {"x-max-priority": 5, "x-message-ttl": 1000, "x-expires": 60000, "x-max-length": 3},
        {"x-overflow": "reject-publish", "x-max-length-bytes": 1000},
        {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "k"},
        {"x-single-active-consumer": True},
        {"x-queue-type": "quorum", "x-delivery-limit": 3},
        {"x-queue-type": "stream", "x-max-age": "1h", "x-max-length-bytes": 1000},
    ],
)
def test_a_durable_queue_outlives_the_broker_with_its_arguments(
    world: Restarts, restart: End, arguments: dict[str, Any]
) -> None:
    world.channel().declare_queue("q", durable=True, arguments=arguments)
    unchanged(world, restart)
    channel = world.channel()
    channel.declare_queue("q", durable=True, arguments=arguments)
    other = {**arguments, "x-max-length-bytes": 77}
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'x-max-length-bytes'"):
        channel.declare_queue("q", durable=True, arguments=other)


@pytest.mark.semantics(33, 125)
def test_exclusive_queues_are_gone_even_when_declared_durable(
    world: Restarts, restart: End
) -> None:
    channel = world.channel()
    channel.declare_queue("mine", durable=True, exclusive=True)
    channel.publish("", "mine", b"m", PERSISTENT)
    with pytest.raises(ResourceLocked):
        world.channel().declare_queue("mine", durable=True)
    restart()
    assert names(world, "queues") == set()


@pytest.mark.semantics(28, 125)
def test_a_durable_queue_named_by_the_broker_keeps_its_name(world: Restarts, restart: End) -> None:
    channel = world.channel()
    name = channel.declare_queue("", durable=True).queue
    channel.publish("", name, b"m", PERSISTENT)
    unchanged(world, restart)
    assert world.drained(name) == ["m"]


@pytest.mark.semantics(36, 125)
def test_a_durable_auto_delete_queue_goes_with_its_consumer_and_comes_back_after_a_crash(
    world: Restarts,
) -> None:
    channel = world.channel()
    channel.declare_queue("q", durable=True, auto_delete=True)
    channel.consume("q")
    world.broker.sync()
    world.crash()
    assert names(world, "queues") == {"q"}
    channel = world.channel()
    channel.consume("q")
    world.restart()
    assert names(world, "queues") == set()


@pytest.mark.semantics(93, 125)
def test_x_expires_begins_anew_when_the_broker_is_opened(
    world: Restarts, clock: ManualClock, restart: End
) -> None:
    world.channel().declare_queue("q", durable=True, arguments={"x-expires": 1000})
    clock.advance("900ms")
    restart()
    clock.advance("900ms")
    assert names(world, "queues") == {"q"}
    clock.advance("100ms")
    assert names(world, "queues") == set()
    restart()
    assert names(world, "queues") == set()


# -- the rest of a broker


@pytest.mark.semantics(125)
def test_virtual_hosts_limits_users_and_permissions_outlive_the_broker(
    world: Restarts, restart: End
) -> None:
    broker = world.broker
    broker.add_vhost("v")
    broker.add_vhost("gone")
    broker.connect("gone").channel().declare_queue("q", durable=True)
    broker.set_limits("v", queues=1, exchanges=20, connections=3)
    broker.set_limits(None, connections=7)
    broker.add_user("admin", ["administrator", "monitoring"], connections=4)
    broker.set_permissions("admin")
    topics = [TopicPermissions("amq.topic", "^w", "^r")]
    broker.set_permissions("admin", "v", configure="^c", write="w$", read="", topics=topics)
    broker.add_user("nobody")
    broker.delete_vhost("gone")
    unchanged(world, restart)
    assert set(world.broker.vhosts) == {"/", "v"}
    channel = world.channel("v", "admin")
    channel.declare_queue("c", durable=True)
    with pytest.raises(PreconditionFailed, match="queue limit in vhost 'v'"):
        channel.declare_queue("c2", durable=True)
    with pytest.raises(AccessRefused):
        world.channel("v", "admin").get("c")
    with pytest.raises(NotAllowed):
        world.channel("/", "nobody")


@pytest.mark.semantics(125)
def test_policies_and_operator_policies_outlive_the_broker_and_apply(
    world: Restarts, restart: End
) -> None:
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    for number in range(5):
        channel.publish("", "q", b"%d" % number, PERSISTENT)
    broker = world.broker
    broker.set_policy("long", "^q", {"max-length": 3}, priority=1, apply_to="queues")
    broker.set_policy("other", "^r", {"message-ttl": 10})
    broker.set_policy("gone", "^q", {"max-length": 4}, priority=9)
    broker.set_policy("short", "^q", {"max-length": 2}, operator=True)
    broker.set_policy("gone", "^q", {"max-length": 4}, operator=True, priority=9)
    broker.delete_policy("gone")
    broker.delete_policy("gone", operator=True)
    unchanged(world, restart)
    world.channel().publish("", "q", b"new", PERSISTENT)
    assert world.count("q") == 2


@pytest.mark.semantics(125)
def test_a_policy_gives_also_a_predeclared_exchange_its_alternate_again(
    world: Restarts, restart: End
) -> None:
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    channel.bind_queue("q", "amq.fanout")
    world.broker.set_policy("p", "^amq[.]direct$", {"alternate-exchange": "amq.fanout"})
    unchanged(world, restart)
    world.channel().publish("amq.direct", "nowhere", b"m")
    assert world.drained("q") == ["m"]


@pytest.mark.semantics(125)
def test_each_virtual_host_has_its_own_queues_of_the_same_name(
    world: Restarts, restart: End
) -> None:
    world.broker.add_vhost("v")
    for vhost in ("/", "v"):
        channel = world.channel(vhost)
        channel.declare_queue("q", durable=True)
        channel.bind_queue("q", "amq.fanout")
        channel.publish("amq.fanout", "", vhost.encode(), PERSISTENT)
    restart()
    for vhost in ("/", "v"):
        answer = world.channel(vhost).get("q")
        assert answer is not None
        assert (answer.entry.message.body, answer.message_count) == (vhost.encode(), 0)
