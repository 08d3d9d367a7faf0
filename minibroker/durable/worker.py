"""The thread that commits: when there is work, when the policy wants a sync, when space is due.

Knows nothing of how. It ends with its broker.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .committer import Committer
    from .upkeep import Upkeep

__all__ = ["Worker"]

LINGER = 0.005
"""Seconds before a commit that a publisher wants: it does that itself if it waits."""
LAZY = 0.02
"""Seconds before a commit that nobody waits for, such as of acks: the next one takes them along."""
RECENT = 0.5
"""Seconds after work in which the thread looks for more by itself."""
RETRY = 0.2
"""Seconds before writing is tried again after it failed."""
logger = logging.getLogger("minibroker.log")
ASLEEP, DOZING, AWAKE = 0, 1, 2


class Worker:
    """Commits in a thread of its own. Made under no lock; `stop` ends it."""

    def __init__(
        self,
        committer: Committer,
        upkeep: Upkeep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.committer = committer
        self.upkeep = upkeep
        self.now = now
        self._state = AWAKE
        self._woken = threading.Condition(committer.lock)
        self._stopping = False
        self._hurried = False
        self._busy_at = now()
        """When there was work the last time."""
        self._batch = -1
        self._due: float | None = None
        """When the work that is waiting has to be committed."""
        committer.hurry = self._hurry
        committer.journal.on_work = self._work
        self._thread = threading.Thread(target=self._run, name="minibroker-log", daemon=True)
        self._thread.start()

    # -- called under the lock

    def _work(self) -> None:
        """There is work. A thread that will wake up soon enough anyway is left alone."""
        wanted = AWAKE if self.committer.journal.confirms else DOZING
        if self._state < wanted:
            self._state = wanted
            self._woken.notify()

    def _hurry(self) -> None:
        self._hurried = True
        self._woken.notify()

    # -- the thread

    def stop(self) -> None:
        """End the thread, and wait until it has ended. Not to be called under the lock."""
        with self.committer.lock:
            self._stopping = True
            self._woken.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self.committer.hurry = None

    def _run(self) -> None:
        while self._wait():
            try:
                with self.committer.exclusively() as mine:
                    if mine:
                        self.upkeep.commit()
            except Exception as error:
                # Nothing must be confirmed from here on, and who waits has to hear of it.
                logger.exception("the log cannot be written any more")
                self.committer.give_up(error)
                return

    def _wait(self) -> bool:
        """Wait until it is time to commit; False: it is time to end."""
        with self.committer.lock:
            while not self._stopping:
                delay = self._delay()
                if delay is not None and delay <= 0:
                    self._hurried = False
                    self._due = None
                    break
                self._woken.wait(delay)
            self._state = AWAKE
            return not self._stopping

    def _delay(self) -> float | None:
        """Seconds until there is something to do, None if nothing is known of yet."""
        committer, journal = self.committer, self.committer.journal
        if committer.busy:
            self._state = AWAKE
            return LINGER
        if committer.failed or (committer.low and not journal.has_work):
            return self._until(RETRY, AWAKE)
        later = [each for each in (committer.sync_due, self.upkeep.due) if each is not None]
        due = min(later, default=None)
        if self._hurried or (due is not None and due <= 0):
            return 0
        if journal.has_work:
            return self._until(LINGER, AWAKE) if journal.confirms else self._until(LAZY, DOZING)
        if self._due is not None:
            self._busy_at, self._due = self.now(), None
        if self.now() - self._busy_at < RECENT:
            self._state = AWAKE  # the next publisher need not wake it, which takes him 50 us
            return LINGER
        self._state = ASLEEP
        return due

    def _until(self, seconds: float, state: int) -> float:
        """Seconds that are left of so many since this batch was seen first."""
        self._state = state
        now, batch = self.now(), self.committer.progress.taken
        if self._due is None or self._batch != batch:
            self._batch = batch
            self._due = now + seconds
        self._due = min(self._due, now + seconds)
        return self._due - now
