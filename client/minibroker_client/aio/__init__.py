"""The client for asyncio: the parts of `minibroker_client`, awaited.

    async with aio.connect("amqp://localhost") as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("jobs")
        producer = await connection.producer()
        await producer.publish({"hello": "world"}, routing_key="jobs")
        async for message in queue:
            print(message.payload)
            message.ack()
            break

For `memory://`, `file://`, `minibroker://` and `amqp://`. Objects belong to the event loop in which
they were made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..parameters import Parameters, Password
from .channel import Channel
from .connection import Connecting, Connection
from .producer import Producer
from .queue import Queue, QueueIterator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..transport.base import EmbeddedBroker

__all__ = ["Channel", "Connection", "Producer", "Queue", "QueueIterator", "connect"]


def connect(  # noqa: PLR0913 -- as minibroker_client.Connection
    hostname: str | Sequence[str] | EmbeddedBroker,
    *,
    userid: str | None = None,
    password: Password = None,
    virtual_host: str | None = None,
    port: int | None = None,
    ssl: bool | Mapping[str, Any] = False,
    connect_timeout: float | None = 5,
    heartbeat: float | None = None,
    recover: bool = False,
    accept: Iterable[str] | None = None,
    transport_options: Mapping[str, Any] | None = None,
) -> Connecting:
    """A connection, to be awaited or entered: `async with aio.connect(url) as connection`.

    The arguments are those of `minibroker_client.Connection`; of several URLs (a list, or separated
    by `;`) the first that answers is used. With `recover` a lost connection is made again by
    itself, with its channels, consumers and what was declared, as `transport_options` say
    (`max_retries`, `interval_start`, `interval_step`, `interval_max`). `accept` is as for
    `Consumer`.

    `ValueError` for a URL that there is no transport for; awaiting it raises as connecting does.
    """
    parameters = Parameters(
        None, userid, password, virtual_host or "/", port, ssl, "amqp", connect_timeout, heartbeat
    )
    options = dict(transport_options or {})
    if hasattr(hostname, "connect"):
        broker = cast("EmbeddedBroker", hostname)
        parameters.transport, parameters.broker = "memory", broker
        return Connecting(broker, parameters, options, recover, accept)
    urls = hostname.split(";") if isinstance(hostname, str) else list(cast("Any", hostname))
    return Connecting(urls, parameters, options, recover, accept)
