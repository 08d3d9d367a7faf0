"""Where a dead letter goes, and what it looks like (103, 104)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.events import Returned
from minibroker.properties import PLAIN, Properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection
    from minibroker.message import Message

KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])
PROFILES = ["rabbitmq-3.10", "rabbitmq-3.13", "rabbitmq-4.2", "rabbitmq-4.3"]


def letters(channel: Channel, queue: str = "dead") -> list[Message]:
    """All that is ready, in order, taken out."""
    messages = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        messages.append(answer.entry.message)
    return messages


def declare(channel: Channel, name: str = "q", kind: str = "classic", **given: FieldValue) -> None:
    arguments = {f"x-{key.replace('_', '-')}": value for key, value in given.items()}
    channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind, **arguments})


def rejected(channel: Channel, queue: str = "q") -> None:
    """Take the head of a queue, and reject it."""
    answer = channel.get(queue)
    assert answer is not None
    channel.reject(answer.entry.tag, requeue=False)


@pytest.fixture
def dead(channel: Channel) -> str:
    """A fanout exchange `dlx`, with a queue `dead`."""
    channel.declare_exchange("dlx", "fanout")
    channel.declare_queue("dead", durable=True)
    channel.bind_queue("dead", "dlx")
    return "dlx"


# -- 103: routing


@pytest.fixture
def direct(channel: Channel) -> str:
    """A direct exchange `direct`, with queues bound by their names."""
    channel.declare_exchange("direct", "direct")
    for name in ("original", "cc", "bcc", "chosen"):
        channel.declare_queue(name)
        channel.bind_queue(name, "direct", name)
    return "direct"


def reached(channel: Channel) -> dict[str, Message]:
    """Which queues got a message, each at most one."""
    found: dict[str, Message] = {}
    for name in ("original", "cc", "bcc", "chosen"):
        messages = letters(channel, name)
        assert len(messages) <= 1
        if messages:
            found[name] = messages[0]
    return found


COPIES = Properties(headers={"CC": ["cc"], "BCC": ["bcc"], "foo": 1})


@pytest.mark.semantics(103)
@pytest.mark.parametrize("profile", PROFILES)
def test_without_a_dead_letter_routing_key_the_original_keys_route_cc_and_bcc_too(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    channel.declare_exchange("in", "fanout")
    channel.declare_exchange("direct", "direct")
    for name in ("original", "cc", "bcc", "chosen"):
        channel.declare_queue(name, durable=True)
        channel.bind_queue(name, "direct", name)
    declare(channel, dead_letter_exchange="direct")
    channel.bind_queue("q", "in")
    channel.publish("in", "original", b"m", COPIES)
    rejected(channel)
    found = reached(channel)
    assert list(found) == ["original", "cc", "bcc"]
    for letter in found.values():
        assert letter.routing_key == "original"
        assert letter.headers["CC"] == ["cc"]
        assert "BCC" not in letter.headers


@pytest.mark.semantics(103)
@pytest.mark.parametrize(
    ("profile", "keeps"), [("rabbitmq-3.10", False), *((name, True) for name in PROFILES[1:])]
)
def test_a_dead_letter_routing_key_alone_routes_and_cc_is_kept_from_3_13_on(
    make_broker: Callable[..., Broker], profile: str, keeps: bool
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    for name in ("original", "cc", "bcc", "chosen"):
        channel.declare_queue(name, durable=True)
    declare(channel, dead_letter_exchange="", dead_letter_routing_key="chosen")
    channel.publish("", "q", b"m", Properties(headers={"CC": ["cc"], "BCC": ["bcc"]}))
    assert list(reached(channel)) == ["cc", "bcc"]
    rejected(channel)
    found = reached(channel)
    assert list(found) == ["chosen"]
    assert found["chosen"].routing_key == "chosen"
    assert found["chosen"].headers.get("CC") == (["cc"] if keeps else None)
    assert "BCC" not in found["chosen"].headers


@pytest.mark.semantics(103)
@pytest.mark.parametrize("profile", PROFILES)
def test_the_keys_in_x_death_are_those_that_routed_without_bcc(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    channel.declare_queue("dead", durable=True)
    declare(channel, "q2", dead_letter_exchange="", dead_letter_routing_key="dead")
    declare(channel, "q", dead_letter_exchange="", dead_letter_routing_key="q2")
    channel.publish("", "q", b"m", Properties(headers={"CC": ["cc"], "BCC": ["bcc"]}))
    rejected(channel, "q")
    rejected(channel, "q2")
    (letter,) = letters(channel)
    deaths = letter.headers["x-death"]
    assert isinstance(deaths, list)
    keys = [death["routing-keys"] for death in deaths if isinstance(death, dict)]
    assert keys == [["q2"], ["q", "cc"]]


@pytest.mark.semantics(103)
def test_bcc_keys_route_on_the_second_hop_as_well(channel: Channel, direct: str) -> None:
    channel.declare_exchange("again", "fanout")
    declare(channel, "q2", dead_letter_exchange=direct)
    channel.bind_queue("q2", "again")
    declare(channel, "q", dead_letter_exchange="again")
    channel.publish("", "q", b"m", Properties(headers={"BCC": ["bcc"]}))
    reached(channel)
    rejected(channel, "q")
    rejected(channel, "q2")
    assert list(reached(channel)) == ["bcc"]


# -- 104: the copy


@KINDS
@pytest.mark.semantics(104)
def test_the_copy_has_no_expiration_which_is_kept_in_x_death(
    clock: ManualClock, channel: Channel, dead: str, kind: str
) -> None:
    declare(channel, "q", kind, dead_letter_exchange=dead)
    channel.publish("", "q", b"m", Properties(expiration="1000"))
    clock.advance("1s")
    clock.advance("1h")
    (letter,) = letters(channel)
    assert letter.properties.expiration is None
    deaths = letter.headers["x-death"]
    assert isinstance(deaths, list)
    assert isinstance(deaths[0], dict)
    assert deaths[0]["original-expiration"] == "1000"


@KINDS
@pytest.mark.semantics(104)
def test_a_queue_ttl_leaves_no_original_expiration(
    clock: ManualClock, channel: Channel, dead: str, kind: str
) -> None:
    declare(channel, "q", kind, dead_letter_exchange=dead, message_ttl=1000)
    channel.publish("", "q", b"m")
    clock.advance("1s")
    (letter,) = letters(channel)
    deaths = letter.headers["x-death"]
    assert isinstance(deaths, list)
    assert isinstance(deaths[0], dict)
    assert "original-expiration" not in deaths[0]


@KINDS
@pytest.mark.semantics(104)
def test_the_copy_keeps_body_properties_and_headers_and_names_exchange_and_key(
    channel: Channel, dead: str, kind: str
) -> None:
    declare(channel, "q", kind, dead_letter_exchange=dead)
    properties = Properties(
        content_type="text/plain",
        delivery_mode=2,
        priority=3,
        correlation_id="c",
        message_id="m",
        headers={"foo": "bar"},
    )
    channel.publish("", "q", b"body", properties)
    rejected(channel)
    (letter,) = letters(channel)
    assert (letter.exchange, letter.routing_key, letter.body) == ("dlx", "q", b"body")
    assert letter.persistent
    assert letter.headers["foo"] == "bar"
    assert letter.properties.replace(headers=None) == properties.replace(headers=None)


@pytest.mark.semantics(104)
def test_the_dead_letter_routing_key_is_the_key_of_the_copy(channel: Channel, dead: str) -> None:
    declare(channel, dead_letter_exchange=dead, dead_letter_routing_key="other")
    channel.publish("", "q", b"m")
    rejected(channel)
    assert [letter.routing_key for letter in letters(channel)] == ["other"]


@pytest.mark.semantics(104)
def test_the_published_message_is_not_changed_by_its_dead_letter(
    channel: Channel, dead: str
) -> None:
    declare(channel, dead_letter_exchange=dead)
    headers: dict[str, FieldValue] = {"CC": ["other"]}
    channel.declare_queue("other")
    channel.publish("", "q", b"m", Properties(headers=headers, expiration="1000"))
    rejected(channel)
    (original,) = letters(channel, "other")
    assert original.headers == headers == {"CC": ["other"]}
    assert original.properties.expiration == "1000"


@pytest.mark.semantics(104)
def test_a_dead_letter_that_no_queue_takes_is_not_returned_to_the_publisher(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_exchange("nowhere", "direct")
    declare(channel, dead_letter_exchange="nowhere")
    channel.publish("", "q", b"m", PLAIN, mandatory=True)
    rejected(channel)
    assert not any(isinstance(item, Returned) for item in connection.outbox)


@pytest.mark.semantics(104)
def test_the_alternate_exchange_of_the_dead_letter_exchange_applies(
    channel: Channel, dead: str
) -> None:
    channel.declare_exchange("nowhere", "direct", arguments={"alternate-exchange": dead})
    declare(channel, dead_letter_exchange="nowhere")
    channel.publish("", "q", b"m")
    rejected(channel)
    assert [letter.exchange for letter in letters(channel)] == ["nowhere"]


@pytest.mark.semantics(104)
def test_an_internal_exchange_takes_dead_letters(channel: Channel) -> None:
    channel.declare_exchange("inside", "fanout", internal=True)
    channel.declare_queue("dead")
    channel.bind_queue("dead", "inside")
    declare(channel, dead_letter_exchange="inside")
    channel.publish("", "q", b"m")
    rejected(channel)
    assert len(letters(channel)) == 1
