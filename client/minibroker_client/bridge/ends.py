"""The two ends of a link: a queue that is read from, an exchange that is published to.

Both open a connection of their own, on any transport, and say by `EndFailed` that they have to be
opened again. Neither knows the other.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from ..exceptions import MiniBrokerClientError, PublisherBlocked
from ..transport.base import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..connection import Connection
    from ..transport.base import Delivery, Returned, TransportChannel
    from .link import BridgeLink
    from .transforms import Outgoing

__all__ = ["ERRORS", "EndFailed", "SourceEnd", "TargetBlocked", "TargetEnd", "UnfitMessage"]

ERRORS = (MiniBrokerClientError, OSError)
"""What a connection or a channel raises when it is lost, or refuses."""
logger = logging.getLogger("minibroker_client.bridge")
BLOCKED = 0.2
"""Seconds that a publish waits for a broker that takes no messages."""


ATTEMPTED = -1
"""The number of a publish that failed before it had one."""


class EndFailed(Exception):
    """An end has to be opened again. `__cause__` is why."""

    def __init__(self, end: End, error: BaseException) -> None:
        super().__init__(f"{end.called} {end.where}: {str(error) or type(error).__name__}")
        self.end = end


class TargetBlocked(Exception):
    """The target takes no messages at present; nothing was published."""


class UnfitMessage(Exception):
    """What is to be published cannot be put in the target's terms."""


