"""From an exchange and a message to queues, with real exchanges and real queues."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibroker.arguments import QueueDeclaration, QueueSettings
from minibroker.exchanges import (
    Binding,
    DefaultExchange,
    DelayedExchange,
    Destination,
    Exchange,
    ExchangeDeclaration,
    ExchangeSurroundings,
    create,
)
from minibroker.message import MarkedMessage, Message
from minibroker.profile import get_profile
from minibroker.properties import PLAIN, Properties
from minibroker.queues import BaseQueue, Queue, Surroundings
from minibroker.routing import HELD, MEMO_KEYS, Router
from minibroker.timers import Timers


class Place:
    """The part of a virtual host that routes."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.profile = get_profile()
        self.released: list[tuple[BaseQueue, ...]] = []
        self.exchanges: dict[str, Exchange] = {}
        self.router = Router(self.exchanges)
        self.world = ExchangeSurroundings(self.profile, self.timers, lambda: 0, self._release)
        self.default = DefaultExchange(self.world)
        self.exchanges[""] = self.default

    def exchange(self, name: str, type: str = "fanout", **arguments: str) -> Exchange:
        named = {key.replace("_", "-"): value for key, value in arguments.items()}
        made = create(ExchangeDeclaration(name, type, arguments=named), self.world)
        self.exchanges[name] = made
        return made

    def queue(self, name: str) -> Queue:
        world = Surroundings(lambda: 0, self.timers, self.profile, lambda *_: None, lambda _: None)
        queue = Queue(QueueDeclaration(name), QueueSettings(), world)
        self.default.memo[name] = (queue,)
        return queue

    def bind(self, source: Exchange, *destinations: Destination, key: str = "k") -> None:
        for destination in destinations:
            source.bind(Binding(source, destination, key, {}))
        self.router.forget()

    def route(self, exchange: Exchange, message: Message) -> tuple[BaseQueue, ...]:
        queues = self.router.route(exchange, message)
        self.router._check()
        return queues

    def _release(self, exchange: Exchange, message: Message) -> None:
        keys = message.routing_key, *message.copies
        self.released.append(self.router.walk(exchange, message, keys))


def message(key: str = "k", properties: Properties = PLAIN) -> Message:
    return Message("x", key, properties, b"")


@pytest.fixture
def place() -> Place:
    """A virtual host with the default exchange alone."""
    return Place()


@pytest.mark.semantics(50)
def test_a_queue_with_several_bindings_gets_a_message_once(place: Place) -> None:
    x, a, b = place.exchange("x", "topic"), place.queue("a"), place.queue("b")
    place.bind(x, a, key="#")
    place.bind(x, b, a, key="k")
    place.bind(x, a, key="*")
    assert place.route(x, message()) == (a, b)


@pytest.mark.semantics(50)
def test_a_queue_that_several_exchanges_lead_to_gets_a_message_once(place: Place) -> None:
    x, y, z, a = place.exchange("x"), place.exchange("y"), place.exchange("z"), place.queue("a")
    place.bind(x, y, z, a)
    place.bind(y, a)
    place.bind(z, a)
    assert place.route(x, message()) == (a,)


@pytest.mark.semantics(50)
def test_bindings_between_exchanges_may_go_in_circles(place: Place) -> None:
    x, y, a, b = place.exchange("x"), place.exchange("y"), place.queue("a"), place.queue("b")
    place.bind(x, x, y, a)
    place.bind(y, x, y, b)
    assert place.route(x, message()) == (a, b)
    assert place.route(y, message()) == (b, a)


def test_queues_nearer_to_the_first_exchange_come_first(place: Place) -> None:
    x, y, z = place.exchange("x"), place.exchange("y"), place.exchange("z")
    far, middle, near = place.queue("far"), place.queue("middle"), place.queue("near")
    place.bind(x, y, near)
    place.bind(y, z, middle)
    place.bind(z, far)
    assert place.route(x, message()) == (near, middle, far)


def test_a_chain_of_ten_thousand_exchanges_is_followed_to_its_end(place: Place) -> None:
    chain = [place.exchange(str(number)) for number in range(10_000)]
    for source, destination in pairwise(chain):
        source.bind(Binding(source, destination, "", {}))
    a = place.queue("a")
    place.bind(chain[-1], a)
    assert place.route(chain[0], message()) == (a,)


@pytest.mark.semantics(47)
def test_a_message_without_any_queue_is_unroutable(place: Place) -> None:
    x = place.exchange("x", "direct")
    assert place.route(x, message()) == ()
    assert place.route(x, message()) is not HELD
    assert place.route(place.default, message("no such queue")) == ()


