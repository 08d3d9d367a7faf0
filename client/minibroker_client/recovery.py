"""What comes back by itself when a lost connection was made again. Knows no transport.

Exchanges, queues and bindings that were declared on it, and its open channels with their modes,
prefetch and consumers. The channels stay the same objects; messages that were unacked come again,
and settling the old ones raises `LeaseLost`.

Each step is a call whose answer a driver waits for: `recovered` is a generator that yields
`(function, arguments)`, and is sent what the function returned or thrown what it raised. So a
thread and an event loop recover by the same rules.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .exceptions import ChannelException
from .transport.base import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from .topology import Topology

__all__ = ["Step", "recovered", "run"]

logger = logging.getLogger(__name__)

Step: TypeAlias = "tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]"


def recovered(
    topology: Topology, transport: Any, channels: Iterable[Any]
) -> Generator[Step, Any, None]:
    """Declare everything on a new connection of a transport, then bring the channels back.

    What the broker refuses now (a queue was made anew with other arguments, a permission is gone)
    is logged and left out.
    """
    channels = list(channels)
    if topology.exchanges or topology.queues or topology.bindings:
        nobody = Listener(_ignored, _ignored)
        yield from _declared(topology, partial(transport.channel, nobody), channels)
    for channel in channels:
        yield from _reopened(channel, transport)


def _ignored(_: object) -> None:
    pass


def _declared(
    topology: Topology, open_channel: Callable[[], Any], channels: list[Any]
) -> Generator[Step, Any, None]:
    raw = yield open_channel, (), {}
    for name, arguments in topology.exchange_steps():
        raw = yield from _tried(raw, open_channel, name, arguments)
    for queue, arguments in list(topology.queues.items()):
        try:
            declared = yield raw.declare_queue, (), dict(arguments)
        except ChannelException as error:
            logger.warning("queue %r did not come back: %s", queue, error)
            raw = yield open_channel, (), {}
            continue
        if declared.queue != queue:
            topology.rename(queue, declared.queue)
            for channel in channels:
                channel.renamed(queue, declared.queue)
    for name, arguments in topology.binding_steps():
        raw = yield from _tried(raw, open_channel, name, arguments)
    yield raw.close, (), {}


def _tried(
    raw: Any, open_channel: Callable[[], Any], name: str, arguments: dict[str, Any]
) -> Generator[Step, Any, Any]:
    """Call a method; the channel to go on with, a new one when the broker closed it for that."""
    try:
        yield getattr(raw, name), (), arguments
    except ChannelException as error:
        logger.warning("%s%r did not come back: %s", name, arguments, error)
        raw = yield open_channel, (), {}
    return raw


def _reopened(channel: Any, transport: Any) -> Generator[Step, Any, None]:
    """A channel, its modes, and its consumers each with the prefetch that it had."""
    yield channel.attach, (transport,), {}
    raw = channel.raw
    if channel.confirming:
        yield raw.confirm_select, (), {}
    if channel.transactional:
        yield raw.tx_select, (), {}
    prefetch = None
    for tag, started in list(channel.consumers.items()):
        if started.prefetch is not None and started.prefetch != prefetch:
            prefetch = started.prefetch
            yield raw.qos, prefetch, {}
        named = {
            "tag": tag, "no_ack": started.no_ack, "exclusive": started.exclusive,
            "arguments": started.arguments,
        }  # fmt: skip
        try:
            yield raw.consume, (started.queue, started.callback), named
        except ChannelException as error:
            logger.warning("consumer of queue %r did not come back: %s", started.queue, error)
            channel.on_cancelled(tag)
            yield from _reopened(channel, transport)  # that error closed it
            return
    if channel.prefetch not in {None, prefetch}:
        yield raw.qos, channel.prefetch, {}


def run(steps: Generator[Step, Any, None]) -> None:
    """Take the steps in a thread."""
    result: Any = None
    failed: Exception | None = None
    while True:
        try:
            function, arguments, named = (
                steps.send(result) if failed is None else steps.throw(failed)
            )
        except StopIteration:
            return
        failed = None
        try:
            result = function(*arguments, **named)
        except Exception as error:  # noqa: BLE001 -- the steps decide what it means
            failed = error
