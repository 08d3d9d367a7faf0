"""A message and its places as a record, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.journal import messages
from minibroker.journal.messages import Encoder, Several, decode, encoded
from minibroker.message import Death, MarkedMessage, Message
from minibroker.properties import Properties
from minibroker.store import record

from ...wire.amqp.strategies import NEAR_MOMENTS, SIMPLE, properties, tables
from ..restarts import PERSISTENT, persistent
from .items import item

if TYPE_CHECKING:
    from minibroker.journal.messages import Item

SHORT = st.text(max_size=20)
ANY = properties(tables(SIMPLE), NEAR_MOMENTS, SHORT)
DEATHS = st.builds(
    Death,
    queue=SHORT,
    reason=st.sampled_from(("expired", "rejected")),
    exchange=SHORT,
    routing_keys=st.lists(SHORT, max_size=2).map(tuple),
    time=st.none() | st.integers(0, 2**40),
    original_expiration=st.none() | SHORT,
    count=st.integers(1, 2**40),
)
PLAIN = st.builds(Message, SHORT, SHORT, ANY, st.binary(max_size=50))
MARKED = st.builds(
    MarkedMessage,
    SHORT,
    SHORT,
    ANY,
    st.binary(max_size=50),
    st.none() | st.integers(0, 10**12),
    st.lists(SHORT, max_size=2).map(tuple),
    st.lists(DEATHS, max_size=2).map(tuple),
)
PLACES = st.lists(
    st.tuples(st.integers(1, 2**32 - 1), st.integers(0, 2**63), st.none() | st.integers(1, 2**50)),
    min_size=1,
    max_size=4,
    unique_by=lambda place: place[0],
)


def records(*items: Item, position: int = 100, threshold: int | None = None) -> list[bytes]:
    """The payloads of the records of items, checked as a whole."""
    end, parts, entries, weight = Encoder(threshold).encode(list(items), position)
    data = b"".join(parts)
    assert end == position + len(data)
    scanned = list(record.scan(data))
    assert sum(record.HEADER_SIZE + len(payload) for _, _, payload in scanned) == len(data)
    told = [item for item in items if type(item) is not tuple]
    places = [len(each.entries) if isinstance(each, Several) else 1 for each in told]
    assert entries == sum(places)
    shares = [each.message.share * count for each, count in zip(told, places, strict=True)]
    assert weight == sum(shares)
    return [payload for _, _, payload in scanned]


def same(first: Message, second: Message) -> bool:
    """Whether two messages are equal in all that is kept."""
    deaths = [[vars_of(death) for death in each.deaths] for each in (first, second)]
    return (
        deaths[0] == deaths[1]
        and encoded(first.properties) == encoded(second.properties)
        and all(
            getattr(first, name) == getattr(second, name)
            for name in ("exchange", "routing_key", "body", "ttl", "copies")
        )
    )


def vars_of(death: Death) -> list[Any]:
    return [getattr(death, name) for name in Death.__slots__]


@given(message=PLAIN | MARKED, places=PLACES, threshold=st.none() | st.integers(0, 30))
def test_any_message_is_read_as_it_was_written_for_each_of_its_places(
    message: Message, places: list[tuple[int, int, int | None]], threshold: int | None
) -> None:
    entries = [item(place, seq, message=message, expires=time) for place, seq, time in places]
    told: Any = entries[0] if len(entries) == 1 else Several(message, list(entries))
    (payload,) = records(told, threshold=threshold)
    assert message.position == 100
    for place, seq, time in places:
        read = decode(payload, 100, place)
        assert same(read.message, message)
        assert type(read.message) is type(message)
        assert (read.seq, read.time) == (seq, time or 0)
        assert (read.message.position, read.message.share) == (100, message.share)


def test_messages_that_begin_alike_keep_what_differs() -> None:
    first = [item(1, number, b"%d" % number) for number in range(3)]
    second = [item(1, 3, message=Message("other", "key", PERSISTENT, b"x"))]
    third = [item(1, 4, message=Message("other", "other", PERSISTENT, b"y"))]
    found = [decode(each, 0, 1) for each in records(*first, *second, *third, *first[:1])]
    assert [each.message.body for each in found] == [b"0", b"1", b"2", b"x", b"y", b"0"]
    names = [(each.message.exchange, each.message.routing_key) for each in found]
    assert names[2:] == [("exchange", "key"), ("other", "key"), ("other", "other"), names[0]]


def test_properties_that_were_not_encoded_yet_are_not_taken_for_each_other() -> None:
    message_ids = ["a", "b", "b", "c"]
    items = [item(1, seq, message_id=each) for seq, each in enumerate(message_ids)]
    for each in items:
        each.message.exchange, each.message.routing_key = "x", "k"
        assert each.message.properties.encoded is None
    found = [decode(each, 0, 1).message.properties.message_id for each in records(*items)]
    assert found == message_ids


def test_other_facts_stand_between_messages_where_they_happened() -> None:
    first, second = item(1, 1), item(1, 2)
    payloads = records(first, (7, b"a fact"), second, (8, b""))
    assert payloads[1] == b"a fact"
    assert payloads[3] == b""
    assert second.message.position > first.message.position


def test_bodies_from_the_threshold_on_are_compressed_if_that_makes_them_smaller() -> None:
    small, large, noise = bytes(99), bytes(100), bytes(range(256))
    payloads = records(item(1, 1, small), item(1, 2, large), item(1, 3, noise), threshold=100)
    sizes = [len(payload) for payload in payloads]
    assert sizes[1] < sizes[0]
    assert sizes[2] > 256
    found = [decode(payload, 0, 1).message.body for payload in payloads]
    assert found == [small, large, noise]


def test_what_the_places_of_a_message_share_is_what_its_record_takes() -> None:
    message = Message("", "q", PERSISTENT, bytes(1000))
    entries = [item(place, 1, message=message) for place in (1, 2, 3)]
    (payload,) = records(Several(message, list(entries)))
    assert message.share == (record.HEADER_SIZE + len(payload)) // 3


def test_a_record_without_the_place_that_is_asked_for_is_refused() -> None:
    (payload,) = records(item(1, 1))
    with pytest.raises(ValueError, match="no place 2"):
        decode(payload, 0, 2)


def test_beginnings_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MEMO", 3)
    messages._beginnings.clear()
    encoder = Encoder()
    for number in range(10):
        message = Message("", f"k{number}", PERSISTENT, b"")
        _, parts, _, _ = encoder.encode([item(1, number, message=message)], 0)
        (_, _, payload) = next(record.scan(b"".join(parts)))
        assert decode(payload, 0, 1).message.routing_key == f"k{number}"
        assert len(encoder._memo) <= 3
        assert len(messages._beginnings) <= 3


def test_a_long_beginning_is_not_remembered() -> None:
    encoder = Encoder()
    messages._beginnings.clear()
    large = Properties(headers={"trace": "x" * 2000})
    _, parts, _, _ = encoder.encode([item(1, 1, message=Message("", "q", large, b"m"))], 100)
    payload = b"".join(parts)[record.HEADER_SIZE :]
    assert decode(payload, 100, 1).message.properties == large
    assert not encoder._memo
    assert not messages._beginnings


def test_messages_that_begin_alike_share_their_properties_when_they_are_read() -> None:
    payloads = records(item(1, 1, b"a", app_id="x"), item(1, 2, b"b", app_id="x"))
    first, second = (decode(payload, 0, 1).message for payload in payloads)
    assert first.properties is second.properties
    assert first.properties.encoded == encoded(persistent(app_id="x"))


def test_properties_are_encoded_once_and_what_amqp_cannot_carry_is_refused() -> None:
    properties = Properties(app_id="x")
    assert encoded(properties) is encoded(properties)
    with pytest.raises(ValueError, match="x-big"):
        encoded(Properties(headers={"x-big": 1 << 70}))
