"""The client's errors: one class per reply code, with what the broker said."""

from __future__ import annotations

import pickle

import pytest

from minibroker import errors
from minibroker_client import exceptions
from minibroker_client.exceptions import (
    AMQPError,
    ChannelException,
    ConnectionException,
    MessageNacked,
    MessageReturned,
    MiniBrokerClientError,
    NotFound,
    error_for_code,
)

CODES = [
    (311, "ContentTooLarge"),
    (312, "NoRoute"),
    (313, "NoConsumers"),
    (320, "ConnectionForced"),
    (402, "InvalidPath"),
    (403, "AccessRefused"),
    (404, "NotFound"),
    (405, "ResourceLocked"),
    (406, "PreconditionFailed"),
    (501, "FrameInvalid"),
    (502, "SyntaxInvalid"),
    (503, "CommandInvalid"),
    (504, "ChannelInvalid"),
    (505, "UnexpectedFrame"),
    (506, "ResourceError"),
    (530, "NotAllowed"),
    (540, "NotImplementedByBroker"),
    (541, "InternalError"),
]


@pytest.mark.parametrize(("code", "name"), CODES)
def test_a_reply_code_has_a_class_named_as_in_the_broker(code: int, name: str) -> None:
    error = error_for_code(code, "TEXT", "queue.declare")
    theirs = getattr(errors, name)
    assert type(error) is getattr(exceptions, name)
    assert (error.reply_code, error.reply_text, error.method) == (code, "TEXT", "queue.declare")
    assert theirs.reply_code == code
    soft = issubclass(theirs, errors.ChannelException)
    assert isinstance(error, ChannelException if soft else ConnectionException)


def test_every_reply_code_of_the_broker_has_a_class() -> None:
    theirs = {
        cls.reply_code
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.AMQPError) and cls.reply_code
    }
    assert theirs == {code for code, _ in CODES}


def test_an_unknown_reply_code_closes_the_connection_unless_the_caller_says_otherwise() -> None:
    error = error_for_code(599, "ODD")
    assert type(error) is ConnectionException
    assert error.reply_code == 599
    soft = error_for_code(599, "ODD", default=ChannelException)
    assert type(soft) is ChannelException
    assert ConnectionException.reply_code == 0


def test_an_error_reads_as_method_code_and_text() -> None:
    text = "NOT_FOUND - no queue 'jobs' in vhost '/'"
    assert str(NotFound(text, "queue.declare")) == f"queue.declare: (404) {text}"
    assert str(NotFound(text)) == f"(404) {text}"
    assert str(exceptions.ConnectionLost("reset by peer")) == "reset by peer"


def test_errors_survive_pickling() -> None:
    for error in (
        error_for_code(404, "NOT_FOUND - x", "basic.get"),
        error_for_code(599, "ODD", "basic.get"),
        MessageNacked("no", 7),
        MessageReturned("body", 312, "NO_ROUTE", "shop", "key"),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_a_nack_carries_the_publish_sequence_number() -> None:
    assert MessageNacked(delivery_tag=3).delivery_tag == 3
    assert str(MessageNacked()) == "the broker refused the message"


def test_a_return_carries_the_message_and_where_it_was_sent() -> None:
    message = object()
    error = MessageReturned(message, exchange="shop", routing_key="sold")
    assert error.message is message
    assert str(error) == (
        "(312) NO_ROUTE: message returned by exchange 'shop' with routing key 'sold'"
    )


@pytest.mark.parametrize(
    "name", ["ConnectionForced", "ResourceError", "ConnectionLost", "RecoverableConnectionError"]
)
def test_what_a_new_connection_may_cure_is_recoverable(name: str) -> None:
    assert issubclass(getattr(exceptions, name), exceptions.RecoverableConnectionError)


def test_a_locked_queue_may_be_free_on_the_next_try() -> None:
    assert issubclass(exceptions.ResourceLocked, exceptions.RecoverableChannelError)
    assert not issubclass(exceptions.NotFound, exceptions.RecoverableChannelError)


def test_everything_raised_on_purpose_has_one_base() -> None:
    for name in exceptions.__all__:
        thing = getattr(exceptions, name)
        if isinstance(thing, type):
            assert issubclass(thing, MiniBrokerClientError)
    assert exceptions.ChannelError is ChannelException
    assert issubclass(ChannelException, AMQPError)
