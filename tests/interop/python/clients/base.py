"""What the contract asks of a client library, in AMQP's words: each library is driven by a module
beside this one, through the calls that its users make. Knows no library.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

__all__ = [
    "TIMEOUT",
    "Channel",
    "ChannelClosed",
    "Connection",
    "ConnectionLost",
    "Declared",
    "Received",
    "Returned",
]

# Seconds that nothing takes on a machine in use; a test that waits longer fails.
TIMEOUT = 20


class ChannelClosed(Exception):
    """The server closed the channel: its reply code and text."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


class ConnectionLost(Exception):
    """The connection is gone: the server's reply code and text, or 0 when it said nothing."""

    def __init__(self, code: int = 0, text: str = "") -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


@dataclass(slots=True, eq=False)
class Received:
    """A message that the server delivered. Properties have AMQP's names, those not sent are absent;
    the timestamp is a number.
    """

    body: bytes
    exchange: str
    key: str
    redelivered: bool
    tag: int
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, Any]:
        """The table among the properties."""
        return self.properties.get("headers") or {}


@dataclass(slots=True, eq=False)
class Returned:
    """A mandatory message that came back."""

    code: int
    exchange: str
    key: str
    body: bytes | None


@dataclass(slots=True, eq=False)
class Declared:
    """A queue: its name, the ready messages and the consumers."""

    name: str
    messages: int
    consumers: int


class Channel(ABC):
    """One channel; deliveries and cancelled consumers are kept until the test asks for them."""

    # Features of the contract that the library does not have.
    lacks: frozenset[str] = frozenset()

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.inbox: deque[Received] = deque()
        self.returns: deque[Returned] = deque()
        self.cancelled: deque[str] = deque()

    def receive(self) -> Received:
        """The next delivery to any consumer of the channel."""
        self.connection.wait_until(lambda: bool(self.inbox), "a delivery")
        return self.inbox.popleft()

    def wait_cancelled(self) -> str:
        """The tag of the next consumer that the server cancels."""
        self.connection.wait_until(lambda: bool(self.cancelled), "consumer cancel notify")
        return self.cancelled.popleft()

    @abstractmethod
    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        """Declare an exchange that is neither durable nor deleted by itself."""

    @abstractmethod
    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        """Bind an exchange to another."""

    @abstractmethod
    def delete_exchange(self, name: str) -> None:
        """Delete an exchange."""

    @abstractmethod
    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> Declared:
        """Declare a queue; the empty name has the server choose one."""

    @abstractmethod
    def look_at_queue(self, name: str) -> Declared:
        """Declare a queue passively."""

    @abstractmethod
    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        """Bind a queue to an exchange."""

    @abstractmethod
    def purge_queue(self, name: str) -> int:
        """Remove all ready messages; how many they were."""

    @abstractmethod
    def delete_queue(self, name: str) -> int:
        """Delete a queue; how many messages it had ready."""

    @abstractmethod
    def confirm(self) -> None:
        """Ask for confirms."""

    @abstractmethod
    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        *,
        mandatory: bool = False,
    ) -> Returned | None:
        """Publish; with confirms on, wait, and tell whether the message came back."""

    @abstractmethod
    def get(self, queue: str) -> Received | None:
        """Ask for one message, which is to be acknowledged."""

    @abstractmethod
    def prefetch(self, count: int) -> None:
        """The prefetch of the consumers that come next."""

    @abstractmethod
    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        """Start a consumer; its tag."""

    @abstractmethod
    def cancel(self, consumer: str) -> None:
        """End a consumer."""

    @abstractmethod
    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Settle a delivery."""

    @abstractmethod
    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        """Refuse one delivery, or all up to it."""

    @abstractmethod
    def reject(self, tag: int, *, requeue: bool) -> None:
        """Refuse a delivery."""

    @abstractmethod
    def tx_select(self) -> None:
        """Make the channel transactional."""

    @abstractmethod
    def tx_commit(self) -> None:
        """Commit what was published and settled since the last time."""

    @abstractmethod
    def tx_rollback(self) -> None:
        """Forget what was published and settled since the last time."""

    @abstractmethod
    def close(self) -> None:
        """Close the channel."""


class Connection(ABC):
    """One connection of a library."""

    def channel(self, *, confirms: bool = True) -> Channel:
        """Open a channel; with confirms on it, each publish waits for its confirm."""
        channel = self.open_channel()
        if confirms:
            channel.confirm()
        return channel

    @abstractmethod
    def open_channel(self) -> Channel:
        """Open a channel."""

    @abstractmethod
    def pump(self, timeout: float) -> None:
        """Let the library read for at most this long. Raises ConnectionLost or ChannelClosed."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; nothing when it is closed or lost already."""

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Read until the condition holds. Raises TimeoutError."""
        deadline = monotonic() + TIMEOUT
        while not condition():
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError(f"{what} did not come in {TIMEOUT} s")
            self.pump(left)

    def wait_lost(self) -> ConnectionLost:
        """Read until the library notices that the connection is gone."""
        try:
            self.wait_until(lambda: False, "the end of the connection")
        except ConnectionLost as lost:
            return lost
        raise AssertionError("unreachable")
