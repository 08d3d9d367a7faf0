"""What the client asks of a transport: values in, values out. Knows no transport and no broker.

A transport connects (`Transport.connect`), a connection opens channels and waits for events
(`Connection.drain`), a channel does the AMQP methods. Nothing here refers back to the client: what
has to reach it is passed down as a callback, to `consume` or in a `Listener`. No method is
optional; a transport that cannot do one raises `NotImplementedByBroker` and says so in its
`Capabilities`.

Times are seconds (float), sizes bytes. Unless a transport says otherwise, its connections and
channels belong to one thread at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .values import (
    Arguments,
    Carried,
    Declared,
    Delivery,
    Fetched,
    PropertyValues,
    Returned,
    Subscription,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Address",
    "Arguments",
    "Capabilities",
    "Carried",
    "Connection",
    "Declared",
    "Delivery",
    "EmbeddedBroker",
    "Fetched",
    "Listener",
    "PropertyValues",
    "Returned",
    "Subscription",
    "Transport",
    "TransportChannel",
]


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a channel reports what nobody asked for, in the thread that drains."""

    returned: Callable[[Returned], None]
    """A mandatory message came back."""
    cancelled: Callable[[str], None]
    """The broker cancelled this consumer tag: its queue is gone."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect, parsed. The transport reads what concerns it and ignores the rest."""

    transport: str
    hostname: str | None = None
    port: int | None = None
    userid: str | None = None
    password: str | None = None
    virtual_host: str = "/"
    ssl: bool | Mapping[str, Any] = False
    connect_timeout: float | None = 5
    heartbeat: float | None = None
    """Seconds; 0 for none, None for what the broker proposes."""
    query: str = ""
    """What follows the `?` of the URL and is for the transport alone, encoded as it is there."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The `transport_options` of the client's connection."""
    broker: EmbeddedBroker | None = None
    """The broker itself, for a connection that was given one instead of a URL."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a transport can do natively or emulates faithfully; what is False it refuses loudly.

    The contract suite reads it to choose between "must work" and "must refuse".
    """

    exchange_types: frozenset[str]
    confirms: bool = False
    """`confirm_select`: a publish is answered by ack or nack."""
    transactions: bool = False
    returns: bool = False
    """`mandatory` messages come back."""
    exchange_bindings: bool = False
    heartbeats: bool = False
    asynchronous: bool = False
    """Its connection has a file descriptor for an event loop."""
    prefetch: bool = False
    priority: bool = False
    message_ttl: bool = False
    delay: bool = False
    dead_letter: bool = False
    delivery_count: bool = False
    fan_out: bool = False
    fenced_ack: bool = False
    """An ack that comes too late is told so, and does not settle another's delivery."""
    lease: bool = False
    """A delivery comes back by itself after a time, not only when its channel closes."""
    wake_up: bool = False
    """`drain` sleeps until something comes; without it, it polls."""
    length_limit: bool = False
    """`x-max-length` and `x-overflow`."""
    virtual_hosts: bool = False
    """It knows which virtual hosts there are; without it, any name is a place of its own."""