@pytest.mark.semantics(51)
def test_all_keys_of_a_message_count_and_a_queue_gets_it_once(place: Place) -> None:
    x, a, b = place.exchange("x", "direct"), place.queue("a"), place.queue("b")
    place.bind(x, a, key="1")
    place.bind(x, a, b, key="2")
    copied = MarkedMessage("x", "1", PLAIN, b"", copies=("2", "3"))
    assert place.route(x, copied) == (a, b)
    assert place.route(place.default, MarkedMessage("", "b", PLAIN, b"", copies=("a",))) == (b, a)
    assert place.router.walk(x, copied, ("3",)) == ()


def test_a_message_with_several_keys_is_not_remembered(place: Place) -> None:
    x, a = place.exchange("x", "direct"), place.queue("a")
    place.bind(x, a, key="2")
    assert place.route(x, MarkedMessage("x", "1", PLAIN, b"", copies=("2",))) == (a,)
    assert x.memo == {}
    assert place.route(x, message("1")) == ()


@pytest.mark.semantics(52)
def test_the_alternate_exchange_gets_what_the_own_bindings_lead_nowhere(place: Place) -> None:
    x, other = place.exchange("x", "direct", alternate_exchange="other"), place.exchange("other")
    a, b = place.queue("a"), place.queue("b")
    place.bind(x, a, key="k")
    place.bind(other, b)
    assert place.route(x, message("k")) == (a,)
    assert place.route(x, message("nothing")) == (b,)


@pytest.mark.semantics(52)
def test_alternate_exchanges_are_followed_as_a_chain_and_in_circles(place: Place) -> None:
    x = place.exchange("x", "direct", alternate_exchange="y")
    y = place.exchange("y", "direct", alternate_exchange="z")
    z = place.exchange("z", "direct", alternate_exchange="x")
    a = place.queue("a")
    assert place.route(x, message()) == ()
    place.bind(z, a)
    assert place.route(x, message()) == (a,)
    assert place.route(y, message()) == (a,)
    assert place.route(x, message("other")) == ()


@pytest.mark.semantics(52)
def test_a_binding_to_an_exchange_that_leads_nowhere_counts_as_a_destination(
    place: Place,
) -> None:
    x, other = place.exchange("x", alternate_exchange="other"), place.exchange("other")
    place.bind(other, place.queue("a"))
    place.bind(x, place.exchange("empty"))
    assert place.route(x, message()) == ()


@pytest.mark.semantics(52)
def test_an_exchange_on_the_way_uses_its_own_alternate_exchange(place: Place) -> None:
    x, y = place.exchange("x"), place.exchange("y", "direct", alternate_exchange="other")
    other, a, b = place.exchange("other"), place.queue("a"), place.queue("b")
    place.bind(x, y, a)
    place.bind(other, b)
    assert place.route(x, message()) == (a, b)


@pytest.mark.semantics(52)
def test_a_missing_alternate_exchange_takes_nothing_until_it_is_there(place: Place) -> None:
    x, a = place.exchange("x", alternate_exchange="later"), place.queue("a")
    assert place.route(x, message()) == ()
    place.bind(place.exchange("later"), a)
    assert place.route(x, message()) == (a,)


def test_the_default_exchange_leads_nowhere_as_an_alternate(place: Place) -> None:
    x = place.exchange("x", alternate_exchange="")
    place.queue("a")
    assert place.route(x, message("a")) == ()


def test_the_default_exchange_answers_from_its_own_memo(place: Place) -> None:
    a = place.queue("a")
    assert place.route(place.default, message("a")) == (a,)
    place.router.forget()
    assert place.default.memo == {"a": (a,)}


def test_a_route_is_remembered_until_something_changes(place: Place) -> None:
    x, a, b = place.exchange("x", "topic"), place.queue("a"), place.queue("b")
    place.bind(x, a, key="#")
    assert place.route(x, message("k")) == (a,)
    assert place.route(x, message("l")) == (a,)
    assert x.memo == {"k": (a,), "l": (a,)}
    assert place.route(x, message("k")) is x.memo["k"]
    place.bind(x, b, key="k")
    assert x.memo == {}
    assert place.route(x, message("k")) == (a, b)


def test_that_a_key_leads_nowhere_is_remembered_too(place: Place) -> None:
    x = place.exchange("x", "direct")
    assert place.route(x, message()) == ()
    assert x.memo == {"k": ()}


def test_routes_that_depend_on_more_than_the_key_are_not_remembered(place: Place) -> None:
    x, a = place.exchange("x", "headers"), place.queue("a")
    first = place.exchange("first")
    x.bind(Binding(x, a, "", {"n": 1}))
    place.bind(first, x)
    matching = message("k", Properties(headers={"n": 1}))
    for exchange in (x, first):
        assert place.route(exchange, message()) == ()
        assert place.route(exchange, matching) == (a,)
        assert exchange.memo == {}


