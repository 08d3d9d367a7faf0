"""Declaring again, and declaring wrongly (29 to 32)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES, Broker
from minibroker.errors import (
    NotFound,
    PreconditionFailed,
    ResourceLocked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.errors import AMQPError
    from minibroker.fields import FieldValue, Table

BOTH = ("classic", "quorum")


def declare(channel: Channel, kind: str = "classic", /, **arguments: FieldValue) -> str:
    """Declare the queue `q`, durable, with arguments named without `x-`."""
    table = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    if kind != "classic":
        table["x-queue-type"] = kind
    return channel.declare_queue("q", durable=True, arguments=table).queue


def refusal(call: Callable[[], object], error: type[AMQPError] = PreconditionFailed) -> str:
    """The words of the error; of exactly this class."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    return str(caught.value)


def locked(queue: str) -> str:
    return (
        f"cannot obtain exclusive access to locked queue '{queue}' in vhost '/'. It could be "
        "originally declared on another connection or the exclusive property value does not "
        "match that of the original declaration."
    )


# -- 29: declaring again


@pytest.mark.semantics(29)
def test_a_queue_declared_again_with_another_property_is_inequivalent(channel: Channel) -> None:
    channel.declare_queue("q")
    text = (
        "inequivalent arg '{}' for queue 'q' in vhost '/': received 'true' but current is 'false'"
    )
    assert refusal(lambda: channel.declare_queue("q", durable=True)) == text.format("durable")
    assert refusal(lambda: channel.declare_queue("q", auto_delete=True)) == (
        text.format("auto_delete")
    )
    assert refusal(lambda: channel.declare_queue("q", exclusive=True), ResourceLocked) == (
        locked("q")
    )
    assert channel.declare_queue("q") == ("q", 0, 0)


@pytest.mark.semantics(29)
def test_an_argument_that_differs_is_inequivalent_and_the_text_says_how(channel: Channel) -> None:
    text = "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received "
    declare(channel, message_ttl=1000)
    assert refusal(lambda: declare(channel)) == (
        f"{text}none but current is the value '1000' of type 'signedint'"
    )
    assert refusal(lambda: declare(channel, message_ttl=2000)) == (
        f"{text}'2000' but current is '1000'"
    )
    assert refusal(lambda: declare(channel, message_ttl="1000")) == (
        f"{text}'1000' but current is '1000'"
    )
    assert refusal(lambda: declare(channel, message_ttl=1000.0)) == (
        f"{text}'1.0e3' but current is '1000'"
    )
    channel.delete_queue("q")
    declare(channel)
    assert refusal(lambda: declare(channel, message_ttl=1000)) == (
        f"{text}the value '1000' of type 'signedint' but current is none"
    )


@pytest.mark.semantics(29)
def test_the_text_names_the_virtual_host(broker: Broker) -> None:
    broker.add_vhost("v")
    channel = broker.connect("v").channel()
    channel.declare_queue("q")
    assert "for queue 'q' in vhost 'v': received" in refusal(
        lambda: channel.declare_queue("q", durable=True)
    )


@pytest.mark.semantics(29)
def test_an_existing_queue_is_compared_before_values_are_looked_at(channel: Channel) -> None:
    declare(channel)
    assert refusal(lambda: declare(channel, max_length=-1)).startswith("inequivalent arg")
    assert declare(channel, foo=object()) == "q"  # type: ignore[arg-type]  # not looked at


@pytest.mark.semantics(29)
def test_another_type_of_queue_is_inequivalent(channel: Channel) -> None:
    text = "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received "
    declare(channel, "quorum")
    assert refusal(lambda: declare(channel)) == (
        f"{text}none but current is the value 'quorum' of type 'longstr'"
    )
    assert refusal(lambda: declare(channel, queue_type="classic")) == (
        f"{text}'classic' but current is 'quorum'"
    )
    channel.delete_queue("q")
    declare(channel)
    assert refusal(lambda: declare(channel, "quorum")) == (
        f"{text}the value 'quorum' of type 'longstr' but current is none"
    )


# -- 30 and 31: what is compared, and how


