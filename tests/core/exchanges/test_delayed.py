"""The delayed message exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import PreconditionFailed
from minibroker.exchanges import DelayedExchange, ExchangeDeclaration, create
from minibroker.message import Death, MarkedMessage, Message
from minibroker.properties import Properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.exchanges import Exchange, ExchangeSurroundings
    from minibroker.fields import FieldValue, Table

pytestmark = pytest.mark.semantics("113b")


def delayed(world: ExchangeSurroundings, inner: str = "direct") -> DelayedExchange:
    arguments: Table = {"x-delayed-type": inner}
    exchange = create(ExchangeDeclaration("d", "x-delayed-message", arguments=arguments), world)
    assert isinstance(exchange, DelayedExchange)
    return exchange


def message(delay: FieldValue, body: bytes = b"") -> Message:
    return Message("x", "k", Properties(headers={"x-delay": delay, "n": 1}), body)


def run(world: ExchangeSurroundings, until: int) -> None:
    """Run what falls due, each at its own time."""
    while (when := world.timers.next) is not None and when <= until:
        world.now = lambda when=when: when  # type: ignore[misc]  # a lambda's default
        world.timers.run_due(when)
    world.now = lambda: until


def test_a_message_is_held_for_its_delay(
    world: ExchangeSurroundings, released: list[Message]
) -> None:
    exchange = delayed(world)
    assert exchange.hold(message(500, b"later"))
    exchange._check()
    assert exchange.held == 1
    assert world.timers.next == 1_500
    run(world, 1_499)
    assert released == []
    run(world, 1_500)
    assert [one.body for one in released] == [b"later"]
    assert exchange.held == 0
    assert world.timers.next is None
    exchange._check()


def test_messages_are_released_by_time_and_then_by_arrival(
    world: ExchangeSurroundings, released: list[Message]
) -> None:
    exchange = delayed(world)
    for delay, body in ((300, b"e"), (100, b"a"), (200, b"c"), (100, b"b"), (200, b"d")):
        assert exchange.hold(message(delay, body))
        exchange._check()
    run(world, 1_200)
    exchange._check()
    assert [one.body for one in released] == [b"a", b"b", b"c", b"d"]
    run(world, 9_999)
    assert released[-1].body == b"e"


def test_what_two_exchanges_hold_is_released_in_order_when_the_broker_is_late(
    world: ExchangeSurroundings, released: list[Message]
) -> None:
    one, other = delayed(world), delayed(world)
    for exchange, delay, body in (
        (one, 1, b"a"),
        (other, 2, b"b"),
        (one, 3, b"c"),
        (other, 4, b"d"),
    ):
        exchange.hold(message(delay, body))
    world.timers.run_due(99_999)
    assert [held.body for held in released] == [b"a", b"b", b"c", b"d"]


@pytest.mark.parametrize(
    ("delay", "milliseconds"),
    [
        (1, 1),
        ("250", 250),
        ("+5", 5),
        (1.9, 1),
        (Decimal("7.5"), 7),
        (2**32 - 1, 2**32 - 1),
    ],
)
def test_a_delay_is_any_number_and_is_negated_on_release(
    world: ExchangeSurroundings, released: list[Message], delay: FieldValue, milliseconds: int
) -> None:
    exchange = delayed(world)
    assert exchange.hold(message(delay))
    assert world.timers.next == 1_000 + milliseconds
    run(world, 1_000 + milliseconds)
    assert released[0].properties.headers == {"x-delay": -milliseconds, "n": 1}
    assert not exchange.hold(released[0])


@pytest.mark.parametrize(
    "delay",
    [
        0,
        -1,
        "-1",
        0.5,
        2**32,
        True,
        None,
        "",
        "soon",
        "1.5",
        " 1",
        float("nan"),
        float("inf"),
        Decimal("Infinity"),
        [1],
        {"a": 1},
    ],
)
def test_a_message_without_a_usable_delay_is_not_held(
    world: ExchangeSurroundings, delay: FieldValue
) -> None:
    exchange = delayed(world)
    assert not exchange.hold(message(delay))
    assert not exchange.hold(Message("x", "k", Properties(), b""))
    assert exchange.held == 0
    assert world.timers.next is None


def test_what_is_released_is_the_message_but_for_its_delay(
    world: ExchangeSurroundings, released: list[Message]
) -> None:
    exchange = delayed(world)
    properties = Properties(headers={"x-delay": 1}, message_id="m", priority=3)
    death = Death("q", "expired", "x", ("k",), 0)
    held = MarkedMessage("x", "k", properties, b"body", 5, ("copy",), (death,))
    plain = Message("y", "l", properties, b"plain")
    assert exchange.hold(held)
    assert exchange.hold(plain)
    run(world, 1_001)
    one, other = released
    assert (one.exchange, one.routing_key, one.body) == ("x", "k", b"body")
    assert (one.ttl, one.copies, one.deaths) == (5, ("copy",), (death,))
    assert one.properties == properties.replace(headers={"x-delay": -1})
    assert (other.exchange, other.routing_key, other.body) == ("y", "l", b"plain")
    assert type(other) is Message
    assert properties.headers == {"x-delay": 1}


def test_deleting_the_exchange_gives_up_what_it_holds(
    world: ExchangeSurroundings, released: list[Message]
) -> None:
    exchange = delayed(world)
    exchange.hold(message(5))
    exchange.delete()
    exchange._check()
    assert exchange.held == 0
    assert world.timers.next is None
    run(world, 99_999)
    assert released == []


def test_an_exchange_that_is_deleted_by_what_it_releases_stops(
    world: ExchangeSurroundings, released: list[Message]
) -> None:
    def release(exchange: Exchange, one: Message) -> None:
        released.append(one)
        exchange.delete()

    world.release = release
    exchange = delayed(world)
    exchange.hold(message(5, b"a"))
    exchange.hold(message(5, b"b"))
    run(world, 99_999)
    exchange._check()
    assert [one.body for one in released] == [b"a"]


def test_what_is_held_anew_while_releasing_waits_its_own_time(
    world: ExchangeSurroundings, released: list[Message]
) -> None:
    def release(exchange: Exchange, one: Message) -> None:
        released.append(one)
        if len(released) < 3:
            exchange.hold(message(10, bytes([len(released)])))

    world.release = release
    exchange = delayed(world)
    exchange.hold(message(10, b"\0"))
    run(world, 1_020)
    exchange._check()
    assert [one.body for one in released] == [b"\0", b"\1"]
    assert world.timers.next == 1_030


def test_a_failing_release_leaves_the_others_to_be_released_next(
    world: ExchangeSurroundings, released: list[Message]
) -> None:
    def release(_: Exchange, one: Message) -> None:
        if one.body == b"bad":
            raise ZeroDivisionError
        released.append(one)

    world.release = release
    exchange = delayed(world)
    exchange.hold(message(5, b"bad"))
    exchange.hold(message(5, b"good"))
    with pytest.raises(ZeroDivisionError):
        world.timers.run_due(1_005)
    exchange._check()
    world.timers.run_due(1_005)
    assert [one.body for one in released] == [b"good"]


def test_a_released_message_is_routed_as_the_inner_type_does(
    world: ExchangeSurroundings,
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    for inner, key in (("direct", "k"), ("topic", "*"), ("fanout", "any"), ("headers", "")):
        exchange, a = delayed(world, inner), declare(name="a")
        assert exchange.inner.type == inner
        assert bind(exchange, a, key, {"n": 1})
        assert not bind(exchange, a, key, {"n": 1})
        assert matched(exchange, "k", headers={"x-delay": 500, "n": 1}) == ["a"]
        assert [binding.source for binding in exchange.bindings] == [exchange]
        assert exchange.is_bound
        assert not exchange.routes_by_key
        assert exchange.unbind(a, key, {"n": 1})
        assert matched(exchange, "k") == []


def test_the_inner_type_refuses_what_it_refuses_by_itself(
    world: ExchangeSurroundings, declare: Callable[..., Exchange], bind: Callable[..., bool]
) -> None:
    with pytest.raises(PreconditionFailed, match="must be an integer"):
        bind(delayed(world, "x-consistent-hash"), declare(name="a"), "no weight")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Invalid argument, 'x-delayed-type' must be an existing exchange type"),
        (
            {"x-delayed-type": 5},
            "Invalid argument, 'x-delayed-type' must be an existing exchange type",
        ),
        ({"x-delayed-type": "none"}, "unknown exchange type 'none'"),
        ({"x-delayed-type": "x-delayed-message"}, "unknown exchange type 'x-delayed-message'"),
    ],
)
def test_the_inner_type_must_be_another_that_exists(
    declare: Callable[..., Exchange], arguments: Table, text: str
) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        declare("x-delayed-message", arguments)
    assert str(caught.value) == text


def test_the_alternate_exchange_of_a_delayed_exchange_is_its_own(
    declare: Callable[..., Exchange],
) -> None:
    arguments = {"x-delayed-type": "direct", "alternate-exchange": "other"}
    assert declare("x-delayed-message", arguments).alternate == "other"
