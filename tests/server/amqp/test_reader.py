"""Bytes into frames: any pieces give the same, and what is no frame is an error that shows it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from minibroker.server.amqp.reader import shown
from minibroker.server.amqp.states import CLOSING
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import BODY, HEADER, HEARTBEAT_FRAME, METHOD
from minibroker.wire.amqp.frames import header_frame, method_frame

from ..pair import PLAIN, Client, Said, frame, publishing, raw_method

if TYPE_CHECKING:
    from minibroker import Broker


def close_of(said: list[Said]) -> spec.ConnectionClose:
    """The one thing that was said: why the connection closes."""
    (one,) = said
    assert one.channel == 0
    assert isinstance(one.method, spec.ConnectionClose)
    return one.method


SESSION = b"".join(
    [
        method_frame(1, spec.QueueDeclare("s", durable=True)),
        publishing(1, b"one", key="s"),
        publishing(1, b"", key="s"),
        HEARTBEAT_FRAME,
        method_frame(2, spec.ChannelOpen()),
        publishing(2, b"x" * 100, key="s", header=b"\x10\x00\x02", frame_max=50),
        method_frame(1, spec.BasicGet("s", no_ack=True)),
        method_frame(1, spec.BasicGet("s")),
        method_frame(1, spec.BasicAck(2)),
        method_frame(2, spec.BasicConsume("s", "tag")),
        method_frame(2, spec.BasicAck(1)),
        method_frame(2, spec.BasicGet("s")),
        method_frame(2, spec.BasicNack(7)),
    ]
)
"""Something of everything, up to an error."""


def run(broker: Broker, *pieces: bytes) -> list[Said]:
    """What is said when a session comes in these pieces; deliveries are the only thing that may be
    said earlier or later.
    """
    client = Client(broker).open(1)
    said = [each for piece in pieces for each in client.feed(piece)]
    return [*said, *client.said()]


def test_a_session_in_two_pieces_cut_anywhere_is_as_in_one(broker: Broker) -> None:
    whole = run(broker, SESSION)
    assert [type(each.method).__name__ for each in whole] == [
        "QueueDeclareOk", "ChannelOpenOk", "BasicGetOk", "BasicGetOk", "BasicConsumeOk",
        "BasicDeliver", "BasicGetEmpty", "ChannelClose",
    ]  # fmt: skip
    for cut in range(1, len(SESSION)):
        del broker.vhosts["/"].queues["s"]  # as if it had never been
        broker.vhosts["/"].exchanges[""].memo.clear()
        assert run(broker, SESSION[:cut], SESSION[cut:]) == whole, cut


def test_a_session_byte_by_byte_is_as_in_one_piece(broker: Broker) -> None:
    whole = run(broker, SESSION)
    client = Client(broker).open(1)
    client.ask(1, spec.QueueDelete("s"), spec.QueueDeleteOk)
    said = run(broker, *(SESSION[at : at + 1] for at in range(len(SESSION))))
    assert said == whole


def test_many_frames_come_in_one_piece(client: Client) -> None:
    client.declare(1, "q")
    count = 3000
    said = client.feed(
        b"".join(
            publishing(1, str(number).encode(), key="q")
            + method_frame(1, spec.BasicGet("q", no_ack=True))
            for number in range(count)
        )
    )
    assert [each.body for each in said] == [str(number).encode() for number in range(count)]


# -- what is no frame


@pytest.mark.semantics(6)
@pytest.mark.parametrize("frame_max", [4096, 131_072])
def test_a_frame_that_is_too_long_is_refused_as_soon_as_it_says_so(
    broker: Broker, frame_max: int
) -> None:
    client = Client(broker).open(1, frame_max=frame_max)
    client.frames.frame_max = 131_072
    begin = struct.pack(">BHI", BODY, 1, frame_max + 1) + b"x"
    why = f"{{frame_too_large,{frame_max + 1},{frame_max - 8}}}"
    assert close_of(client.feed(begin)) == spec.ConnectionClose(
        501, f"FRAME_ERROR - type 3, all octets = <<>>: {why}", 0, 0
    )


@pytest.mark.semantics(6)
def test_a_frame_that_is_too_long_is_refused_when_its_header_came_alone(client: Client) -> None:
    assert client.feed(b"\x01\x00\x01\xff\xff\xff\xff") == []
    assert close_of(client.feed(bytes(1))).reply_code == 501


@pytest.mark.semantics(6)
def test_the_longest_frame_that_is_taken(client: Client) -> None:
    client.declare(1, "q")
    most = 131_072
    begin = method_frame(1, spec.BasicPublish("", "q")) + header_frame(1, most, PLAIN)
    assert client.feed(begin + frame(BODY, 1, bytes(most))) == []
    (got,) = client.send(1, spec.BasicGet("q"))
    assert got.body == bytes(most)


WRONG_ENDS = [
    (method_frame(1, spec.BasicGet("q"))[:-1], 1, "0,60,0,70,0,0,1,113,0"),
    (HEARTBEAT_FRAME[:-1], 8, ""),
    (frame(METHOD, 1, b"abc")[:-1], 1, '"abc"'),
]


@pytest.mark.semantics(6)
@pytest.mark.parametrize(("begin", "kind", "octets"), WRONG_ENDS)
def test_a_frame_without_its_end_is_refused(
    client: Client, begin: bytes, kind: int, octets: str
) -> None:
    close = close_of(client.feed(begin + b"\x00" + b"x" * 20))
    assert close == spec.ConnectionClose(
        501,
        f"FRAME_ERROR - type {kind}, all octets = <<{octets}>>: {{invalid_frame_end_marker,0}}",
        0,
        0,
    )


@pytest.mark.semantics(6)
def test_a_publish_without_an_end_is_refused_and_nothing_is_published(client: Client) -> None:
    client.declare(1, "q")
    whole = publishing(1, b"body", key="q")
    ends = [at for at, byte in enumerate(whole) if byte == 0xCE]
    assert len(ends) == 3
    broker = client.server.broker
    for end in ends:
        other = Client(broker).open(1)  # type: ignore[arg-type]  # it is a broker
        damaged = whole[:end] + b"\xcd" + whole[end + 1 :]
        assert close_of(other.feed(damaged + HEARTBEAT_FRAME)).reply_code == 501
    assert client.ask(1, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[1] == 0


@pytest.mark.semantics(6)
@pytest.mark.parametrize("kind", [0, 4, 5, 7, 9, 255])
def test_a_frame_of_an_unknown_type_is_refused(client: Client, kind: int) -> None:
    close = close_of(client.feed(frame(kind, 1, bytes(20))))
    assert close == spec.ConnectionClose(
        501,
        f"FRAME_ERROR - type {kind}, first 16 octets = <<{','.join(['0'] * 16)}>>: unknown_frame",
        0,
        0,
    )


@pytest.mark.semantics(6)
@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x14\x00"])
def test_a_method_frame_without_a_method_is_refused(client: Client, payload: bytes) -> None:
    assert close_of(client.feed(frame(METHOD, 1, payload))).reply_code == 501


@pytest.mark.semantics(6)
@pytest.mark.parametrize("length", [0, 11])
def test_a_content_header_without_its_numbers_is_refused(client: Client, length: int) -> None:
    assert close_of(client.feed(frame(HEADER, 1, bytes(length)))).reply_code == 501


@pytest.mark.semantics(6)
def test_a_heartbeat_on_a_channel_may_not_come(client: Client) -> None:
    close = close_of(client.feed(frame(8, 1, b"")))
    assert close == spec.ConnectionClose(505, "UNEXPECTED_FRAME - type 8, all octets = <<>>", 0, 0)


def test_a_heartbeat_with_something_in_it_is_refused(client: Client) -> None:
    assert close_of(client.feed(frame(8, 0, b"hello"))).reply_code == 501


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"", "type 1, all octets = <<>>"),
        (b"\x01\xff", "type 1, all octets = <<1,255>>"),
        (b'a"b\\', 'type 1, all octets = <<"a\\"b\\\\">>'),
        (bytes(17), "type 1, first 16 octets = <<0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0>>"),
    ],
)
def test_an_error_shows_the_first_octets_as_rabbitmq_does(payload: bytes, text: str) -> None:
    assert shown(1, payload) == text
    assert shown(1, payload, "why") == f"{text}: why"


# -- what comes after an error


def test_nothing_that_comes_after_an_error_counts_but_the_answer_to_it(client: Client) -> None:
    client.declare(1, "q")
    wrong = frame(9, 0, b"")
    after = publishing(1, b"m", key="q") + method_frame(1, spec.QueueDelete("q"))
    close_of(client.feed(wrong + after))
    assert client.feed(after + frame(9, 0, b"") + b"half") == []
    assert client.server.state is CLOSING
    other = Client(client.server.broker).open(1)  # type: ignore[arg-type]  # it is a broker
    assert other.ask(1, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[1] == 0


def test_the_answer_is_heard_in_the_next_piece_after_a_frame_that_was_none(client: Client) -> None:
    close_of(client.feed(frame(9, 0, b"")))
    assert client.send(0, spec.ConnectionCloseOk()) == []
    assert client.server.ending


def test_the_end_of_a_connection_ends_the_piece_that_is_read(client: Client) -> None:
    client.declare(1, "q")
    piece = method_frame(0, spec.ConnectionClose()) + publishing(1, b"m", key="q") + b"half"
    (said,) = client.feed(piece)
    assert said.method == spec.ConnectionCloseOk()
    assert client.server.ending
    assert client.feed(publishing(1, b"m", key="q")) == []


# -- the quick way of acks


def test_acks_are_read_in_any_form(client: Client) -> None:
    client.declare(1, "q")
    client.feed(b"".join(publishing(1, b"m", key="q") for _ in range(6)))
    client.send(1, *[spec.BasicGet("q")] * 6)
    assert client.send(1, spec.BasicAck(1), spec.BasicAck(3, multiple=True)) == []
    bits_nobody_has = raw_method(1, 60, 80, struct.pack(">QB", 5, 0xFF))
    assert client.feed(bits_nobody_has) == []
    (close,) = client.feed(raw_method(1, 60, 80, struct.pack(">QB", 6, 0xFE)) * 2)
    assert close.method == spec.ChannelClose(
        406, "PRECONDITION_FAILED - unknown delivery tag 6", 60, 80
    )


def test_an_ack_of_the_wrong_length_is_refused(client: Client) -> None:
    long = raw_method(1, 60, 80, struct.pack(">QB", 5, 0) + b"x")
    assert close_of(client.feed(long)).reply_code == 501