COMPARED: list[tuple[str, tuple[str, ...], FieldValue, FieldValue]] = [
    ("x-expires", BOTH, 100_000, 200_000),
    ("x-message-ttl", BOTH, 0, 1),
    ("x-dead-letter-exchange", BOTH, "a", "b"),
    ("x-max-length", BOTH, 1, 2),
    ("x-max-length-bytes", (*BOTH, "stream"), 1, 2),
    ("x-max-priority", ("classic",), 1, 2),
    ("x-overflow", BOTH, "drop-head", "reject-publish"),
    ("x-single-active-consumer", BOTH, False, True),
    ("x-queue-version", ("classic",), 1, 2),
    ("x-queue-mode", ("classic",), "default", "lazy"),
    ("x-queue-master-locator", ("classic",), "min-masters", "client-local"),
    ("x-delivery-limit", ("quorum",), 1, 2),
    ("x-dead-letter-strategy", ("quorum",), "at-most-once", "at-least-once"),
    ("x-max-in-memory-length", ("quorum",), 1, 2),
    ("x-max-in-memory-bytes", ("quorum",), 1, 2),
    ("x-quorum-initial-group-size", ("quorum",), 1, 3),
    ("x-queue-leader-locator", ("quorum", "stream"), "client-local", "balanced"),
    ("x-max-age", ("stream",), "1D", "24h"),
    ("x-stream-max-segment-size-bytes", ("stream",), 1_000_000, 2_000_000),
    ("x-initial-cluster-size", ("stream",), 1, 3),
]


@pytest.mark.semantics(30)
@pytest.mark.parametrize(
    ("kind", "key", "value", "other"),
    [(kind, key, value, other) for key, kinds, value, other in COMPARED for kind in kinds],
)
def test_the_arguments_that_a_kind_of_queue_has_are_compared(
    channel: Channel, kind: str, key: str, value: FieldValue, other: FieldValue
) -> None:
    base = {} if kind == "classic" else {"x-queue-type": kind}

    def again(arguments: dict[str, FieldValue]) -> object:
        return channel.declare_queue("q", durable=True, arguments={**base, **arguments})

    again({key: value})
    again({key: value})
    for arguments in ({}, {key: other}):
        assert f"inequivalent arg '{key}'" in refusal(lambda: again(arguments))  # noqa: B023 -- called at once
    channel.delete_queue("q")
    again({})
    assert f"inequivalent arg '{key}'" in refusal(lambda: again({key: value}))


@pytest.mark.semantics(30)
def test_the_dead_letter_routing_key_is_compared(channel: Channel) -> None:
    declare(channel, dead_letter_exchange="x", dead_letter_routing_key="a")
    assert "inequivalent arg 'x-dead-letter-routing-key'" in refusal(
        lambda: declare(channel, dead_letter_exchange="x")
    )


@pytest.mark.semantics(30)
def test_arguments_that_are_unknown_are_not_compared(channel: Channel) -> None:
    declare(channel, foo=1, consumer_timeout=100_000)
    declare(channel, foo=2, consumer_timeout=200_000)
    declare(channel, bar=[{"a": None}])
    declare(channel)


@pytest.mark.semantics(30)
def test_of_an_exchange_type_properties_and_alternate_exchange_are_compared(
    channel: Channel,
) -> None:
    arguments: Table = {"alternate-exchange": "a", "foo": 1}
    channel.declare_exchange("x", arguments=arguments)
    channel.declare_exchange("x", "direct", arguments={"alternate-exchange": "a", "foo": "2"})
    text = "inequivalent arg '{}' for exchange 'x' in vhost '/': received {} but current is {}"
    calls: list[tuple[str, str, str, Callable[[], None]]] = [
        ("type", "'fanout'", "'direct'", lambda: channel.declare_exchange("x", "fanout")),
        ("durable", "'true'", "'false'", lambda: channel.declare_exchange("x", durable=True)),
        (
            "auto_delete",
            "'true'",
            "'false'",
            lambda: channel.declare_exchange("x", auto_delete=True),
        ),
        ("internal", "'true'", "'false'", lambda: channel.declare_exchange("x", internal=True)),
        (
            "alternate-exchange",
            "none",
            "the value 'a' of type 'longstr'",
            lambda: channel.declare_exchange("x"),
        ),
        (
            "alternate-exchange",
            "'b'",
            "'a'",
            lambda: channel.declare_exchange("x", arguments={"alternate-exchange": "b"}),
        ),
    ]
    for name, received, current, call in calls:
        assert refusal(call) == text.format(name, received, current)


@pytest.mark.semantics(31)
def test_no_queue_type_is_the_same_as_classic(channel: Channel) -> None:
    declare(channel)
    declare(channel, queue_type="classic")
    channel.delete_queue("q")
    declare(channel, queue_type="classic")
    declare(channel)


@pytest.mark.semantics(31)
def test_values_are_compared_by_class_and_value(channel: Channel) -> None:
    declare(channel, max_length=5)
    declare(channel, max_length=int("5"))
    for other in (5.0, "5", True, None):
        assert "inequivalent arg 'x-max-length'" in refusal(
            lambda: declare(channel, max_length=other)  # noqa: B023 -- called at once
        )


