"""Commits: what the journal has goes into the log in batches, and is confirmed.

One thread at a time commits, without the broker's lock while the disk works: the broker's worker,
or a thread that would otherwise wait for it. Everything that happens meanwhile is the next batch.
Knows nothing of when to commit: that is `worker`.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InternalError
from ..events import Confirmed
from ..gate import BEHIND, DISK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..channel.state import ChannelState
    from ..gate import Gate
    from ..journal import Batch, Journal
    from ..store import Log, Reserve
    from .policy import SyncPolicy

__all__ = ["BATCH", "Committer"]

BATCH = 4 << 20
"""Bytes that wait for a commit before publishers have to wait, too."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
UNSYNCED = 8 << 20
"""Bytes that a log is behind the disk at the most, whatever the policy: they are held in memory to
be written again should the sync fail."""


@dataclass(slots=True)
class Progress:
    """How often something happened so far."""

    taken: int = 0
    """Batches taken out of the journal."""
    turns: int = 0
    """Writes that succeeded, with the sync that the policy wants."""
    syncs: int = 0
    failures: int = 0


class Committer:
    """Writes the log of one broker. Thread-safe; nothing here is called under the lock, but where
    it says so.
    """

    def __init__(
        self,
        journal: Journal,
        gate: Gate,
        lock: threading.RLock,
        policy: SyncPolicy,
        reserve: Reserve,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` gives seconds, for the interval of the policy."""
        self.journal = journal
        self.log = journal.log
        self.gate = gate
        self.lock = lock
        self.policy = policy
        self.reserve = reserve
        self.now = now
        self.changed = threading.Condition(lock)
        """Told when a commit has ended, and when none will follow."""
        self.busy = False
        """Whether somebody commits."""
        self.error: OSError | None = None
        """Why the log could not be written the last time it was tried."""
        self.low = False
        """Whether the reserve had to be given up: what happens is written, publishers wait."""
        self.synced_at = now()
        """When the log was synced, in seconds of `now`."""
        self.upkeep: Callable[[], None] = self.write
        """Commits, and does what is due besides: for whoever commits where there is no worker."""
        self.hurry: Callable[[], None] | None = None
        """Makes the worker commit at once; to be called under the lock. None: there is no worker,
        and whoever waits commits."""
        self._unsynced: list[Batch] = []
        self.progress = Progress()
        self._sync_asked = False
        """Whether somebody waits for a sync, whatever the policy."""
        self._process = os.getpid()
        journal.most = journal.room = BATCH
        journal.on_full = self._full

    @property
    def failed(self) -> bool:
        """Whether the log could not be written the last time it was tried."""
        return self.error is not None

    # -- committing

    def commit(self) -> bool:
        """Commit what there is, unless somebody does already: then, and in a forked child, False.

        Never raises because of the disk: `error` says what is wrong with it, publishers hear nack
        and wait at the gate, and the next call tries again.
        """
        # As `exclusively`, without what a context manager costs where every message is waited for.
        with self.lock:
            if self.busy or os.getpid() != self._process:
                return False
            self.busy = True
        try:
            if self.hurry is None:
                self.upkeep()
            else:
                self.write()
        finally:
            with self.lock:
                self.busy = False
                self.changed.notify_all()
        return True

    @contextmanager
    def exclusively(self, wait: bool = True) -> Iterator[bool]:
        """Be the one who commits, for a while; False: somebody else is, and `wait` is not set."""
        with self.lock:
            if wait:
                self.changed.wait_for(lambda: not self.busy)
            mine = not self.busy and os.getpid() == self._process
            self.busy = self.busy or mine
        try:
            yield mine
        finally:
            if mine:
                with self.lock:
                    self.busy = False
                    self.changed.notify_all()

    def write(self, sync: bool = False, captured: Callable[[], None] | None = None) -> None:
        """Write the next batch, and sync if the policy wants that, or `sync`; for the one who
        commits. `captured` is called under the lock at the moment that the batch is taken.
        """
        batch: Batch | None = None
        with self.lock:
            if not self.failed:
                if self.journal.has_work:
                    batch = self.journal.take()
                    self.progress.taken += 1
                self.gate.open(BEHIND)
                if captured is not None:
                    captured()
        try:
            if batch is not None and (batch.parts or batch.queues):
                self._unsynced.append(batch)
            if batch is not None and batch.parts:
                self.log.append(batch.parts)
            if sync or self._has_to_sync():
                self.log.sync()
        except OSError as error:
            if not self._written_into_reserve(error):
                with self.lock:
                    self._failed(error, batch)
                return
        except BaseException:
            # Such as an interrupt from the keyboard: the next one who commits does this again.
            self.error = InterruptedError("a commit was interrupted")
            raise
        self.hold_reserve()
        with self.lock:
            self._written(batch)

    def hold_reserve(self) -> None:
        """Take the reserve if it was given up, for the one who commits."""
        self.low = not self.reserve.hold()

    def _written_into_reserve(self, error: OSError) -> bool:
        """The disk is full: whether it can be written into the room that was kept for that."""
        if error.errno not in FULL or not self.reserve.held:
            return False
        try:
            self.reserve.release()
            self.log.sync()
        except OSError:
            return False
        self.low, self.reserve.error = True, error
        return True

    def healed(self) -> bool:
        """Whether nothing is wrong, after trying again what failed; for the one who commits."""
        if self.failed:
            self.write()  # what failed, and nothing else
        return not self.failed

    def _has_to_sync(self) -> bool:
        policy, log = self.policy, self.log
        if self.failed or log.broken or log.unsynced >= UNSYNCED:
            return True
        if not log.unsynced:
            return False
        if self._sync_asked:
            return True
        if policy.interval is not None:
            return self.now() - self.synced_at >= policy.interval
        return policy.always

    @property
    def sync_due(self) -> float | None:
        """Seconds until the policy wants a sync; None: it does not. To be called under the lock."""
        if self.policy.interval is None or not self.log.unsynced:
            return None
        return max(0.0, self.synced_at + self.policy.interval - self.now())

    def _written(self, batch: Batch | None) -> None:
        self.error = None
        self.progress.turns += 1
        self.tell_low()
        if batch is not None:
            _answer(batch.confirms, ok=True)
        for each in self._unsynced:
            _answer(each.confirms, ok=True)  # those whose commit was interrupted
        if self.log.unsynced:
            return
        self.synced_at = self.now()
        self._sync_asked = False
        self.progress.syncs += 1
        done, self._unsynced = self._unsynced, []
        for each in done:
            _account(self.log, each)
        for each in done:
            for queue in each.queues:
                if not queue.deleted:
                    queue.page_out(self.log.synced)

    def tell_low(self) -> None:
        """Let publishers wait while the disk is full, and no longer. Under the lock."""
        if self.low:
            self.gate.shut(DISK, lambda: f"the disk is full: {self.reserve.error}")
        else:
            self.gate.open(DISK)

    def _failed(self, error: OSError, batch: Batch | None) -> None:
        self.error = error
        self.progress.failures += 1
        if batch is not None:
            _answer(batch.confirms, ok=False)
        self.gate.shut(DISK, self._what_failed)

    def give_up(self, error: Exception) -> None:
        """Commit nothing any more: something is wrong that is no fault of the disk."""
        with self.lock:
            self._process = -1
            self._failed(OSError(f"{type(error).__name__}: {error}"), None)
            self.hurry = None
            for batch in self._unsynced:
                _answer(batch.confirms, ok=False)
            _answer(self.journal.confirms, ok=False)
            self.changed.notify_all()

    def _what_failed(self) -> str:
        return f"the log cannot be written: {self.error}"

    # -- waiting for it

    def assist(self) -> None:
        """Commit in this thread if somebody waits for a commit and nobody commits.

        A thread that is going to wait saves both ways between threads (90 us of 380 measured).
        """
        if not self.journal.confirms:
            return
        if (self.busy or not self.commit()) and self.hurry is None:
            with self.exclusively() as mine:  # who commits just now does not do it again
                if mine:
                    self.upkeep()

    def relieve(self) -> None:
        """Commit in this thread if nobody else will: a publisher waits for room."""
        if self.hurry is None:
            self.commit()

    def wait(self, sync: bool = False) -> None:
        """Return when everything reported so far is committed. May be called under the lock.

        With `sync` when it is on the disk, whatever the policy. Raises InternalError when that
        failed: it will be written once it can be; and in a forked child, which has no log.
        """
        if os.getpid() != self._process and not self.failed:
            raise InternalError("the log belongs to the process that this one was forked from")
        with self.lock:
            if self.failed and self.hurry is None:
                self.commit()
            if self.failed:
                raise InternalError(self._what_failed())
            self._sync_asked = self._sync_asked or sync
            more = self.journal.has_work or (sync and (self.busy or bool(self.log.unsynced)))
            target, failures = self.progress.turns + self.busy + more, self.progress.failures
            if self.hurry is None:
                self._commit_up_to(target, failures)
            else:
                while self.progress.turns < target and self.progress.failures == failures:
                    if self.hurry is not None:  # the worker may end meanwhile
                        self.hurry()
                    self.changed.wait()
            if self.progress.failures != failures:
                raise InternalError(self._what_failed())

    def _commit_up_to(self, target: int, failures: int) -> None:
        """Commit in this thread, after whoever does it now, until so many turns are done."""
        while True:
            if not self.commit():
                if not self.busy:
                    return  # a forked child
                self.changed.wait_for(lambda: not self.busy)
            if self.progress.turns >= target or self.progress.failures != failures:
                return

    def _full(self) -> None:
        """So much waits for the commit that publishers have to wait; called under the lock."""
        self.gate.shut(BEHIND, lambda: f"{self.journal.size} bytes wait for the log to be written")
        if self.hurry is not None:
            self.hurry()


def _account(log: Log, batch: Batch) -> None:
    """Tell the segments how many places need them, now that a batch is on the disk."""
    if batch.entries:
        log.account(batch.position, batch.entries, batch.weight)
    for page in batch.dropped_pages:
        log.account(page.positions[0], -len(page), -page.weight)
    start = end = entries = weight = 0
    for message in batch.dropped:
        # Nearly always in the segment of the one before: what is dropped came in order.
        if not start <= message.position < end:
            if entries:
                log.account(start, -entries, -weight)
            segment = log.find(message.position)
            start, end, entries, weight = segment.base, segment.end, 0, 0
        entries += 1
        weight += message.share
    if entries:
        log.account(start, -entries, -weight)


def _answer(confirms: dict[ChannelState, int], ok: bool) -> None:
    """Tell publishers what became of their messages, once."""
    for channel, tag in confirms.items():
        if not channel.closed:
            channel.connection.send(Confirmed(channel, tag, True, ok))
    confirms.clear()