class End:
    """A connection with a channel, opened again as often as it takes."""

    called: str

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.where = connection.as_uri()
        """Its URL, without the password."""
        self.raw: TransportChannel | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was opened and did not fail since."""
        return self.raw is not None

    def open(self) -> None:
        """Connect, once. Raises EndFailed."""
        try:
            self.connection.reconnect_once()
            self.where = self.connection.as_uri()
            self.raw = self._prepared()
        except (*ERRORS, ValueError, ImportError) as error:  # options are the transport's to check
            self.close()
            raise EndFailed(self, error) from error

    def _prepared(self) -> TransportChannel:
        """A channel that is ready to be used."""
        raise NotImplementedError

    def close(self) -> None:
        """Close it: what was read and not acked goes back."""
        self.raw = None
        try:
            self.connection.collect()
        except ERRORS as error:
            logger.warning("bridge: %s %s: closing it: %s", self.called, self.where, error)

    @property
    def channel(self) -> TransportChannel:
        """The channel. Raises EndFailed when it is not open."""
        if self.raw is None:
            raise EndFailed(self, ConnectionError("it is not open"))
        return self.raw


class SourceEnd(End):
    """Where messages are read, and deleted."""

    called = "from"

    def __init__(self, link: BridgeLink) -> None:
        super().__init__(link.source_connection())
        self._link = link
        self.inbox: deque[Delivery] = deque()
        """What came and was not looked at."""
        self._looking: TransportChannel | None = None
        self._cancelled = False
        self._settled = 0

    def _prepared(self) -> TransportChannel:
        self.inbox.clear()
        self._cancelled = False
        self._settled = 0
        transport = self.connection.link
        # One of its own for looking: a refusal closes it.
        self._looking = transport.channel(Listener(_ignored, _ignored))
        queue, arguments = self._link.queue, self._link.queue_arguments
        if arguments is not None:
            self._looking.declare_queue(queue, durable=True, arguments=arguments)
        channel = transport.channel(Listener(_ignored, self._was_cancelled))
        if self.connection.capabilities.prefetch:
            channel.qos(2 * self._link.confirm_window)
        channel.consume(queue, self.inbox.append)
        return channel

    def _was_cancelled(self, _: str) -> None:
        self._cancelled = True

    def take(self, most: int) -> None:
        """Have so many messages in the inbox, if they are there. Raises EndFailed."""
        inbox = self.inbox
        try:
            drain = self.connection.link.drain
            while len(inbox) < most:
                drain(0)
        except TimeoutError:
            pass
        except ERRORS as error:
            raise EndFailed(self, error) from error
        self._check_cancelled()

    def wait(self, seconds: float) -> None:
        """Wait for a message. Raises EndFailed."""
        try:
            self.connection.link.drain(seconds)
        except TimeoutError:
            pass
        except ERRORS as error:
            raise EndFailed(self, error) from error
        self._check_cancelled()

    def _check_cancelled(self) -> None:
        if self._cancelled:
            raise EndFailed(self, LookupError(f"queue {self._link.queue!r} was deleted"))

    def waiting(self) -> int:
        """How many messages are not settled, of those in the queue and those that came here.

        Raises EndFailed.
        """
        channel = self.channel
        assert self._looking is not None
        try:
            ready = self._looking.declare_queue(self._link.queue, passive=True).message_count
        except ERRORS as error:
            raise EndFailed(self, error) from error
        return ready + channel.highest_tag - self._settled

    def ack(self, tag: int) -> None:
        """Delete a message and all before it. Raises EndFailed."""
        try:
            self.channel.ack(tag, True)
        except ERRORS as error:
            raise EndFailed(self, error) from error
        self._settled = tag

    def dead_letter(self, tag: int) -> None:
        """Give a message to the queue's dead-letter exchange, when all before it are settled.

        Raises EndFailed.
        """
        try:
            self.channel.reject(tag, False)
        except ERRORS as error:
            raise EndFailed(self, error) from error
        self._settled = tag


class TargetEnd(End):
    """Where messages are published, and confirmed."""

    called = "to"

    def __init__(self, link: BridgeLink, returned: Callable[[Returned], None]) -> None:
        """`returned` is told of messages that no queue takes, before they are confirmed."""
        super().__init__(link.target_connection())
        self._exchange = link.exchange
        self._returned = returned
        self._mandatory = self.connection.capabilities.returns

    def _prepared(self) -> TransportChannel:
        channel = self.connection.link.channel(Listener(self._returned, _ignored))
        if self._exchange:
            channel.declare_exchange(self._exchange, passive=True)
        channel.confirm_select()
        return channel

    @property
    def unconfirmed(self) -> int:
        """How many publishes have no answer yet."""
        return self.raw.unconfirmed if self.raw is not None else 0

    @property
    def answer(self) -> Callable[[int], bool | None]:
        """`answer` of its channel; of one that is not open nothing is known."""
        return self.raw.answer if self.raw is not None else _unknown

    def publish(self, outgoing: Outgoing) -> None:
        """Publish, and set the number by which it is answered.

        Raises EndFailed, TargetBlocked or UnfitMessage.
        """
        channel = self.channel
        outgoing.number = ATTEMPTED
        try:
            properties = channel.properties(outgoing.values)
            outgoing.number = channel.publish(
                self._exchange, outgoing.routing_key, outgoing.body, properties,
                self._mandatory, BLOCKED,
            )  # fmt: skip
        except PublisherBlocked as error:
            outgoing.number = 0
            raise TargetBlocked(str(error)) from error
        except ERRORS as error:
            raise EndFailed(self, error) from error
        except (TypeError, ValueError, OverflowError) as error:
            raise UnfitMessage(f"{self.called} {self.where}: {error}") from error

    def look(self) -> None:
        """Read the answers that are there. Raises EndFailed."""
        try:
            drain = self.connection.link.drain
            while True:
                drain(0)
        except TimeoutError:
            pass
        except ERRORS as error:
            raise EndFailed(self, error) from error

    def wait(self, outstanding: int, seconds: float) -> None:
        """Wait until no more answers than so many are missing, at most that long.

        Raises EndFailed.
        """
        try:
            self.channel.wait_for_answers(outstanding, seconds)
        except TimeoutError:
            pass
        except ERRORS as error:
            raise EndFailed(self, error) from error


def _ignored(_: object) -> None:
    """Nothing to do."""


def _unknown(_: int) -> bool | None:
    """No answer."""
    return None
