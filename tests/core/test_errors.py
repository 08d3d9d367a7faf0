"""One exception per AMQP reply code."""

from __future__ import annotations

import pytest

from minibroker import errors
from minibroker.errors import (
    AMQPError,
    ChannelException,
    ConnectionException,
    MiniBrokerError,
    NotFound,
    PublisherBlocked,
)

SOFT = {
    311: ("ContentTooLarge", "CONTENT_TOO_LARGE"),
    312: ("NoRoute", "NO_ROUTE"),
    313: ("NoConsumers", "NO_CONSUMERS"),
    403: ("AccessRefused", "ACCESS_REFUSED"),
    404: ("NotFound", "NOT_FOUND"),
    405: ("ResourceLocked", "RESOURCE_LOCKED"),
    406: ("PreconditionFailed", "PRECONDITION_FAILED"),
}
HARD = {
    320: ("ConnectionForced", "CONNECTION_FORCED"),
    402: ("InvalidPath", "INVALID_PATH"),
    501: ("FrameInvalid", "FRAME_ERROR"),
    502: ("SyntaxInvalid", "SYNTAX_ERROR"),
    503: ("CommandInvalid", "COMMAND_INVALID"),
    504: ("ChannelInvalid", "CHANNEL_ERROR"),
    505: ("UnexpectedFrame", "UNEXPECTED_FRAME"),
    506: ("ResourceError", "RESOURCE_ERROR"),
    530: ("NotAllowed", "NOT_ALLOWED"),
    540: ("NotImplementedByBroker", "NOT_IMPLEMENTED"),
    541: ("InternalError", "INTERNAL_ERROR"),
}


def by_code(base: type[AMQPError]) -> dict[int, tuple[str, str]]:
    return {each.reply_code: (each.__name__, each.reply_name) for each in base.__subclasses__()}


def test_soft_errors_close_the_channel_and_hard_ones_the_connection() -> None:
    assert by_code(ChannelException) == SOFT
    assert by_code(ConnectionException) == HARD


def test_every_error_is_exported_and_caught_by_its_base() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), MiniBrokerError)
    for name, _ in (SOFT | HARD).values():
        assert name in errors.__all__
        assert issubclass(getattr(errors, name), AMQPError)
    assert not issubclass(PublisherBlocked, AMQPError)


def test_the_words_of_an_error_are_the_explanation_alone() -> None:
    error = NotFound("no queue 'q' in vhost '/'")
    assert str(error) == "no queue 'q' in vhost '/'"
    assert error.reply_text == "NOT_FOUND - no queue 'q' in vhost '/'"


@pytest.mark.parametrize("letter", ["a", "é", "\U0001f407"])
def test_a_reply_text_is_cut_to_255_bytes_of_whole_characters(letter: str) -> None:
    text = NotFound(letter * 300).reply_text
    assert text.startswith("NOT_FOUND - " + letter)
    assert 255 - len(letter.encode()) < len(text.encode()) <= 255
