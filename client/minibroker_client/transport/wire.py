"""One non-blocking socket, with TLS or without. Knows no protocol.

With TLS reading and writing take turns by a lock, for OpenSSL does not take both at one time.
"""

from __future__ import annotations

import select
import ssl
import threading
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

__all__ = ["Wire"]

READ_SIZE = 256 << 10
"""Bytes that are read at one time."""
_AGAIN = BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError


class _Select:
    """Waits for one socket by `select`, where there is nothing better (Windows)."""

    def __init__(self, connected: socket.socket, *, writing: bool = False) -> None:
        self._read = [connected]
        self._write = [connected] if writing else []

    def wait(self, seconds: float | None) -> bool:
        """Whether it is ready within so many seconds, None for ever."""
        timeout = None if seconds is None else max(0.0, seconds)
        return any(select.select(self._read, self._write, [], timeout))


class _Polled:
    """Waits for one socket by `poll`, which knows no limit for the number of files."""

    def __init__(self, connected: socket.socket, *, writing: bool = False) -> None:
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN | (select.POLLOUT if writing else 0))

    def wait(self, seconds: float | None) -> bool:
        """Whether it is ready within so many seconds, None for ever."""
        # Rounded up: a wait that is shorter than a millisecond must not become a look.
        timeout = None if seconds is None else max(0, ceil(seconds * 1000))
        return bool(self._poll.poll(timeout))


_Poll = _Polled if hasattr(select, "poll") else _Select


class Wire:
    """Reads, writes and waits. One thread reads; any may write, one at a time."""

    __slots__ = ("_lock", "_peek", "_poll_both", "_poll_read", "_socket")

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._lock = threading.Lock() if isinstance(connected, ssl.SSLSocket) else None
        self._poll_read = _Poll(connected)
        self._peek = _Poll(connected)  # one of its own: a poll object is for one thread at a time
        self._poll_both = _Poll(connected, writing=True)

    def read(self) -> bytes | None:
        """What came; None when nothing is there, empty when the other side has closed.

        Raises OSError.
        """
        try:
            if self._lock is None:
                return self._socket.recv(READ_SIZE)
            with self._lock:
                return self._socket.recv(READ_SIZE)
        except _AGAIN:
            return None

    def write(self, data: memoryview) -> int:
        """Send what goes without waiting: how many bytes. Raises OSError."""
        try:
            if self._lock is None:
                return self._socket.send(data)
            with self._lock:
                return self._socket.send(data)
        except _AGAIN:
            return 0

    def wait(self, seconds: float | None, writing: bool = False) -> bool:
        """Wait until something can be read (or written, with `writing`); None is for ever.

        False when nothing can be after that time.
        """
        return (self._poll_both if writing else self._poll_read).wait(seconds)

    def peek(self) -> bool:
        """Whether something waits to be read; for another thread than the one that reads."""
        return self._peek.wait(0)

    def interrupt(self) -> None:
        """End it from any thread: whoever reads finds the end."""
        with suppress(OSError):
            self._socket.shutdown(2)

    def close(self) -> None:
        """Close it. In a forked child this leaves the parent's alone."""
        self._socket.close()
