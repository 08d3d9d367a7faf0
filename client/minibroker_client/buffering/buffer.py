"""Sends publishes, keeps them until they are confirmed, and sends them again after a reconnect.

All publishes of a connection go through one channel of its transport, in order. Source of the
rules: RabbitMQ documentation, "Reliability Guide": a publish that was not confirmed when the
connection was lost may have arrived, so it is sent again with the same `message_id`.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from ..exceptions import BufferFull, ChannelException, MessageNacked
from ..message import copied
from ..retry import intervals
from ..transport.base import Listener
from .kept import Kept, MemoryStore, Store
from .spool import SpoolStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..resilient import ResilientLink
    from ..transport.base import Returned, TransportChannel

__all__ = ["Buffer"]

logger = logging.getLogger(__name__)

OPTIONS = {"max_messages": 10_000, "max_bytes": 64 << 20, "directory": None, "fsync": "always"}
NAMES = (
    "content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id",
    "reply_to", "expiration", "message_id", "timestamp", "type", "user_id", "app_id",
)  # fmt: skip
MAX_NAME = 255
LOOK = 64
"""Publishes after which one looks for answers."""
WINDOW = 1000
"""Publishes that may be unconfirmed before one waits, unless `confirm_window` says otherwise."""


class Buffer:
    """The unconfirmed publishes of a connection. One thread at a time, as the connection."""

    monotonic: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, connection: ResilientLink, options: Mapping[str, Any] | bool) -> None:
        """`ValueError` for an unknown option; errors of the spool as `file://`."""
        given = {} if isinstance(options, bool) else dict(options)
        for name in given:
            if name not in OPTIONS:
                raise ValueError(f"no buffer option {name!r} (there are {', '.join(OPTIONS)})")
        chosen: dict[str, Any] = {**OPTIONS, **given}
        self.max_messages: int = chosen["max_messages"]
        self.max_bytes: int = chosen["max_bytes"]
        self._connection = connection
        self._window = connection.confirm_window or WINDOW
        self._directory: str | None = chosen["directory"]
        self._fsync: str = chosen["fsync"]
        self._store: Store | None = None
        self._raw: TransportChannel | None = None
        self._sent: dict[int, int] = {}
        """Keys of the store by publish sequence number, of what was sent on `_raw`."""
        self._refused: list[Kept] = []
        self._careful = False
        """Whether each is confirmed before the next, to find the one that closes the channel."""
        self._next_attempt = 0.0
        self._intervals = self._new_intervals()
        self._ids = count(1)
        self._prefix = os.urandom(8).hex()
        self.on_returned: Callable[[Returned], None] | None = None
        """Told of mandatory messages that came back."""

    def _new_intervals(self) -> Any:
        options = self._connection.transport_options
        return intervals(
            options.get("interval_start", 0.1), options.get("interval_step", 0.5),
            options.get("interval_max", 10), options.get("jitter", 0),
        )  # fmt: skip

    @property
    def store(self) -> Store:
        """Where they are kept, opened when it is first needed."""
        if self._store is None:
            directory = self._directory
            self._store = MemoryStore() if directory is None else SpoolStore(directory, self._fsync)
        return self._store

    def __len__(self) -> int:
        """How many messages are kept."""
        return len(self.store)

    # -- publishing

    def send(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        record: Any,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Keep a message, and send it if the broker is there.

        `ValueError` for a name over 255 bytes, `BufferFull` when there is no room: nothing is kept.
        `MessageNacked` or the broker's error for an earlier message that it refused, which is not
        kept any longer.
        """
        for name in (exchange, routing_key):
            if len(name.encode()) > MAX_NAME:
                raise ValueError(f"{name[:60]!r}… is longer than {MAX_NAME} bytes")
        if len(self._sent) % LOOK == LOOK - 1:
            self._look()
        if self._is_full(len(body)):
            self._make_room(len(body), timeout)
        values = {name: value for name in NAMES if (value := getattr(record, name)) is not None}
        if "headers" in values:
            values["headers"] = copied(values["headers"])  # the caller's may change
        values.setdefault("message_id", f"{self._prefix}-{next(self._ids)}")
        kept = Kept(exchange, routing_key, bytes(body), values, mandatory)
        key = self.store.add(kept)
        raw = self._raw
        if raw is None or raw.closed:
            self.try_to_send()  # all that is kept, this one with it
        else:
            self._transmit(raw, key, kept)
        self._report()

    def _is_full(self, more: int) -> bool:
        store = self.store
        return len(store) >= self.max_messages or store.size + more > self.max_bytes

    def _make_room(self, more: int, timeout: float | None) -> None:
        if self._raw is not None and not self._raw.closed and self._sent:
            self._wait(len(self._sent) // 2, timeout)
            if not self._is_full(more):
                return
        raise BufferFull(
            f"{len(self.store)} messages of {self.store.size} bytes wait to be confirmed, and no "
            f"more than {self.max_messages} of {self.max_bytes} bytes may"
        )

    def _transmit(self, raw: TransportChannel, key: int, kept: Kept) -> None:
        try:
            record = raw.properties(kept.values)
            number = raw.publish(kept.exchange, kept.routing_key, kept.body, record, kept.mandatory)
            self._sent[number] = key
            if self._careful:
                raw.confirmed(number)
                self.settle()
            elif len(self._sent) >= self._window:
                self._wait(self._window // 2, None)
        except self._connection.recoverable_connection_errors as error:
            logger.warning("%d messages wait for a new connection: %s", len(self.store), error)
        except ChannelException as error:
            self._blame(key, error)
        except (TypeError, ValueError):  # this transport cannot carry it: it would not go ever
            self.store.done(key)
            raise

    def _blame(self, key: int, error: ChannelException) -> None:
        """The broker closed the channel because of a publish: find out which."""
        self._raw = None
        if not self._careful:
            self._careful = True
            self.try_to_send()
            return
        self._careful = False
        self._sent.clear()
        self.store.done(key)
        raise error

    # -- answers

    def _look(self) -> None:
        """Read answers, if there are any, without waiting."""
        raw = self._raw
        if raw is not None and not raw.closed:
            # Nothing there, or lost: the next one to be sent finds that out.
            with suppress(*self._connection.recoverable_connection_errors):
                raw.wait_for_answers(0, 0)
            self.settle()

    def settle(self) -> None:
        """Forget what was answered. Reads nothing."""
        raw = self._raw
        if raw is None:
            return
        for number, key in list(self._sent.items()):
            ok = raw.answer(number)
            if ok is None:
                return
            del self._sent[number]
            if not ok:
                self._refused += [kept for each, kept in self.store.pending() if each == key]
            self.store.done(key)

    def _wait(self, outstanding: int, timeout: float | None) -> None:
        assert self._raw is not None
        self._raw.wait_for_answers(outstanding, timeout)
        self.settle()

    def _report(self) -> None:
        refused, self._refused = self._refused, []
        if refused:
            raise MessageNacked(
                f"the broker refused {len(refused)} messages, the first to exchange "
                f"{refused[0].exchange!r} with routing key {refused[0].routing_key!r}"
            )

    # -- connecting

    def try_to_send(self) -> bool:
        """Send all that is kept, if the broker is there, or its turn to be tried has come.

        Whether it is there.
        """
        connection = self._connection
        if not connection.connected:
            now = self.monotonic()
            if now < self._next_attempt:
                return False
            try:
                connection.reconnect_once()
            except connection.recoverable_connection_errors as error:
                self._next_attempt = self.monotonic() + next(self._intervals)
                logger.info("the broker is away: %s", error)
                return False
            self._intervals = self._new_intervals()
        self._resend()
        return True

    def connected(self) -> None:
        """There is a new connection: what is kept goes out."""
        self._raw = None
        if (self._store is not None or self._directory is not None) and len(self.store):
            self._resend()

    def _resend(self) -> None:
        link = self._connection.link
        if self._raw is not None and not self._raw.closed:
            return
        self._sent.clear()
        raw = link.channel(Listener(self._came_back, _ignored))
        raw.confirm_select()
        self._raw = raw
        for key, kept in self.store.pending():
            if self._raw is not raw or raw.closed:
                return  # lost again, or found who closes it
            self._transmit(raw, key, kept)
        self._careful = False

    def _came_back(self, returned: Returned) -> None:
        if self.on_returned is not None:
            self.on_returned(returned)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything is confirmed, connecting anew as often as it takes.

        `TimeoutError` after `timeout` seconds says how many are left, which stay kept. Raises what
        `send` raises of messages that the broker refused.
        """
        end = None if timeout is None else self.monotonic() + timeout
        while len(self.store):
            left = None if end is None else end - self.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(
                    f"{len(self.store)} messages were not confirmed within {timeout} seconds"
                )
            if not self.try_to_send():
                pause = max(0.0, self._next_attempt - self.monotonic())
                self._connection.sleep(pause if left is None else min(pause, left))
                continue
            try:
                self._wait(0, left)
            except TimeoutError:
                continue
            except self._connection.recoverable_connection_errors as error:
                logger.warning("%d messages are sent again: %s", len(self.store), error)
            except ChannelException as error:
                self._blame(next(iter(self._sent.values())), error)
        self._report()

    def close(self) -> None:
        """Let go of the store; a spool keeps what was not confirmed."""
        store, self._store, self._raw = self._store, None, None
        self._sent.clear()
        if store is not None:
            if len(store) and isinstance(store, MemoryStore):
                logger.warning("%d messages were not confirmed and are gone", len(store))
            store.close()


def _ignored(_: object) -> None:
    pass
