"""What a dead letter says about its deaths, and where its way ends (105 to 110)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker.properties import PLAIN, Properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.message import Message

KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])
PROFILES = ["rabbitmq-3.10", "rabbitmq-3.13", "rabbitmq-4.2", "rabbitmq-4.3"]
EACH_PROFILE = pytest.mark.parametrize("profile", PROFILES)
CONTINUING = pytest.mark.parametrize("profile", PROFILES[:2])
IGNORING = pytest.mark.parametrize("profile", PROFILES[2:])


def declare(channel: Channel, name: str, to: str, kind: str = "classic", **more: int) -> None:
    """A queue whose dead letters go to another one."""
    arguments: dict[str, FieldValue] = {
        "x-queue-type": kind,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": to,
        **{f"x-{key.replace('_', '-')}": value for key, value in more.items()},
    }
    channel.declare_queue(name, durable=True, arguments=arguments)


def head(channel: Channel, queue: str) -> Message:
    answer = channel.get(queue, no_ack=True)
    assert answer is not None
    return answer.entry.message


def rejected(channel: Channel, queue: str) -> None:
    """Take the head of a queue, and reject it."""
    answer = channel.get(queue)
    assert answer is not None
    channel.reject(answer.entry.tag, requeue=False)


def deaths(message: Message) -> list[dict[str, FieldValue]]:
    header = message.headers["x-death"]
    assert isinstance(header, list)
    return [row for row in header if isinstance(row, dict)]


def beginnings(message: Message) -> dict[str, FieldValue]:
    """The headers `x-first-death-*` and `x-last-death-*`."""
    return {key: value for key, value in message.headers.items() if "-death-" in key}


@pytest.fixture
def make_channel(make_broker: Callable[..., Broker]) -> Callable[[str], Channel]:
    """`make_channel(profile)`: a channel, and a queue `dead`."""

    def make(profile: str) -> Channel:
        channel = make_broker(profile=profile).connect().channel()
        channel.declare_queue("dead", durable=True)
        return channel

    return make


# -- 105: x-death


@KINDS
@pytest.mark.semantics(105)
def test_a_death_has_count_reason_queue_time_exchange_and_routing_keys(
    clock: ManualClock, make_channel: Callable[[str], Channel], kind: str
) -> None:
    channel = make_channel("rabbitmq-4.2")
    declare(channel, "q", "dead", kind)
    channel.declare_exchange("in", "topic")
    channel.bind_queue("q", "in", "#")
    clock.advance("1234ms")
    channel.publish("in", "a.b", b"m", Properties(headers={"CC": ["c.d"], "BCC": ["e.f"]}))
    rejected(channel, "q")
    (death,) = deaths(head(channel, "dead"))
    assert list(death.items()) == [
        ("count", 1),
        ("reason", "rejected"),
        ("queue", "q"),
        ("time", datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("exchange", "in"),
        ("routing-keys", ["a.b", "c.d"]),
    ]


@pytest.mark.semantics(105)
def test_deaths_are_newest_first_one_for_each_queue_and_reason(
    clock: ManualClock, make_channel: Callable[[str], Channel]
) -> None:
    channel = make_channel("rabbitmq-4.2")
    declare(channel, "b", "dead")
    declare(channel, "a", "b", message_ttl=1000)
    channel.publish("", "a", b"m")
    clock.advance("1s")
    rejected(channel, "b")
    rows = deaths(head(channel, "dead"))
    assert [(row["queue"], row["reason"]) for row in rows] == [("b", "rejected"), ("a", "expired")]


@EACH_PROFILE
@pytest.mark.semantics(105)
def test_a_repeated_death_counts_up_moves_to_the_front_and_stays_as_the_first_one(
    clock: ManualClock, make_channel: Callable[[str], Channel], profile: str
) -> None:
    channel = make_channel(profile)
    channel.declare_exchange("in", "fanout")
    declare(channel, "work", "wait")
    declare(channel, "wait", "work", message_ttl=10_000)
    channel.bind_queue("work", "in")
    channel.publish("in", "key", b"m", Properties(expiration="60000"))
    for _ in range(3):
        rejected(channel, "work")
        clock.advance("10s")
    first, second = deaths(head(channel, "work"))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert (first["queue"], first["reason"], first["count"]) == ("wait", "expired", 3)
    assert (first["exchange"], first["routing-keys"]) == ("", ["wait"])
    assert first["time"] == start.replace(second=10)
    assert "original-expiration" not in first
    assert (second["queue"], second["reason"], second["count"]) == ("work", "rejected", 3)
    assert (second["exchange"], second["routing-keys"]) == ("in", ["key"])
    assert second["time"] == start
    assert second["original-expiration"] == "60000"


@pytest.mark.semantics(105)
def test_two_copies_of_one_message_have_histories_of_their_own(
    make_channel: Callable[[str], Channel],
) -> None:
    channel = make_channel("rabbitmq-4.2")
    declare(channel, "a", "work")
    declare(channel, "work", "dead")
    channel.publish("", "a", b"m")
    channel.publish("", "a", b"n")
    rejected(channel, "a")
    rejected(channel, "a")
    rejected(channel, "work")
    assert [row["queue"] for row in deaths(head(channel, "work"))] == ["a"]
    assert [row["queue"] for row in deaths(head(channel, "dead"))] == ["work", "a"]


@pytest.mark.semantics(105)
def test_the_headers_of_a_letter_are_in_alphabetical_order(
    make_channel: Callable[[str], Channel],
) -> None:
    # Observed on RabbitMQ 3.10.8, which sorts a table when it writes into it.
    channel = make_channel("rabbitmq-3.10")
    declare(channel, "q", "dead")
    channel.publish("", "q", b"m", Properties(headers={"zz": 1, "aa": 2}))
    rejected(channel, "q")
    assert list(head(channel, "dead").headers) == [
        "aa",
        "x-death",
        "x-first-death-exchange",
        "x-first-death-queue",
        "x-first-death-reason",
        "zz",
    ]


@pytest.mark.semantics(72, 105)
def test_a_letter_starts_as_not_redelivered(make_channel: Callable[[str], Channel]) -> None:
    channel = make_channel("rabbitmq-4.2")
    declare(channel, "q", "dead")
    channel.publish("", "q", b"m")
    answer = channel.get("q")
    assert answer is not None
    channel.nack(answer.entry.tag)
    rejected(channel, "q")
    letter = channel.get("dead")
    assert letter is not None
    assert not letter.entry.redelivered


# -- 106: the first and the last death


@pytest.mark.semantics(106)
@pytest.mark.parametrize(
    ("profile", "shows_last"), [("rabbitmq-3.10", False), *((name, True) for name in PROFILES[1:])]
)
def test_the_first_death_is_set_once_and_the_last_one_each_time_from_3_13_on(
    clock: ManualClock,
    make_channel: Callable[[str], Channel],
    profile: str,
    shows_last: bool,
) -> None:
    channel = make_channel(profile)
    channel.declare_exchange("in", "fanout")
    channel.declare_exchange("middle", "fanout")
    declare(channel, "b", "dead", message_ttl=1000)
    channel.declare_queue("a", durable=True, arguments={"x-dead-letter-exchange": "middle"})
    channel.bind_queue("a", "in")
    channel.bind_queue("b", "middle")
    first = {
        "x-first-death-exchange": "in",
        "x-first-death-queue": "a",
        "x-first-death-reason": "rejected",
    }
    channel.publish("in", "k", b"m")
    rejected(channel, "a")
    answer = channel.get("b")
    assert answer is not None
    last = {
        "x-last-death-exchange": "in",
        "x-last-death-queue": "a",
        "x-last-death-reason": "rejected",
    }
    assert beginnings(answer.entry.message) == (first | last if shows_last else first)
    channel.nack(answer.entry.tag)
    clock.advance("1s")
    last = {
        "x-last-death-exchange": "middle",
        "x-last-death-queue": "b",
        "x-last-death-reason": "expired",
    }
    assert beginnings(head(channel, "dead")) == (first | last if shows_last else first)


# -- 107: what a client wrote


@CONTINUING
@pytest.mark.semantics(107)
def test_up_to_3_13_the_counts_of_a_message_that_is_published_again_go_on(
    make_channel: Callable[[str], Channel], profile: str
) -> None:
    channel = make_channel(profile)
    declare(channel, "q", "dead")
    channel.publish("", "q", b"m")
    for count in (1, 2, 3):
        rejected(channel, "q")
        letter = head(channel, "dead")
        (row,) = deaths(letter)
        assert (row["count"], row["queue"]) == (count, "q")
        assert letter.headers["x-first-death-queue"] == "q"
        channel.publish("", "q", b"m", letter.properties)


@IGNORING
@pytest.mark.semantics(107)
def test_from_4_0_on_they_begin_anew(make_channel: Callable[[str], Channel], profile: str) -> None:
    channel = make_channel(profile)
    declare(channel, "first", "dead")
    declare(channel, "q", "dead")
    channel.publish("", "first", b"m")
    rejected(channel, "first")
    channel.publish("", "q", b"m", head(channel, "dead").properties)
    rejected(channel, "q")
    letter = head(channel, "dead")
    assert [(row["queue"], row["count"]) for row in deaths(letter)] == [("q", 1)]
    assert letter.headers["x-first-death-queue"] == "q"


@EACH_PROFILE
@pytest.mark.semantics(107)
def test_an_x_death_that_a_client_wrote_is_delivered_untouched_until_the_message_dies(
    make_channel: Callable[[str], Channel], profile: str
) -> None:
    channel = make_channel(profile)
    channel.publish("", "dead", b"m", Properties(headers={"x-death": "mine"}))
    assert head(channel, "dead").headers == {"x-death": "mine"}


OLD: dict[str, FieldValue] = {
    "count": 3,
    "reason": "rejected",
    "queue": "q",
    "exchange": "old",
    "routing-keys": ["k"],
}


@CONTINUING
@pytest.mark.semantics(107)
def test_a_row_that_a_client_wrote_is_counted_on_as_it_is(
    make_channel: Callable[[str], Channel], profile: str
) -> None:
    # Observed on RabbitMQ 3.10.8: no time is added, nor a first death.
    channel = make_channel(profile)
    declare(channel, "q", "dead")
    channel.publish("", "q", b"m", Properties(headers={"x-death": [OLD]}))
    rejected(channel, "q")
    letter = head(channel, "dead")
    assert deaths(letter) == [{**OLD, "count": 4}]
    assert "x-first-death-queue" not in letter.headers


@CONTINUING
@pytest.mark.semantics(107)
def test_other_rows_that_a_client_wrote_stay_behind_the_new_one(
    make_channel: Callable[[str], Channel], profile: str
) -> None:
    channel = make_channel(profile)
    declare(channel, "q", "dead")
    other: dict[str, FieldValue] = {
        **OLD,
        "queue": "elsewhere",
        "time": datetime(2020, 1, 1, tzinfo=UTC),
        "original-expiration": "5",
    }
    headers: dict[str, FieldValue] = {"x-death": [other], "x-first-death-queue": "elsewhere"}
    channel.publish("", "q", b"m", Properties(headers=headers))
    rejected(channel, "q")
    letter = head(channel, "dead")
    assert [row["queue"] for row in deaths(letter)] == ["q", "elsewhere"]
    assert deaths(letter)[1] == other
    assert letter.headers["x-first-death-queue"] == "elsewhere"


@CONTINUING
@pytest.mark.semantics(107)
@pytest.mark.parametrize(
    "nonsense", ["text", 5, [], ["text"], [{"queue": 1, "reason": "x"}], [{"queue": "q"}]]
)
def test_what_is_no_x_death_is_replaced(
    make_channel: Callable[[str], Channel], profile: str, nonsense: FieldValue
) -> None:
    channel = make_channel(profile)
    declare(channel, "q", "dead")
    channel.publish("", "q", b"m", Properties(headers={"x-death": nonsense}))
    rejected(channel, "q")
    first, *others = deaths(head(channel, "dead"))
    assert (first["queue"], first["count"]) == ("q", 1)
    kept = [row for row in nonsense if isinstance(row, dict)] if isinstance(nonsense, list) else []
    assert others == (kept if profile == "rabbitmq-3.10" else [])


@EACH_PROFILE
@pytest.mark.semantics(106, 107)
def test_a_first_death_that_a_client_made_up_is_overwritten(
    make_channel: Callable[[str], Channel], profile: str
) -> None:
    channel = make_channel(profile)
    declare(channel, "q", "dead")
    channel.publish("", "q", b"m", Properties(headers={"x-first-death-reason": "mine"}))
    rejected(channel, "q")
    assert head(channel, "dead").headers["x-first-death-reason"] == "rejected"


# -- 109, 110


@KINDS
@pytest.mark.semantics(109)
def test_the_letter_is_there_as_soon_as_the_source_has_let_go_of_the_message(
    make_channel: Callable[[str], Channel], kind: str
) -> None:
    channel = make_channel("rabbitmq-4.2")
    declare(channel, "q", "dead", kind)
    channel.publish("", "q", b"m", PLAIN)
    rejected(channel, "q")
    assert channel.get("q") is None
    assert head(channel, "dead").body == b"m"


@EACH_PROFILE
@pytest.mark.semantics(110)
def test_the_delivery_count_of_a_quorum_queue_does_not_travel_on(
    make_channel: Callable[[str], Channel], profile: str
) -> None:
    channel = make_channel(profile)
    declare(channel, "q", "dead", "quorum", delivery_limit=2)
    channel.publish("", "q", b"m", Properties(headers={"mine": 1}))
    for _ in range(3):
        answer = channel.get("q")
        assert answer is not None
        assert "x-delivery-count" in answer.entry.message.headers
        channel.reject(answer.entry.tag, requeue=True)
    letter = head(channel, "dead")
    assert deaths(letter)[0]["reason"] == "delivery_limit"
    assert not {"x-delivery-count", "x-acquired-count"} & set(letter.headers)
    assert letter.headers["mine"] == 1