class TransportChannel(Protocol):
    """One channel. A method that fails raises an error of `minibroker_client.exceptions`.

    As in AMQP, a soft error has closed the channel and a hard one the connection by the time it is
    raised; what is called on them after that raises `RecoverableConnectionError`.
    """

    @property
    def channel_id(self) -> int:
        """Its number on its connection, from 1."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        ...

    @property
    def lost(self) -> bool:
        """Whether it was open when its connection ended."""
        ...

    @property
    def unconfirmed(self) -> int:
        """How many publishes in confirm mode have no answer yet, as far as was read."""
        ...

    @property
    def highest_tag(self) -> int:
        """The highest delivery tag that it has handed out."""
        ...

    def go_on_from(self, lost: TransportChannel) -> None:
        """Stand for a channel whose connection was lost: called before anything else.

        Delivery tags go on from its highest one; settling one of its deliveries raises `LeaseLost`.
        """
        ...

    def properties(self, values: Mapping[str, Any]) -> PropertyValues:
        """The transport's own record of properties, made once and published many times.

        An unknown name raises `TypeError`.
        """
        ...

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Any,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> int:
        """Publish, and return the sequence number in confirm mode (else 0).

        `properties` comes from this channel's `properties`. `timeout` bounds the wait while the
        broker takes no messages (None: as the broker is configured); `PublisherBlocked` after that.
        """
        ...

    def confirmed(self, number: int, timeout: float | None = None) -> bool:
        """Wait for the confirm of a publish: True for an ack, False for a nack.

        `TimeoutError` when it does not come in time. Deliveries that arrive meanwhile are kept for
        `drain`; a message that comes back is reported to the listener before this returns.
        """
        ...

    def answer(self, number: int) -> bool | None:
        """Whether a publish was acked (True) or refused; None while that is not known.

        Reads nothing. What is answered is forgotten.
        """
        ...

    def wait_for_answers(self, outstanding: int, timeout: float | None = None) -> None:
        """Wait until no more than so many publishes have no answer, see `answer`.

        `TimeoutError` when the answers do not come in time.
        """
        ...

    def wait_for_confirms(self, outstanding: int = 0, timeout: float | None = None) -> list[int]:
        """Wait until no more than so many publishes have no answer; the numbers that were refused.

        Those are told once. `TimeoutError` when the answers do not come in time.
        """
        ...

    def consume(
        self,
        queue: str,
        callback: Callable[[Any], None],
        *,
        tag: str = "",
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Arguments = None,
    ) -> str:
        """Start a consumer; `drain` calls `callback` with each `Delivery`. Returns the tag."""
        ...

    def cancel(self, tag: str) -> None:
        """Stop a consumer; what it has not settled stays unacked. Unknown tags are ignored."""
        ...

    def get(self, queue: str, no_ack: bool = False) -> Fetched | None:
        """Fetch the first ready message of a queue, None when there is none."""
        ...

    def ack(self, tag: int, multiple: bool = False) -> None:
        """Settle a delivery; with `multiple` all up to it, and all there are for tag 0."""
        ...

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True) -> None:
        """Refuse a delivery, or all up to it: requeued, or else dead-lettered or discarded."""
        ...

    def reject(self, tag: int, requeue: bool = True) -> None:
        """Refuse one delivery: requeued, or else dead-lettered or discarded."""
        ...

    def recover(self, requeue: bool = True) -> None:
        """Put all unacked deliveries of the channel back in their places."""
        ...

    def qos(self, prefetch_count: int, global_: bool = False, prefetch_size: int = 0) -> None:
        """Limit unacked deliveries, per consumer started later or for the channel; 0: no limit."""
        ...

    def declare_exchange(  # noqa: PLR0913 -- the fields of exchange.declare
        self,
        name: str,
        type: str = "direct",  # noqa: A002 -- the field's name in AMQP
        *,
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Arguments = None,
    ) -> None:
        """Create an exchange, or check that it is there and the same."""
        ...

    def delete_exchange(self, name: str, if_unused: bool = False) -> None:
        """Delete an exchange; with `if_unused` only when nothing is bound to it."""
        ...

    def bind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Route from the exchange `source` to the exchange `destination`."""
        ...

    def unbind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Undo `bind_exchange`."""
        ...

    def declare_queue(
        self,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Arguments = None,
    ) -> Declared:
        """Create a queue, or check that it is there and the same. An empty name: make one."""
        ...

    def bind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Route from an exchange to a queue."""
        ...

    def unbind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Undo `bind_queue`."""
        ...

    def purge_queue(self, name: str) -> int:
        """Remove all ready messages of a queue; returns how many."""
        ...

    def delete_queue(self, name: str, if_unused: bool = False, if_empty: bool = False) -> int:
        """Delete a queue and return how many messages it held."""
        ...

    def confirm_select(self) -> None:
        """Put the channel in confirm mode."""
        ...

    def tx_select(self) -> None:
        """Put the channel in transaction mode."""
        ...

    def tx_commit(self) -> None:
        """Publish and settle what was held since the last commit."""
        ...

    def tx_rollback(self) -> None:
        """Forget what was held since the last commit."""
        ...

    def close(self) -> None:
        """Close it; its unacked deliveries go back. Closing twice does nothing."""
        ...


class Connection(Protocol):
    """One connection of a transport."""

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        ...

    def channel(self, listener: Listener) -> TransportChannel:
        """Open a channel."""
        ...

    def drain(self, timeout: float | None = None) -> None:
        """Wait for one event and deal with it: call the callback of its consumer or listener.

        `timeout` None waits for ever, 0 only looks; `TimeoutError` when nothing came. What closed
        the channel or the connection from the other side is raised.
        """
        ...

    def heartbeat_check(self) -> None:
        """Send a heartbeat if one is due and raise `ConnectionLost` if the peer's are missing."""
        ...

    def close(self) -> None:
        """Close it and its channels. Closing twice does nothing."""
        ...


class Transport(Protocol):
    """One kind of connection: what a module named in the registry offers as `transport`."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    @property
    def default_port(self) -> int | None:
        """The port when the URL has none; None for a transport without ports."""
        ...

    def connect(self, address: Address) -> Connection:
        """Connect, or raise why not."""
        ...


class EmbeddedBroker(Protocol):
    """A broker in this process, as an application holds it: `minibroker.Broker` is one."""

    def connect(self, vhost: str = "/", user: str = "guest") -> Any:
        """Open a connection within the process."""
        ...
