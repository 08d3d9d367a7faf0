"""What keeps a log small: checkpoints, deleting segments nobody needs, rewriting sparse ones.

Done by the one who commits, between commits, a slice at a time. Knows nothing of when.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import LogDamaged
from ..journal import capture, needed
from ..journal import checkpoint as checkpoints
from ..journal.facts import next_place
from ..store import Rewriting, worth_rewriting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from ..host import Host
    from ..journal import Storage
    from ..journal.facts import Fact
    from ..store import Segment
    from ..users import Users
    from .committer import Committer

__all__ = ["Upkeep"]

RATE = 32 << 20
"""Bytes per second that rewriting copies at the most, while the log is not too large."""
AT_ONCE = 4 << 20
"""Bytes that are copied between two commits when it is: as much as a commit can write."""
PAUSE = 0.05
"""Seconds between two looks at the segments, at the least."""
RETRY = 1.0
"""Seconds after which upkeep that failed is tried again."""

logger = logging.getLogger("minibroker.log")


class Upkeep:
    """Checkpoints and space of one log. All but what says otherwise is for the one who commits."""

    def __init__(
        self,
        committer: Committer,
        host: Host,
        users: Users,
        storage: Storage,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.committer = committer
        self.log = committer.log
        self.files = committer.log.files
        self.host = host
        self.users = users
        self.now = now
        self.checkpoint = storage.checkpoint
        """The position of the last checkpoint."""
        self._checkpoint_size = storage.checkpoint_size
        self._checkpoint_due = 0
        self._set_due()
        self._rewriting: Rewriting | None = None
        self._steps: Generator[int, None, None] = _nothing()
        self._next_step = 0.0
        self._next_relief = 0.0
        self._seen = -1
        """How many commits there had been when it was looked at the last time."""
        self._deletable: list[str] = []

    # -- checkpoints

    def _set_due(self) -> None:
        # In proportion to its size, so that what checkpoints cost stays a part of what is written.
        self._checkpoint_due = self.checkpoint + max(
            self.log.segment_size, 2 * self._checkpoint_size
        )

    def commit(self) -> None:
        """Write the next batch, and a checkpoint behind it if one is due; then look after space."""
        if not self.committer.failed and (
            self.log.end >= self._checkpoint_due or self._needs_room()
        ):
            self.make_checkpoint()
        else:
            self.committer.write()
        if not self.committer.failed:
            self.tidy()

    def make_checkpoint(self) -> None:
        """Write a batch, and a checkpoint of what the log amounts to with it.

        A disk that does not take it is not an error: the old one and the log after it say the
        same, and it is tried again.
        """
        taken = self.write_and_capture()
        if taken is None:
            return
        position, facts = taken
        try:
            self.log.roll()  # so that all of what is behind the checkpoint can be given up
            size = checkpoints.write(self.files, position, self.log.identity, facts)
        except OSError as error:
            logger.warning("no checkpoint could be written: %s", error)
            self._checkpoint_due = self.log.end + self.log.segment_size // 4
            return
        self.checkpoint, self._checkpoint_size = position, size
        self._set_due()
        kept = checkpoints.checkpoint_name(position)
        self._delete(name for name in checkpoints.find(self.files) if name != kept)

    def write_and_capture(self) -> tuple[int, list[Fact]] | None:
        """Commit, and give what the log amounts to, up to which position; None: it failed."""
        facts: list[Fact] = []
        if not self.committer.healed():
            return None

        def captured() -> None:
            facts.append(next_place(self.committer.journal.next_place))
            facts.extend(capture(self.host, self.users))

        self.committer.write(sync=True, captured=captured)
        return None if self.committer.failed else (self.log.end, facts)

    # -- space

    def _needs_room(self) -> bool:
        """Whether the disk is full: a checkpoint now may let segments be deleted."""
        if not self.committer.low or self.now() < self._next_relief:
            return False
        self._next_relief = self.now() + RETRY
        return self.log.end > self.checkpoint

    @property
    def due(self) -> float | None:
        """Seconds until there is something to do; None: nothing is known of. Under the lock."""
        if self.committer.failed:
            return None
        if self.log.end >= self._checkpoint_due:
            return 0
        if self._rewriting is None and self._seen == self.committer.progress.syncs:
            return None
        return max(0.0, self._next_step - self.now())

    @property
    def _is_too_large(self) -> bool:
        taken = self.log.size + self._checkpoint_size + self.committer.reserve.size
        return taken > 2 * self.log.weight + 2 * self.log.segment_size

    def tidy(self) -> None:
        """Delete what nobody needs, and rewrite a slice of what hardly anybody needs."""
        if self.now() < self._next_step:
            return
        self._seen = self.committer.progress.syncs
        self._delete_dead()
        copied = 0
        while not copied or (self._is_too_large and copied < AT_ONCE):
            size = self._step()
            if not size:
                break
            copied += size
        # While it is too large, and something can be done about it, space goes before pace.
        hurries = copied and self._is_too_large
        self._next_step = self.now() + (0 if hurries else max(copied / RATE, PAUSE))

    def finish(self) -> None:
        """What is left to do of it when the broker closes; then give up what is half done."""
        self._delete_dead()
        while self._is_too_large and self._step():
            pass
        self.close()
        self._delete_dead()

    def _delete_dead(self) -> None:
        busy = [] if self._rewriting is None else self._rewriting.old
        with self.committer.lock:
            dead = self.log.take_dead(self.checkpoint, busy)
        self._delete(segment.name for segment in dead)

    def _delete(self, names: Iterator[str]) -> None:
        self._deletable += names
        kept: list[str] = []
        for name in self._deletable:
            try:
                self.files.delete(name)
            except OSError as error:
                logger.warning("%s cannot be deleted: %s", name, error)
                kept.append(name)
        self._deletable = kept

    def _step(self) -> int:
        """Rewrite a slice; how many bytes, 0 if there is nothing to do."""
        try:
            if self._rewriting is None and not self._begin():
                return 0
            return next(self._steps, 0) or self._finish()
        except (OSError, LogDamaged) as error:
            logger.warning("segments cannot be rewritten: %s", error)
            self._give_up()
            return 0

    def _begin(self) -> bool:
        with self.committer.lock:
            old = worth_rewriting(self.log, self.checkpoint)
        if not old:
            return False
        # What was settled and is not on the disk yet is needed, should the power fail.
        self.committer.write(sync=True)
        if self.committer.failed:
            return False
        with self.committer.lock:
            base, end = old[0].base, old[-1].end
            positions = needed(self.host, self.committer.journal, base, end)
        self._rewriting = Rewriting(self.log, old, positions)
        self._steps = iter(self._rewriting)
        return True

    def _finish(self) -> int:
        rewriting = self._rewriting
        assert rewriting is not None
        old, new = rewriting.old, rewriting.new
        with self.committer.lock:
            self.log.replace(old, new, rewriting.file_name)
        self._rewriting = None
        self._delete(_names(old[1:]))
        return max(new.size, 1)

    def _give_up(self) -> None:
        self._next_step = self.now() + RETRY
        self.close()

    def close(self) -> None:
        """Give up what is half done: nothing of it is in use."""
        rewriting, self._rewriting = self._rewriting, None
        self._steps.close()
        if rewriting is not None:
            with suppress(OSError):
                self.files.delete(rewriting.file_name)


def _nothing() -> Generator[int, None, None]:
    yield from ()


def _names(segments: list[Segment]) -> Iterator[str]:
    return (segment.name for segment in segments)
