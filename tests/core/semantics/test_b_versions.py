"""What differs between versions in declarations (42 to 44)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES, Broker
from minibroker.errors import (
    CommandInvalid,
    InternalError,
    NotFound,
    PreconditionFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.errors import AMQPError
    from minibroker.fields import FieldValue


IN_V4 = ("rabbitmq-4.2", "rabbitmq-4.3")


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


# -- 42 to 44: what differs between versions


@pytest.mark.semantics(42)
@pytest.mark.parametrize("profile", PROFILES)
def test_an_unknown_exchange_type_is_refused(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    error = PreconditionFailed if profile in IN_V4 else CommandInvalid
    text = "unknown exchange type 'nonesuch'"
    assert refusal(lambda: channel.declare_exchange("x", "nonesuch"), error) == text
    with pytest.raises(NotFound):
        channel.declare_exchange("x", passive=True)
    again = refusal(lambda: channel.declare_exchange("amq.direct", "nonesuch", durable=True), error)
    assert again == text


@pytest.mark.semantics(43)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_transient_queue_that_is_not_exclusive_is_gone_from_4_3(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    channel.declare_queue("exclusive", exclusive=True)
    channel.declare_queue("durable", durable=True)
    calls: list[Callable[[], object]] = [
        channel.declare_queue,
        lambda: channel.declare_queue("q"),
        lambda: channel.declare_queue("p", auto_delete=True),
    ]
    for call in calls:
        if profile == "rabbitmq-4.3":
            assert "Feature `transient_nonexcl_queues` is deprecated." in (
                refusal(call, InternalError)
            )
        else:
            call()


@pytest.mark.semantics(44)
@pytest.mark.parametrize("profile", PROFILES)
def test_queue_mode_and_version_1_are_gone_from_4_3(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    gone: list[tuple[str, FieldValue]] = [
        ("queue_mode", "lazy"),
        ("queue_mode", "default"),
        ("queue_version", 1),
    ]
    for name, value in gone:
        if profile == "rabbitmq-4.3":
            key = name.replace("_", "-")
            assert refusal(
                lambda: declare(channel, **{name: value})  # noqa: B023 -- called at once
            ).startswith(f"invalid arg 'x-{key}' for queue 'q' in vhost '/'")
        else:
            declare(channel, **{name: value})
            channel.delete_queue("q")
    declare(channel, queue_version=2)


@pytest.mark.semantics(44)
@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "rabbitmq-4.3"])
def test_a_lazy_queue_behaves_like_any_other(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    declare(channel, queue_mode="lazy")
    for number in range(3):
        channel.publish("", "q", b"%d" % number)
    bodies = [answer.entry.message.body for _ in range(3) if (answer := channel.get("q"))]
    assert bodies == [b"0", b"1", b"2"]
