"""What a connection is told besides deliveries."""

from __future__ import annotations

from minibroker.errors import PreconditionFailed
from minibroker.events import (
    Blocked,
    Cancelled,
    ChannelClosed,
    Confirmed,
    Returned,
    Unblocked,
)
from minibroker.message import Message
from minibroker.properties import PLAIN

CHANNEL: object = object()


def test_events_with_the_same_fields_are_equal() -> None:
    assert Blocked("low on memory") == Blocked("low on memory")
    assert Blocked("low on memory") != Blocked("low on disk")
    assert Unblocked() == Unblocked()


def test_events_carry_what_the_protocol_sends() -> None:
    message = Message("x", "key", PLAIN, b"body")
    returned = Returned(CHANNEL, message, 312, "NO_ROUTE")  # type: ignore[arg-type]  # any object will do for a channel
    assert (returned.message, returned.reply_code, returned.reply_text) == (
        message,
        312,
        "NO_ROUTE",
    )
    confirmed = Confirmed(CHANNEL, 7, multiple=True, ok=False)  # type: ignore[arg-type]  # as above
    assert (confirmed.tag, confirmed.multiple, confirmed.ok) == (7, True, False)
    cancelled = Cancelled(CHANNEL, "tag")  # type: ignore[arg-type]  # as above
    assert cancelled.consumer_tag == "tag"
    error = PreconditionFailed("too late")
    assert ChannelClosed(CHANNEL, error).error is error  # type: ignore[arg-type]  # as above


def test_events_have_no_dictionary() -> None:
    assert not hasattr(Unblocked(), "__dict__")
