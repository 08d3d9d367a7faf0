"""Each fact as a record, and what a state is once it was applied."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.access import Permissions, TopicPermissions
from minibroker.exchanges import Binding
from minibroker.journal import facts, kinds
from minibroker.journal.facts import Fact, numbers, to_bytes, unpack
from minibroker.journal.replay import apply
from minibroker.journal.state import PlaceState, QueueState, Row, State
from minibroker.limits import Limits
from minibroker.policy import Policy
from minibroker.users import User
from minibroker.wire.amqp import decode_table, encode_table

if TYPE_CHECKING:
    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.exchanges import Destination

ARGUMENTS: dict[str, Any] = {"x-own": [1, None, {"a": "b"}], "x-max-priority": 3}


def applied(*told: Fact, state: State | None = None) -> State:
    """A state in which these facts are true."""
    state = State() if state is None else state
    for kind, payload in told:
        apply(state, kind, payload)
    return state


@pytest.fixture
def state() -> State:
    """A state with a place 7 that keeps entries apart by priority, and a stream in place 8."""
    state = State()
    state.add_place(7, PlaceState(by_priority=True))
    state.add_place(8, PlaceState(is_stream=True))
    return state


# -- numbers


@pytest.mark.parametrize("order", ["little", "big"])
def test_numbers_are_little_endian_on_every_machine(
    monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(facts, "byteorder", order)
    values = array("Q", [0, 1, 2**64 - 1])
    assert numbers(to_bytes(values)) == values
    assert values == array("Q", [0, 1, 2**64 - 1])
    monkeypatch.undo()
    if order == "little":
        assert to_bytes(array("Q", [1])) == b"\x01" + bytes(7)
        assert numbers(b"xx\x01\0\0\0", 2, "I") == array("I", [1])


# -- what happens to messages


def test_entries_are_settled_and_delivered(state: State) -> None:
    applied(facts.settled(7, array("Q", [1, 3])), facts.delivered(7, array("Q", [2])), state=state)
    place = state.places[7]
    assert (place.settled, place.delivered) == ({1, 3}, {2})


def test_entries_come_back_with_what_was_counted(state: State) -> None:
    rows: list[list[object]] = [[3, 9, 100, 20, 1, 2, None, True], [4, 10, 200, 30, 2, 2, 5, False]]
    applied(facts.returned(7, rows), state=state)
    place = state.places[7]
    assert place.rows == {9: Row(100, 20, 1, 2, None, True), 10: Row(200, 30, 2, 2, 5, False)}
    assert (place.settled, place.last_seq) == ({3, 4}, 10)


def test_a_stream_begins_later(state: State) -> None:
    applied(facts.stream(8, 12, 345), state=state)
    assert (state.places[8].first, state.places[8].size) == (12, 345)


def test_what_a_place_was(state: State) -> None:
    row = [0, 9, 100, 20, 1, 2, None, True]
    applied(
        facts.place(7, 55, True, rows=[row]),
        facts.place(8, -1, first=3, size=4),
        facts.loose(7, 2, [(1, 10, 5), (3, 30, 6)]),
        facts.loose(7, 2, [(4, 40, 7)]),
        state=state,
    )
    place = state.places[7]
    assert (place.last_seq, place.expiring) == (55, True)
    assert place.rows == {9: Row(100, 20, 1, 2, None, True)}
    level = place.levels[2]
    assert list(level.seqs) == [1, 3, 4]
    assert list(level.positions) == [10, 30, 40]
    assert list(level.shares) == [5, 6, 7]
    stream = state.places[8]
    assert (stream.last_seq, stream.first, stream.size) == (-1, 3, 4)


def test_what_happens_in_a_place_that_there_is_not_is_ignored() -> None:
    state = applied(
        facts.settled(9, array("Q", [1])),
        facts.delivered(9, array("Q", [1])),
        facts.returned(9, [[1, 2, 3, 4, 5, 6, None, False]]),
        facts.stream(9, 1, 1),
        facts.queue_removed(9),
        facts.exchange_removed("/", "x"),
    )
    assert state == State()


# -- what there is


def test_virtual_hosts_come_and_go_with_all_that_is_in_them(channel: Channel) -> None:
    channel.declare_queue("q", durable=True)
    queue = channel.vhost.queues["q"]
    exchange = channel.vhost.exchanges["amq.direct"]
    binding = Binding(exchange, queue, "k", {})
    between = Binding(exchange, channel.vhost.exchanges["amq.fanout"], "k", {})
    user = User("u", permissions={"/": Permissions("a", "b", "c")})
    state = applied(
        facts.vhost_added("v"),
        facts.user_added(user),
        facts.permissions_set(user, "/"),
        facts.policy_set("/", Policy("p", "^", {"max-length": 1}), False),
        facts.limits_set("/", Limits(1, 2, 3)),
        facts.exchange_added("/", exchange, 4),
        facts.queue_added(queue, 5),
        facts.bound(kinds.BOUND, "/", binding, True),
        facts.bound(kinds.BOUND, "/", between, False),
        facts.vhost_removed("/"),
    )
    assert list(state.vhosts) == ["v"]
    assert list(state.users) == ["u"]
    for each in (state.queues, state.exchanges, state.bindings, state.places, state.limits):
        assert not each
    for settings in (state.permissions, state.policies):
        assert not settings
    assert state.next_place == 6


def test_a_queue_is_there_with_all_that_it_was_declared_with(broker: Broker) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True, auto_delete=True, arguments=ARGUMENTS)
    channel.declare_queue("r", durable=True, arguments={"x-queue-type": "quorum"})
    name = channel.declare_queue("", durable=True).queue
    queues = channel.vhost.queues
    added = [facts.queue_added(queues[each], 3 + n) for n, each in enumerate(("q", "r", name))]
    state = applied(*added)
    arguments = encode_table(ARGUMENTS)
    assert state.queues[3] == QueueState(3, "/", "q", True, False, "classic", True, arguments)
    assert decode_table(state.queues[3].arguments)[0] == ARGUMENTS
    assert [(each.kind, each.server_named) for each in state.queues.values()] == [
        ("classic", False),
        ("quorum", False),
        ("classic", True),
    ]
    assert [place.by_priority for place in state.places.values()] == [True, True, False]
    assert state.next_place == 6
    applied(facts.queue_removed(3), state=state)
    assert list(state.queues) == list(state.places) == [4, 5]


def test_an_exchange_is_there_with_its_place_if_it_has_one(channel: Channel) -> None:
    delayed = {"x-delayed-type": "fanout"}
    channel.declare_exchange("d", "x-delayed-message", durable=True, arguments=delayed)
    exchanges = channel.vhost.exchanges
    state = applied(
        facts.exchange_added("/", exchanges["d"], 6),
        facts.exchange_added("/", exchanges["amq.rabbitmq.trace"], 0),
    )
    _, name, kind, auto_delete, internal, arguments, place = state.exchanges["/", "d"]
    assert (name, kind, auto_delete, internal, place) == ("d", "x-delayed-message", False, False, 6)
    assert decode_table(arguments)[0] == delayed
    assert state.exchanges["/", "amq.rabbitmq.trace"][4] is True
    assert state.places == {6: PlaceState()}
    applied(facts.exchange_removed("/", "d"), state=state)
    assert not state.places
    assert ("/", "d") not in state.exchanges


def test_bindings_to_queues_and_exchanges_come_and_go(channel: Channel) -> None:
    channel.declare_queue("q", durable=True)
    source = channel.vhost.exchanges["amq.headers"]
    ends: dict[bool, Destination] = {
        True: channel.vhost.queues["q"],
        False: channel.vhost.exchanges["amq.fanout"],
    }
    bindings = {to: Binding(source, end, "k", {"a": 1}) for to, end in ends.items()}
    told = [facts.bound(kinds.BOUND, "/", binding, to) for to, binding in bindings.items()]
    state = applied(*told, *told)
    table = encode_table({"a": 1})
    assert list(state.bindings) == [
        ("/", "amq.headers", True, "q", "k", table),
        ("/", "amq.headers", False, "amq.fanout", "k", table),
    ]
    gone = [facts.bound(kinds.UNBOUND, "/", binding, to) for to, binding in bindings.items()]
    applied(gone[0], gone[0], state=state)
    assert list(state.bindings) == [("/", "amq.headers", False, "amq.fanout", "k", table)]


def test_users_permissions_policies_and_limits_are_as_they_were_set_last() -> None:
    user = User("u", frozenset({"b", "a"}), connections=3)
    user.permissions["/"] = Permissions("c", "w", "r")
    user.topics["/"] = [TopicPermissions("x", "tw", "tr")]
    policy = Policy("p", "^q", {"max-length": 5}, 7, "queues")
    state = applied(
        facts.user_added(User("u")),
        facts.user_added(user),
        facts.permissions_set(user, "/"),
        facts.policy_set("/", policy, False),
        facts.policy_set("/", policy, True),
        facts.limits_set(None, Limits()),
        facts.limits_set("v", Limits(1, None, 3)),
        facts.policy_removed("/", "p", True),
        facts.policy_removed("/", "unknown", True),
    )
    assert state.users == {"u": ["u", ["a", "b"], 3]}
    assert state.permissions == {("u", "/"): ["u", "/", ["c", "w", "r"], [["x", "tw", "tr"]]]}
    assert list(state.policies) == [("/", "p", False)]
    definition = encode_table({"max-length": 5})
    expected = ["/", "p", False, "^q", definition, 7, "queues"]
    assert state.policies["/", "p", False] == expected
    assert state.limits == {None: [None, None, None, None], "v": ["v", 1, None, 3]}


def test_numbers_of_places_go_on_from_where_they_were() -> None:
    assert applied(facts.next_place(7)).next_place == 7


def test_values_that_were_read_make_the_same_record_again() -> None:
    fact = facts.limits_set("v", Limits(1, 2, 3))
    assert facts.as_read(fact[0], unpack(fact[1])) == fact
