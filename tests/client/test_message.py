from __future__ import annotations

import logging
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from minibroker_client import Channel, Connection, Message
from minibroker_client.exceptions import (
    ContentDisallowed,
    DecodeError,
    MessageStateError,
    PreconditionFailed,
)
from minibroker_client.message import Lazy, SettledMessage


def received(
    channel: Channel, body: bytes = b"x", no_ack: bool = False, **properties: Any
) -> Message:
    channel.declare_queue("q")
    channel.publish("", "q", body, properties)
    message = channel.get("q", no_ack)
    assert message is not None
    return message


def test_a_message_has_what_was_published(channel: Channel) -> None:
    when = datetime(2026, 11, 24, tzinfo=UTC)
    message = received(
        channel, b'{"a": 1}', content_type="application/json", content_encoding="utf-8",
        headers={"h": 1}, correlation_id="c", timestamp=when, priority=0,
    )  # fmt: skip
    assert message.payload == {"a": 1}
    assert message.decode() is message.payload
    assert message.body == b'{"a": 1}'
    assert (message.content_type, message.content_encoding) == ("application/json", "utf-8")
    assert message.headers == {"h": 1}
    assert message.properties == {"correlation_id": "c", "timestamp": when, "priority": 0}
    assert message.errors == []
    assert message.delivery_tag == 1
    assert message.channel is channel


def test_what_a_consumer_changes_is_not_seen_by_another(channel: Channel) -> None:
    for queue in ("a", "b"):
        channel.declare_queue(queue)
        channel.bind_queue(queue, "amq.fanout")
    channel.publish("amq.fanout", "", b"", {"headers": {"list": [{"deep": 1}]}, "app_id": "me"})
    one, two = channel.get("a"), channel.get("b")
    assert one is not None
    assert two is not None
    one.headers["list"][0]["deep"] = 2
    one.headers["new"] = 1
    one.properties["app_id"] = "you"
    assert two.headers == {"list": [{"deep": 1}]}
    assert two.properties == {"app_id": "me"}


def test_fields_can_be_set(channel: Channel) -> None:
    message = received(channel)
    message.headers = {"mine": 1}
    message.body = b"other"
    assert (message.headers, message.body) == ({"mine": 1}, b"other")


def test_a_field_of_the_class_is_its_description() -> None:
    assert isinstance(Message.headers, Lazy)


def test_a_message_is_settled_once(channel: Channel) -> None:
    message = received(channel)
    assert not message.acknowledged
    message.ack()
    assert message.acknowledged
    for settle in (message.ack, message.reject, message.requeue):
        with pytest.raises(MessageStateError, match="already settled: ACK"):
            settle()


def test_a_message_can_be_rejected_or_requeued(channel: Channel) -> None:
    message = received(channel)
    message.requeue()
    assert message.acknowledged
    again = channel.get("q")
    assert again is not None
    assert again.delivery_info["redelivered"]
    again.reject()
    with pytest.raises(MessageStateError, match="REJECTED"):
        again.ack()
    assert channel.get("q") is None


def test_an_ack_can_mean_all_up_to_a_message(channel: Channel) -> None:
    one, two = received(channel), received(channel)
    two.ack(multiple=True)
    with pytest.raises(PreconditionFailed):
        one.ack()


def test_without_acks_there_is_nothing_to_settle(channel: Channel) -> None:
    message = received(channel, no_ack=True)
    assert isinstance(message, SettledMessage)
    assert message.acknowledged
    message.ack()
    for settle in (message.reject, message.requeue):
        with pytest.raises(MessageStateError, match="without acks"):
            settle()
    assert not channel.closed


def test_a_message_of_ones_own_has_no_channel() -> None:
    message = Message(b"1", content_type="application/json")
    assert message.payload == 1
    with pytest.raises(MessageStateError, match="no channel"):
        message.ack()
    with pytest.raises(MessageStateError, match="no channel"):
        message.reject()


def test_text_of_ones_own_is_encoded_if_asked() -> None:
    assert Message("é", postencode="latin-1").body == b"\xe9"
    assert Message("é").body == "é"


def test_a_compressed_body_is_undone_by_its_header(channel: Channel) -> None:
    headers = {"compression": "application/x-gzip"}
    message = received(channel, zlib.compress(b"long"), headers=headers)
    assert message.body == b"long"
    assert message.payload == "long"
    own = Message(zlib.compress(b"long"), headers=headers)
    assert own.body == b"long"


def test_a_body_that_cannot_be_decompressed_is_an_error_of_the_message(channel: Channel) -> None:
    message = received(channel, b"junk", headers={"compression": "application/x-gzip"})
    assert message.errors[0][0] is DecodeError
    assert message.body == b"junk"
    with pytest.raises(DecodeError):
        message.decode()
    with pytest.raises(DecodeError):
        message._reraise_error()
    told: list[object] = []
    message._reraise_error(lambda *args: told.append(args))
    assert told == [(message, message.errors[0][1])]


def test_accept_says_what_is_decoded(channel: Channel) -> None:
    message = received(channel, b"1", content_type="application/json")
    message.accept = {"application/x-msgpack"}
    with pytest.raises(ContentDisallowed):
        message.decode()
    message.accept = {"application/json"}
    assert message.decode() == 1


def test_content_that_is_off_unless_asked_for_is_refused(channel: Channel) -> None:
    message = received(channel, b"N.", content_type="application/x-python-serialize")
    with pytest.raises(ContentDisallowed):
        _ = message.payload
    unmarked = received(channel, b"N.")
    assert unmarked.payload == "N."


def test_an_error_while_settling_can_be_logged(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("test")
    message = received(connection.channel())
    connection.close()
    message.ack_log_error(logger, connection.connection_errors)
    message.reject_log_error(logger, connection.connection_errors)
    assert [record.levelname for record in caplog.records] == ["CRITICAL", "CRITICAL"]
    with pytest.raises(connection.connection_errors):
        message.ack_log_error(logger, (KeyError,))


def test_settling_without_an_error_logs_nothing(
    channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    received(channel).ack_log_error(logging.getLogger("test"), ())
    received(channel).reject_log_error(logging.getLogger("test"), (), requeue=False)
    assert caplog.records == []


def test_a_broken_pipe_is_logged_and_raised(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Message):
        def ack(self, multiple: bool = False) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Broken().ack_log_error(logging.getLogger("test"), (OSError,))
    assert len(caplog.records) == 1


def test_it_shows_what_it_is(channel: Channel) -> None:
    shown = repr(received(channel, b"abc", content_type="text/plain"))
    assert "state='RECEIVED'" in shown
    assert "body_length=3" in shown
    assert "routing_key='q'" in shown
    assert "body_length=None" in repr(Message())
