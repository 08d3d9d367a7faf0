"""One channel: content that comes in frames, its end, and its number."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from minibroker import Properties
from minibroker.errors import FrameInvalid
from minibroker.profile import get_profile
from minibroker.server.amqp.channel import decoded
from minibroker.wire.amqp import encode_properties, spec
from minibroker.wire.amqp.constants import BODY, HEADER
from minibroker.wire.amqp.frames import header_frame, method_frame
from minibroker.wire.amqp.spec import LAYOUTS

from ..pair import PLAIN, Client, Said, frame, publishing

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.wire.amqp.spec import MethodRecord

METHOD = method_frame(1, spec.BasicPublish("", "q"))
GET = spec.BasicGet("q", no_ack=True)


def ended(said: list[Said]) -> spec.ConnectionClose:
    """Why the connection closes."""
    (one,) = said
    assert isinstance(one.method, spec.ConnectionClose)
    return one.method


def opened(said: list[Said]) -> spec.ChannelClose:
    """Why the channel closes."""
    (one,) = said
    assert isinstance(one.method, spec.ChannelClose)
    return one.method


# -- content


@pytest.mark.semantics(19)
@pytest.mark.parametrize("size", [0, 1, 8184, 8185, 100_000, 1_000_000])
@pytest.mark.parametrize("frame_max", [8192, 131_072])
def test_content_of_any_size_goes_in_and_out(broker: Broker, size: int, frame_max: int) -> None:
    client = Client(broker).open(1, frame_max=frame_max)
    client.declare(1, "q")
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    assert client.publish(1, body, key="q", frame_max=frame_max) == []
    (got,) = client.send(1, GET)
    assert got.body == body
    frames = -(-size // (frame_max - 8))
    assert client.frames.largest <= frame_max
    assert frames <= 1 or client.frames.largest == frame_max


@pytest.mark.semantics(19)
def test_bodies_may_come_in_frames_of_any_size_even_empty_ones(client: Client) -> None:
    client.declare(1, "q")
    pieces = [b"a", b"", b"bc", b"", b"d" * 100]
    begin = METHOD + header_frame(1, 103, PLAIN)
    assert client.feed(begin + b"".join(frame(BODY, 1, piece) for piece in pieces)) == []
    assert client.send(1, GET)[0].body == b"".join(pieces)


@pytest.mark.semantics(19)
def test_an_empty_body_is_published_with_its_header(client: Client) -> None:
    client.declare(1, "q")
    assert client.feed(METHOD + header_frame(1, 0, PLAIN)) == []
    assert client.send(1, GET) == [Said(1, spec.BasicGetOk(1, False, "", "q", 0), PLAIN, b"")]


PUBLISH = publishing(1, b"0123456789", key="q", properties=Properties(priority=3), frame_max=14)


@pytest.mark.semantics(19)
@pytest.mark.parametrize("cut", range(1, len(PUBLISH)))
def test_a_publish_cut_at_any_byte_is_the_same_message(client: Client, cut: int) -> None:
    client.declare(1, "q")
    assert client.feed(PUBLISH[:cut]) == []
    assert client.feed(PUBLISH[cut:]) == []
    (got,) = client.send(1, GET)
    assert (got.header, got.body) == (b"\x08\x00\x03", b"0123456789")


@pytest.mark.semantics(18)
def test_properties_go_through_as_they_came(client: Client) -> None:
    client.declare(1, "q")
    fields = (
        b"\x01at\x01\x01bb\xff\x01cB\xff\x01ds\xff\xff\x01eu\xff\xff"
        b"\x01fI\xff\xff\xff\xff\x01gi\xff\xff\xff\xff\x01hl\xff\xff\xff\xff\xff\xff\xff\xff"
        b"\x01if\x3f\xc0\x00\x00\x01jd\x3f\xf8\x00\x00\x00\x00\x00\x00"
        b"\x01kD\x02\x00\x00\x00\x05\x01lS\x00\x00\x00\x01x\x01mA\x00\x00\x00\x01V"
        b"\x01nT\x00\x00\x00\x00\x00\x00\x00\x05\x01oF\x00\x00\x00\x00\x01pV"
        b"\x01qx\x00\x00\x00\x01\xff"
    )  # fmt: skip
    header = b"\x20\x00" + struct.pack(">I", len(fields)) + fields
    assert client.publish(1, b"m", key="q", header=header) == []
    assert client.send(1, GET)[0].header == header


# -- content that is none


WRONG: list[tuple[bytes, str]] = [
    (
        METHOD + method_frame(1, GET),
        "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame "
        "instead",
    ),
    (
        METHOD + frame(BODY, 1, b"x"),
        "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame "
        "instead",
    ),
    (
        METHOD + frame(HEADER, 1, struct.pack(">HHQ", 50, 0, 1) + PLAIN),
        "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead",
    ),
    (
        METHOD + header_frame(1, 5, PLAIN) + method_frame(1, GET),
        "UNEXPECTED_FRAME - expected content body, got non content body frame instead",
    ),
    (
        METHOD + header_frame(1, 5, PLAIN) + header_frame(1, 5, PLAIN),
        "UNEXPECTED_FRAME - expected content body, got non content body frame instead",
    ),
]


@pytest.mark.semantics(6)
@pytest.mark.parametrize(("data", "text"), WRONG)
def test_what_may_not_come_within_a_content_ends_the_connection(
    client: Client, data: bytes, text: str
) -> None:
    assert ended(client.feed(data)) == spec.ConnectionClose(505, text, 60, 40)


@pytest.mark.semantics(6)
@pytest.mark.parametrize("data", [header_frame(1, 5, PLAIN), frame(BODY, 1, b"x")])
def test_content_without_a_method_may_not_come(client: Client, data: bytes) -> None:
    text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead"
    assert ended(client.feed(data)) == spec.ConnectionClose(505, text, 0, 0)


def test_more_body_than_was_announced_is_refused(client: Client) -> None:
    client.declare(1, "q")
    close = ended(client.feed(METHOD + header_frame(1, 2, PLAIN) + frame(BODY, 1, b"abc")))
    assert close.reply_code in {501, 505}
    other = Client(client.server.broker).open(1)  # type: ignore[arg-type]  # it is a broker
    assert other.ask(1, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[1] == 0


@pytest.mark.parametrize(
    "header",
    [b"", b"\x80", b"\x80\x00", b"\x80\x00\x05abc", b"\x00\x02", b"\x20\x00\x00\x00\x00\x05ab"],
)
def test_properties_that_cannot_be_read_end_the_connection(client: Client, header: bytes) -> None:
    client.declare(1, "q")
    slowly = Client(client.server.broker).open(1)  # type: ignore[arg-type]  # it is a broker
    whole = publishing(1, b"m", key="q", header=header)
    for said in (client.feed(whole), slowly.feed(whole[:30]) + slowly.feed(whole[30:])):
        assert ended(said).reply_code in {501, 502}
        assert ended(said)[2:] == (60, 40)


def test_bytes_behind_the_properties_are_refused() -> None:
    with pytest.raises(FrameInvalid, match="1 bytes behind the properties"):
        decoded(b"\x00\x00x")


def test_properties_remember_how_they_were_encoded() -> None:
    encoded = encode_properties(Properties(content_type="text/plain"))
    assert decoded(encoded).encoded == encoded
    assert decoded(b"\x00\x04\x02id").encoded is not None


# -- limits


@pytest.mark.semantics(20)
@pytest.mark.parametrize("profile", ["rabbitmq-3.10", "rabbitmq-4.2"])
def test_a_message_that_is_too_long_ends_the_channel_when_it_came(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    client = Client(make_broker(profile=profile)).open(1)
    client.declare(1, "q")
    most = get_profile(profile).max_message_size
    assert client.feed(METHOD + header_frame(1, most + 1, PLAIN)) == []
    piece = frame(BODY, 1, bytes(131_064))
    whole, rest = divmod(most + 1, 131_064)
    for _ in range(whole):
        assert client.feed(piece) == []
    content = client.server.channels[1].content
    assert content is not None
    assert content.parts == []
    close = opened(client.feed(frame(BODY, 1, bytes(rest))))
    assert close == spec.ChannelClose(
        406,
        f"PRECONDITION_FAILED - message size {most + 1} is larger than configured max size {most}",
        60,
        40,
    )


@pytest.mark.semantics(20)
@pytest.mark.parametrize("size", [(512 << 20) + 1, 2**63, 2**64 - 1])
def test_a_body_beyond_all_limits_is_refused_when_it_is_announced(
    client: Client, size: int
) -> None:
    close = ended(client.feed(METHOD + header_frame(1, size, PLAIN)))
    assert close.reply_code == 501
    assert close[2:] == (60, 40)


# -- the end of a channel


@pytest.mark.semantics(22)
def test_a_channel_that_was_closed_hears_nothing_until_that_is_answered(client: Client) -> None:
    client.declare(1, "q")
    opened(client.send(1, spec.BasicGet("nowhere")))
    ignored: list[bytes] = [
        publishing(1, b"m", key="q"),
        PUBLISH,
        METHOD,
        frame(BODY, 1, b"x"),
        header_frame(1, 5, PLAIN),
        frame(1, 1, b"\x00\x32\x00\x0a"),
    ]
    ignored += [
        method_frame(1, record())
        for record in LAYOUTS
        if record not in {spec.ChannelClose, spec.ChannelCloseOk, spec.ChannelOpen}
    ]
    for data in ignored:
        assert client.feed(data) == []
    client.ask(2, spec.ChannelOpen(), spec.ChannelOpenOk)
    assert client.ask(2, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[1] == 0


@pytest.mark.semantics(22)
def test_the_number_of_a_closed_channel_is_free_when_that_is_answered(client: Client) -> None:
    client.declare(1, "q")
    for _ in range(3):
        opened(client.send(1, spec.BasicGet("nowhere")))
        assert client.send(1, spec.ChannelCloseOk()) == []
        client.ask(1, spec.ChannelOpen(), spec.ChannelOpenOk)
        assert client.publish(1, b"m", key="q") == []
        assert client.send(1, GET)[0].method == spec.BasicGetOk(1, False, "", "q", 0)


@pytest.mark.semantics(22)
def test_both_sides_may_close_a_channel_at_the_same_time(client: Client) -> None:
    opened(client.send(1, spec.BasicGet("nowhere")))
    assert client.send(1, spec.ChannelClose()) == [Said(1, spec.ChannelCloseOk())]
    assert client.send(1, spec.ChannelCloseOk(), spec.ChannelOpen()) == [
        Said(1, spec.ChannelOpenOk())
    ]


@pytest.mark.semantics(22)
def test_a_channel_that_waits_to_be_closed_cannot_be_opened(client: Client) -> None:
    opened(client.send(1, spec.BasicGet("nowhere")))
    assert ended(client.send(1, spec.ChannelOpen())).reply_code == 504


def test_what_a_channel_had_goes_back_when_it_ends_whoever_ends_it(broker: Broker) -> None:
    for method in (spec.ChannelClose(), spec.BasicGet("nowhere")):
        client = Client(broker).open(1, 2)
        client.declare(1, "q")
        client.publish(1, b"m", key="q")
        client.send(1, spec.BasicConsume("q", "t"))
        client.send(1, method)
        (got,) = client.send(2, GET)
        assert got.body == b"m"
        assert client.ask(2, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[2] == 0


@pytest.mark.parametrize(
    "record", [spec.ChannelCloseOk, spec.ChannelOpenOk, spec.ChannelFlowOk, spec.BasicDeliver]
)
def test_what_only_a_server_says_is_no_command(client: Client, record: type[MethodRecord]) -> None:
    close = ended(client.feed(method_frame(1, record())))
    text = "COMMAND_INVALID - unimplemented method"
    assert close == spec.ConnectionClose(503, text, *LAYOUTS[record][:2])


def test_a_consumer_that_does_not_ack_in_time_ends_its_channel(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(profile="rabbitmq-3.10")
    client = Client(broker).open(1)
    client.declare(1, "q")
    client.publish(1, b"m", key="q")
    client.send(1, spec.BasicConsume("q", "t"))
    broker.clock.advance("2h")  # type: ignore[attr-defined]  # it is a ManualClock
    close = opened(client.said())
    assert close.reply_code == 406
    assert close[2:] == (0, 0)
    assert close.reply_text.startswith(
        "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out."
    )


@pytest.mark.semantics(22)
@pytest.mark.parametrize(
    "data",
    [
        method_frame(1, spec.BasicQos()),
        method_frame(1, spec.BasicAck(1)),
        publishing(1, b"m", key="q"),
        PUBLISH,
        METHOD + header_frame(1, 5, PLAIN),
    ],
)
def test_what_comes_for_a_channel_that_the_broker_just_closed_is_ignored(
    broker: Broker, clock: ManualClock, data: bytes
) -> None:
    client = Client(broker).open(1)
    client.declare(1, "q")
    client.publish(1, b"m", key="q")
    client.send(1, spec.BasicConsume("q", "t"))
    clock.advance("2h")
    opened(client.feed(data))
    assert client.send(1, spec.ChannelCloseOk(), spec.ChannelOpen()) == [
        Said(1, spec.ChannelOpenOk())
    ]
    assert client.ask(1, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[1] == 1


def test_a_channel_may_be_closed_while_the_broker_closes_it(
    broker: Broker, clock: ManualClock
) -> None:
    client = Client(broker).open(1)
    client.declare(1, "q")
    client.publish(1, b"m", key="q")
    client.send(1, spec.BasicConsume("q", "t"))
    clock.advance("2h")
    close, ok = client.send(1, spec.ChannelClose())
    assert isinstance(close.method, spec.ChannelClose)
    assert ok == Said(1, spec.ChannelCloseOk())
    assert client.send(1, spec.ChannelCloseOk(), spec.ChannelOpen()) == [
        Said(1, spec.ChannelOpenOk())
    ]


def test_content_that_is_half_there_when_the_broker_closes_the_channel_is_forgotten(
    broker: Broker, clock: ManualClock
) -> None:
    client = Client(broker).open(1)
    client.declare(1, "q")
    client.publish(1, b"m", key="q")
    client.send(1, spec.BasicConsume("q", "t"))
    assert client.feed(METHOD + header_frame(1, 2, PLAIN)) == []
    clock.advance("2h")
    opened(client.feed(frame(BODY, 1, b"x")))
    assert client.feed(frame(BODY, 1, b"x")) == []
    client.send(1, spec.ChannelCloseOk(), spec.ChannelOpen())
    assert client.ask(1, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[1] == 1