def test_consistent_hashing_of_the_routing_key_is_remembered(place: Place) -> None:
    x, a = place.exchange("x", "x-consistent-hash"), place.queue("a")
    place.bind(x, a, key="1")
    assert place.route(x, message()) == (a,)
    assert x.memo == {"k": (a,)}


def test_an_exchange_remembers_a_bounded_number_of_keys(place: Place) -> None:
    x, a = place.exchange("x"), place.queue("a")
    place.bind(x, a)
    for number in range(MEMO_KEYS):
        place.router.route(x, message(str(number)))
    assert len(x.memo) == MEMO_KEYS
    assert place.route(x, message("one more")) == (a,)
    assert x.memo == {"one more": (a,)}
    place.router.forget()
    assert x.memo == {}
    place.router._check()


def test_a_walk_remembers_nothing(place: Place) -> None:
    x, a = place.exchange("x"), place.queue("a")
    place.bind(x, a)
    assert place.router.walk(x, message(), ("k",)) == (a,)
    assert x.memo == {}


def delayed(place: Place, name: str) -> DelayedExchange:
    exchange = place.exchange(name, "x-delayed-message", x_delayed_type="fanout")
    assert isinstance(exchange, DelayedExchange)
    return exchange


DELAYED = message("k", Properties(headers={"x-delay": 5}))


@pytest.mark.semantics("113b")
def test_a_message_that_is_held_is_neither_routed_nor_unroutable(place: Place) -> None:
    d, a = delayed(place, "d"), place.queue("a")
    place.bind(d, a)
    routed = place.route(d, DELAYED)
    assert routed is HELD
    assert routed == ()
    assert not routed
    assert repr(routed) == "HELD"
    assert d.held == 1
    place.timers.run_due(5)
    assert place.released == [(a,)]
    assert place.route(d, message()) == (a,)


@pytest.mark.semantics("113b")
def test_a_delayed_exchange_behind_another_one_holds_its_part(place: Place) -> None:
    x, d, a, b = place.exchange("x"), delayed(place, "d"), place.queue("a"), place.queue("b")
    place.bind(x, d, a)
    place.bind(d, a, b, x)
    assert place.route(x, DELAYED) == (a,)
    assert place.route(x, message()) == (a, b)
    assert x.memo == {}
    place.timers.run_due(5)
    assert place.released == [(a, b)]
    assert d.held == 0


@pytest.mark.semantics("113b")
def test_a_held_message_does_not_go_to_the_alternate_exchange(place: Place) -> None:
    d, other, a = delayed(place, "d"), place.exchange("other"), place.queue("a")
    d.alternate = "other"
    place.bind(other, a)
    assert place.route(d, DELAYED) is HELD
    place.timers.run_due(5)
    assert place.released == [(a,)]


@pytest.mark.semantics("113b")
def test_a_delayed_exchange_can_be_the_alternate(place: Place) -> None:
    x, d, a = place.exchange("x"), delayed(place, "d"), place.queue("a")
    x.alternate = "d"
    place.bind(d, a)
    assert place.route(x, DELAYED) is HELD
    place.timers.run_due(5)
    assert place.released == [(a,)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.sampled_from("kl")), max_size=30),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=4),
    st.integers(0, 5),
)
def test_a_route_is_what_can_be_reached_and_the_memo_agrees(
    bindings: list[tuple[int, int, str]], alternates: list[tuple[int, int]], start: int
) -> None:
    place = Place()
    exchanges = [place.exchange(str(number), "direct") for number in range(6)]
    nodes: list[Destination] = [*exchanges, *(place.queue(name) for name in "abcd")]
    for source, destination, key in bindings:
        place.bind(exchanges[source], nodes[destination], key=key)
    for source, alternate in alternates:
        exchanges[source].alternate = str(alternate)
    place.router.forget()
    for key in ("k", "l"):
        reached = {start}
        while True:
            more = set(reached)
            for node in reached & set(range(6)):
                ways = {to for source, to, k in bindings if (source, k) == (node, key)}
                other = exchanges[node].alternate
                if not ways and other is not None and int(other) < 6:
                    ways = {int(other)}
                more |= ways
            if more == reached:
                break
            reached = more
        expected = {nodes[number] for number in reached if number >= 6}
        routed = place.route(exchanges[start], message(key))
        assert set(routed) == expected
        assert len(routed) == len(expected)
        assert place.route(exchanges[start], message(key)) is routed
        assert place.router.walk(exchanges[start], message(key), (key,)) == routed
