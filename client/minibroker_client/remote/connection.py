"""One connection to a system: what comes in under leases, and its end.

`drain` leases what the consumers have credit for, and waits in the system where that can wake it
up. The keeper (`keeping`) renews the leases meanwhile.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from minibroker.errors import ConnectionForced

from .driver import DriverError
from .queue import RemoteEntry, RemoteQueue
from .sending import Sending
from .sweeping import Sweeper

if TYPE_CHECKING:
    from minibroker.connection import Event
    from minibroker.errors import AMQPError
    from minibroker.queues import Entry

    from .driver import Driver
    from .keeping import Keeper
    from .vhost import RemoteVHost

__all__ = ["RemoteConnection"]

POLL_FIRST, POLL_MOST = 0.005, 0.25
"""Seconds between two looks for messages in a system that wakes nobody up: they get longer."""


class RemoteConnection(Sending):
    """A connection of the broker's model whose queues lie in a system. Thread-safe.

    One thread at a time drains it.
    """

    keeper: Keeper

    def __init__(self, vhost: RemoteVHost, driver: Driver, lock: threading.RLock) -> None:
        super().__init__(vhost, driver, lock)
        self._changed = threading.Condition(lock)
        self._poll = POLL_FIRST
        self._sweeper = Sweeper(self)
        self._ended = False

    # -- what the queues ask for

    def take_one(self, queue: RemoteQueue) -> RemoteEntry | None:
        """Lease one message, if there is one."""
        self.flush()
        leased = self.lease([(queue.name, 1)], 0.0)
        mine = next((entry for entry in leased if entry.queue is queue), None)
        # A driver that another thread made lease at the same time may hand out more.
        self.comes_back([entry for entry in leased if entry is not mine])
        return mine

    def size(self, queue: RemoteQueue) -> int:
        """How many messages are ready."""
        self.flush()
        return self.ask(self.driver.size, queue.name)

    def purge(self, queue: RemoteQueue) -> int:
        """Remove what is ready."""
        self.flush()
        return self.ask(self.driver.purge, queue.name)

    # -- what the program waits for

    def drain(self, timeout: float | None = None) -> Entry | Event:
        """The next delivery or event, waiting for it up to `timeout` seconds (None: for ever).

        Raises TimeoutError when nothing came, ConnectionForced when the connection is closed.
        """
        end = None if timeout is None else time.monotonic() + timeout
        longest = self.driver.features.longest_wait
        while True:
            self.flush()
            if self.outbox:
                return self.outbox.popleft()
            if self.closed:
                raise self.error or ConnectionForced("the connection is closed")
            left = longest if end is None else min(end - time.monotonic(), longest)
            self.fetch(max(left, 0.0))
            if not self.outbox and end is not None and time.monotonic() >= end:
                self.flush()  # what was given up meanwhile
                raise TimeoutError(f"nothing arrived within {timeout} seconds")

    def fetch(self, wait: float) -> None:
        """Lease what consumers have credit for, waiting up to so many seconds for the first."""
        self.refresh()
        wait = min(wait, self._sweeper.sweep()) if self.consumes else wait
        with self.lock:
            wanted = self._wanted()
            if not wanted:
                self._wait(wait)
                return
        wakes = self.driver.features.wake_up
        entries = self.lease(wanted, wait if wakes else 0.0)
        with self.lock:
            for entry in entries:
                entry.queue.arrived(entry)
            for queue in {entry.queue for entry in entries}:
                queue.pump()
                if not queue.consumers.all:
                    queue.release()
        if entries:
            self._poll = POLL_FIRST
        elif wait and not wakes:
            time.sleep(min(self._poll, wait))
            self._poll = min(self._poll * 2, POLL_MOST)

    @property
    def consumes(self) -> bool:
        """Whether there is any consumer."""
        return any(channel.consumers for channel in self.channels)

    def _wait(self, wait: float) -> None:
        """Nobody here could take a message: wait for what other threads do."""
        if wait and not self.outbox and not self.closed:
            self.wake = self._changed.notify_all
            self._changed.wait(wait)
            self.wake = None

    def _wanted(self) -> list[tuple[str, int]]:
        """How many messages of which queues consumers here would take."""
        queues = {
            consumer.queue: None
            for channel in self.channels
            for consumer in channel.consumers.values()
        }
        hungry = [(queue.name, queue.hunger) for queue in queues if isinstance(queue, RemoteQueue)]
        return [(name, hunger) for name, hunger in hungry if hunger > 0]

    # -- leases

    def lease(self, wanted: list[tuple[str, int]], wait: float) -> list[RemoteEntry]:
        """Lease messages as `Driver.lease`: the entries, which are held from then on."""
        begun = time.monotonic()
        leased = self.ask(self.driver.lease, wanted, wait)
        if not leased:
            return []
        deadline = self._deadline(time.monotonic() if wait else begun)
        entries: list[RemoteEntry] = []
        with self.lock:
            now = self.vhost.now()
            for each in leased:
                queue = self.vhost.queues.get(each.queue)
                if each.due is not None and each.due > now:
                    self.ask(self.driver.nack, [each], each.due - now)
                elif isinstance(queue, RemoteQueue) and not self.closed:
                    entry = queue.entry(each, deadline)
                    self.held[id(entry)] = entry
                    entries.append(entry)
                else:  # deleted meanwhile
                    self.returned.append(each)
        self.keeper.hold()
        return entries

    def _deadline(self, begun: float) -> float:
        return begun + self.driver.lease_seconds

    def renew(self) -> None:
        """Renew the leases that have used up a third of their time."""
        third = self.driver.lease_seconds / 3
        begun = time.monotonic()
        with self.lock:
            due = [entry for entry in self.held.values() if entry.deadline - begun < 2 * third]
        if not due:
            return
        lost = self.ask(self.driver.renew, [entry.lease for entry in due])
        with self.lock:
            self.mark([each for each in lost if self._holds(each)])
            for entry in due:
                if not entry.lost:
                    entry.deadline = self._deadline(begun)

    def _holds(self, lease: object) -> bool:
        """Whether it was not settled while it was being renewed."""
        return any(entry.lease is lease for entry in self.held.values())

    # -- the end

    def close(self, error: AMQPError | None = None) -> None:
        """Close all channels; what is unacked goes back at once, and exclusive queues go.

        It raises nothing: what a system that is lost has not been told comes back from there.
        """
        try:
            with self.lock:
                if not self.closed:
                    self._close(error)
        finally:
            self._end()

    def _close(self, error: AMQPError | None) -> None:
        try:
            if error is None:
                self.flush()
            super().close(error)
            if error is None:
                self._give_back()
        except (ConnectionForced, DriverError):
            pass  # it is lost: what is held comes back when its lease ends
        finally:
            self.closed = True
            self.held.clear()
            self._changed.notify_all()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self.keeper.stop()
            self.driver.close()

    def _give_back(self) -> None:
        settled, self.settled = self.settled, []
        returned, self.returned = self.returned, []
        if settled:
            self.driver.ack(settled)
        if returned:
            self.driver.nack(returned)