@pytest.mark.semantics(31)
def test_a_setting_lets_a_quorum_queue_be_declared_again_as_classic(
    make_broker: Callable[..., Broker],
) -> None:
    relaxed = replace(PROFILES["rabbitmq-4.2"], quorum_relaxed_redeclare=True)
    channel = make_broker(profile=relaxed).connect().channel()
    declare(channel, "quorum", max_length=5, delivery_limit=3)
    again: Table = {"x-queue-type": "classic", "x-max-length": 5}
    assert channel.declare_queue("q", arguments=again).queue == "q"
    assert "inequivalent arg 'x-max-length'" in refusal(
        lambda: channel.declare_queue("q", arguments={"x-queue-type": "classic"})
    )
    assert "inequivalent arg 'x-queue-type'" in refusal(lambda: declare(channel, max_length=5))


# -- 32: values that are refused


BAD: list[tuple[str, FieldValue, str]] = [
    ("message_ttl", -1, "{value_negative,-1}"),
    ("message_ttl", "5", '"expected integer, got longstr"'),
    ("message_ttl", 5.0, '"expected integer, got double"'),
    ("message_ttl", True, '"expected integer, got bool"'),
    ("message_ttl", 315_360_000_001, "{value_too_large,315360000001}"),
    ("expires", 0, "{value_zero,0}"),
    ("expires", -1, "{value_negative,-1}"),
    ("expires", 315_360_000_001, "{value_too_large,315360000001}"),
    ("max_priority", 256, "{max_value_exceeded,256}"),
    ("max_priority", -1, "{value_negative,-1}"),
    ("max_length", -1, "{value_negative,-1}"),
    ("max_length_bytes", "1", '"expected integer, got longstr"'),
    ("overflow", "nonsense", "invalid_overflow"),
    ("overflow", 1, "{unacceptable_type,signedint}"),
    ("dead_letter_routing_key", "k", "routing_key_but_no_dlx_defined"),
    ("single_active_consumer", "yes", "{unacceptable_type,longstr}"),
    ("queue_type", "nonsense", "\"unsupported queue type 'nonsense'\""),
]


@pytest.mark.semantics(32)
@pytest.mark.parametrize(("name", "value", "reason"), BAD)
def test_a_bad_value_is_refused_and_leaves_no_queue(
    channel: Channel, name: str, value: FieldValue, reason: str
) -> None:
    text = refusal(lambda: declare(channel, **{name: value}))
    assert text == f"invalid arg 'x-{name.replace('_', '-')}' for queue 'q' in vhost '/': {reason}"
    with pytest.raises(NotFound):
        channel.declare_queue("q", passive=True)


@pytest.mark.semantics(32)
def test_the_bounds_themselves_are_taken(channel: Channel) -> None:
    declare(channel, message_ttl=0, expires=1, max_priority=255, max_length=0)
    channel.delete_queue("q")
    declare(channel, message_ttl=315_360_000_000, expires=315_360_000_000, max_priority=0)


@pytest.mark.semantics(32)
def test_an_exchange_for_dead_letters_is_named_by_a_string(channel: Channel) -> None:
    assert refusal(lambda: declare(channel, dead_letter_exchange=5)) == (
        "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"
    )


@pytest.mark.semantics(32)
@pytest.mark.parametrize("kind", ["quorum", "stream"])
def test_replicated_queues_are_durable_shared_lasting_and_named(
    channel: Channel, kind: str
) -> None:
    arguments = {"x-queue-type": kind}
    text = "invalid property '{}' for queue 'q' in vhost '/'"
    calls: list[tuple[str, Callable[[], object]]] = [
        ("non-durable", lambda: channel.declare_queue("q", arguments=arguments)),
        (
            "exclusive-owner",
            lambda: channel.declare_queue("q", durable=True, exclusive=True, arguments=arguments),
        ),
        (
            "auto-delete",
            lambda: channel.declare_queue(
                "q", exclusive=True, auto_delete=True, arguments=arguments
            ),
        ),
    ]
    for name, call in calls:
        assert refusal(call) == text.format(name)
    assert refusal(lambda: channel.declare_queue(durable=True, arguments=arguments)) == (
        f"Cannot declare a server-named queue for type rabbit_{kind}_queue"
    )


@pytest.mark.semantics(32)
def test_an_argument_of_another_kind_of_queue_is_refused(channel: Channel) -> None:
    text = "invalid arg 'x-{}' for queue 'q' in vhost '/' of queue type rabbit_{}_queue"
    assert refusal(lambda: declare(channel, delivery_limit=1)) == (
        text.format("delivery-limit", "classic")
    )
    assert refusal(lambda: declare(channel, "quorum", max_priority=300)) == (
        text.format("max-priority", "quorum")
    )
    assert refusal(lambda: declare(channel, "stream", message_ttl=1)) == (
        text.format("message-ttl", "stream")
    )
