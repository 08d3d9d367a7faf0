"""Dead-lettering by itself: real exchanges and queues, but no broker around them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker.arguments import QueueDeclaration, QueueSettings
from minibroker.dead_letter import DeadLetters, death_table, is_cycle
from minibroker.exchanges import (
    DefaultExchange,
    Exchange,
    ExchangeSurroundings,
)
from minibroker.lettered import Long
from minibroker.message import Death, MarkedMessage, Message
from minibroker.profile import get_profile
from minibroker.properties import PLAIN, Properties
from minibroker.queues import Queue, Surroundings
from minibroker.routing import Router
from minibroker.timers import Timers

if TYPE_CHECKING:
    from minibroker.fields import FieldValue

NOW = 1_767_225_601_999


class Place:
    """The part of a virtual host that dead-letters."""

    def __init__(self, profile: str = "rabbitmq-4.2") -> None:
        self.profile = get_profile(profile)
        self.timers = Timers()
        self.exchanges: dict[str, Exchange] = {}
        self.letters = DeadLetters(
            self.exchanges, Router(self.exchanges), self.profile, lambda: NOW
        )
        world = ExchangeSurroundings(self.profile, self.timers, lambda: NOW, lambda *_: None)
        self.default = self.exchanges[""] = DefaultExchange(world)

    def queue(self, name: str, to: str | None = None, *, kept: int | None = None) -> Queue:
        """A queue that dead-letters to another one, and keeps so many entries."""
        settings = QueueSettings(max_length=kept)
        if to is not None:
            settings = replace(settings, dead_letter_exchange="", dead_letter_routing_key=to)
        world = Surroundings(
            lambda: NOW, self.timers, self.profile, self.letters.send, lambda _: None
        )
        queue = Queue(QueueDeclaration(name), settings, world)
        self.default.memo[name] = (queue,)
        return queue


def bodies(queue: Queue) -> list[bytes]:
    return [entry.message.body for entry in queue.ready]


def only(queue: Queue) -> Message:
    (entry,) = queue.ready
    return entry.message


def death(queue: str, reason: str = "expired") -> Death:
    return Death(queue, reason, "", (queue,), NOW)


# -- sending


def test_a_letter_goes_to_the_dead_letter_exchange_with_its_history() -> None:
    place = Place()
    dead, queue = place.queue("dead"), place.queue("q", "dead")
    place.letters.send(queue, Message("in", "k", PLAIN, b"m"), "rejected")
    letter = only(dead)
    assert (letter.exchange, letter.routing_key, letter.body) == ("", "dead", b"m")
    (entered,) = letter.deaths
    assert (entered.queue, entered.reason, entered.exchange) == ("q", "rejected", "in")
    assert (entered.routing_keys, entered.time, entered.count) == (("k",), NOW, 1)
    assert letter.headers["x-death"] == [death_table(entered)]


@pytest.mark.parametrize("exchange", [None, "missing"])
def test_without_an_exchange_to_go_to_a_message_is_dropped(exchange: str | None) -> None:
    place = Place()
    queue = place.queue("q")
    queue.settings = replace(queue.settings, dead_letter_exchange=exchange)
    place.letters.send(queue, Message("", "q", PLAIN, b"m"), "rejected")
    assert not queue.ready
    assert not place.letters.line


def test_a_chain_of_queues_is_no_chain_of_calls() -> None:
    place = Place()
    size = 400
    queues = [place.queue(f"q{n}", f"q{n + 1}", kept=0) for n in range(size)]
    last = place.queue(f"q{size}")
    queues[0].push(Message("", "q0", PLAIN, b"m"))
    assert len(only(last).deaths) == size
    assert not place.letters.running


def test_what_a_letter_drives_out_follows_it_in_order() -> None:
    place = Place()
    end = place.queue("end")
    place.queue("middle", "end", kept=1)
    first = place.queue("first", "middle", kept=0)
    for body in (b"a", b"b", b"c"):
        first.push(Message("", "first", PLAIN, body))
    assert bodies(end) == [b"a", b"b"]


def test_after_an_error_in_a_queue_the_next_letter_is_sent_all_the_same() -> None:
    place = Place()
    dead, queue = place.queue("dead"), place.queue("q", "dead")

    class Broken(Queue):
        __slots__ = ()

        def push(self, message: Message) -> bool:
            raise RuntimeError("broken")

    place.default.memo["broken"] = (
        Broken(QueueDeclaration("broken"), QueueSettings(), queue.world),
    )
    broken = place.queue("source", "broken")
    with pytest.raises(RuntimeError, match="broken"):
        place.letters.send(broken, Message("", "source", PLAIN, b"a"), "rejected")
    assert not place.letters.running
    place.letters.send(queue, Message("", "q", PLAIN, b"b"), "rejected")
    assert bodies(dead) == [b"b"]


def test_a_letter_does_not_enter_the_queue_that_closes_its_cycle() -> None:
    place = Place()
    a, b = place.queue("a", "b"), place.queue("b", "a")
    letter = MarkedMessage("", "b", PLAIN, b"m", deaths=(death("a"),))
    place.letters.send(b, letter, "expired")
    assert not a.ready
    place.letters.send(b, letter, "rejected")
    assert bodies(a) == [b"m"]


def test_the_message_and_its_history_are_shared_and_do_not_change() -> None:
    place = Place()
    dead, queue = place.queue("dead"), place.queue("q", "dead")
    before = death("q")
    headers: dict[str, FieldValue] = {"zz": 1, "aa": 2, "CC": ["cc"]}
    message = MarkedMessage(
        "", "q", Properties(headers=headers, expiration="5"), b"", 5, ("cc",), (before,)
    )
    place.letters.send(queue, message, "expired")
    assert before.count == 1
    assert message.deaths == (before,)
    assert list(headers) == ["zz", "aa", "CC"]
    assert message.properties.expiration == "5"
    assert only(dead).deaths[0].count == 2
    assert only(dead).ttl is None


def test_the_first_death_stays_and_the_last_one_names_the_latest_exchange() -> None:
    place = Place()
    dead, queue = place.queue("dead"), place.queue("q", "dead")
    headers = {"x-first-death-queue": "first", "x-last-death-queue": "first"}
    message = MarkedMessage(
        "latest", "q", Properties(headers=headers), b"", deaths=(death("first"),)
    )
    place.letters.send(queue, message, "maxlen")
    letter = only(dead)
    assert letter.headers["x-first-death-queue"] == "first"
    assert letter.headers["x-last-death-queue"] == "q"
    assert letter.headers["x-last-death-exchange"] == "latest"
    assert letter.headers["x-last-death-reason"] == "maxlen"


# -- what a client wrote


def test_rows_of_a_client_are_read_field_by_field() -> None:
    place = Place("rabbitmq-3.13")
    dead, queue = place.queue("dead"), place.queue("q", "dead")
    time = datetime(2020, 1, 1, tzinfo=UTC)
    rows: list[FieldValue] = [
        {"queue": "full", "reason": "expired", "count": 7, "time": time, "exchange": "x",
         "routing-keys": ["a", "b"], "original-expiration": "60"},
        {"queue": "bare", "reason": "maxlen"},
        {"queue": "odd", "reason": "maxlen", "count": "many", "time": 5, "routing-keys": "a",
         "original-expiration": 60},
        {"queue": "no reason"},
        "no table",
    ]  # fmt: skip
    message = Message("", "q", Properties(headers={"x-death": rows}), b"")
    place.letters.send(queue, message, "rejected")
    new, full, bare, odd = only(dead).deaths
    assert (new.queue, new.count) == ("q", 1)
    assert (full.queue, full.reason, full.count, full.exchange) == ("full", "expired", 7, "x")
    assert (full.routing_keys, full.original_expiration) == (("a", "b"), "60")
    assert full.time == time.timestamp() * 1000
    for row in (bare, odd):
        assert (row.count, row.time, row.routing_keys, row.exchange) == (1, None, (), "")
        assert row.original_expiration is None


def test_the_broker_s_own_history_wins_over_the_header() -> None:
    place = Place("rabbitmq-3.13")
    dead, queue = place.queue("dead"), place.queue("q", "dead")
    properties = Properties(headers={"x-death": [{"queue": "fake", "reason": "expired"}]})
    message = MarkedMessage("", "q", properties, b"", deaths=(death("real"),))
    place.letters.send(queue, message, "rejected")
    assert [row.queue for row in only(dead).deaths] == ["q", "real"]


def rows_after(rows: FieldValue, reason: str = "rejected") -> list[dict[str, FieldValue]]:
    """The header after a death in `q`, as RabbitMQ 3.10 has it."""
    place = Place("rabbitmq-3.10")
    dead, queue = place.queue("dead"), place.queue("q", "dead")
    message = Message("x", "key", Properties(headers={"x-death": rows}), b"")
    place.letters.send(queue, message, reason)
    header = only(dead).headers["x-death"]
    assert isinstance(header, list)
    return header


def test_in_3_10_only_the_first_row_ever_is_not_in_the_order_of_its_names() -> None:
    first = ["count", "reason", "queue", "time", "exchange", "routing-keys"]
    assert [list(row) for row in rows_after("no array")] == [first]
    new, old = rows_after([{"queue": "p", "reason": "expired"}])
    assert list(new) == sorted(first)
    assert list(old) == ["queue", "reason"]
    (bumped,) = rows_after([{"reason": "rejected", "queue": "q", "count": Long(2), "z": 1}])
    assert bumped == {"count": 3, "queue": "q", "reason": "rejected", "z": 1}
    assert list(bumped) == sorted(bumped)
    assert isinstance(bumped["count"], Long)


def test_in_3_10_the_other_rows_change_their_order_and_the_same_become_one() -> None:
    rows: list[FieldValue] = [{"queue": name, "reason": "expired"} for name in ("a", "b", "a", "c")]
    new, *others = rows_after(rows)
    assert new["queue"] == "q"
    assert [(row["queue"], row["count"]) for row in others] == [("c", 1), ("b", 1), ("a", 2)]
    (same,) = rows_after([{"queue": "q", "reason": "rejected"}])
    assert same["count"] == 1


# -- rows and cycles


def test_a_row_shows_whole_seconds_and_only_what_there_is() -> None:
    row = death_table(Death("q", "expired", "x", ("a", "b"), NOW, "60", 3))
    assert row == {
        "count": 3,
        "reason": "expired",
        "queue": "q",
        "time": datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC),
        "exchange": "x",
        "routing-keys": ["a", "b"],
        "original-expiration": "60",
    }
    assert set(row) - set(death_table(Death("q", "expired", "x", (), None))) == {
        "time",
        "original-expiration",
    }


@pytest.mark.semantics(108)
@pytest.mark.parametrize(
    ("history", "cycle"),
    [
        ([], False),
        ([("q", "expired")], True),
        ([("q", "maxlen")], True),
        ([("q", "delivery_limit")], True),
        ([("q", "rejected")], False),
        ([("other", "expired")], False),
        ([("other", "expired"), ("q", "expired")], True),
        ([("other", "rejected"), ("q", "expired")], False),
        ([("other", "expired"), ("q", "rejected")], False),
        ([("q", "expired"), ("other", "rejected")], True),
        ([("q", "expired"), ("q", "rejected")], True),
        ([("q", "rejected"), ("q", "expired")], False),
    ],
)
def test_a_cycle_is_a_way_back_to_a_queue_without_a_rejection_on_it(
    history: list[tuple[str, str]], cycle: bool
) -> None:
    assert is_cycle("q", tuple(death(queue, reason) for queue, reason in history)) is cycle
