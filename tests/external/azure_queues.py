"""The queues of the stand-in for Azure Service Bus: locks, counted deliveries, dead letters and
delays, and a file that keeps them when the program is killed. Knows no link and no connection.

Messages are those of python-qpid-proton, which need not be installed to import this.
"""

from __future__ import annotations

import heapq
import importlib
import sqlite3
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Entry", "LockLost", "Namespace", "Queue", "QueueNotFound", "now_ms"]

DEAD_LETTERS = "/$DeadLetterQueue"
SCHEDULED = "x-opt-scheduled-enqueue-time"

TABLE = """
create table if not exists messages (
    seq integer primary key autoincrement, queue text, deliveries int, enqueued int, due int,
    expires int, token text, until int, message blob)
"""

# What ends a lock. The management node has these words, and the service spells the third like this.
Outcome = Literal["completed", "abandoned", "defered", "suspended", "released"]


class QueueNotFound(Exception):
    """Nobody said that there is such a queue."""


class LockLost(Exception):
    """The lock has expired, or it never was."""


@dataclass(slots=True, eq=False)
class Entry:
    """A message in a queue. Times are in ms since the epoch, 0 is never."""

    seq: int
    message: Any
    enqueued: int
    due: int = 0
    """When a scheduled message comes into the queue."""
    expires: int = 0
    deliveries: int = 0
    token: uuid.UUID | None = None
    """The lock, while somebody has it."""
    until: int = 0


@dataclass(slots=True, eq=False)
class Queue:
    """A queue, or the dead letters of one."""

    name: str
    ready: list[tuple[int, Entry]] = field(default_factory=list)
    """A heap: what is given back takes its old place."""
    locked: dict[uuid.UUID, Entry] = field(default_factory=dict)
    scheduled: dict[int, Entry] = field(default_factory=dict)
    deferred: dict[int, Entry] = field(default_factory=dict)

    def put(self, entry: Entry) -> None:
        heapq.heappush(self.ready, (entry.seq, entry))

    def visible(self) -> list[Entry]:
        """What a peek shows, in order."""
        places = (self.locked, self.scheduled, self.deferred)
        entries = [entry for _, entry in self.ready]
        entries += [entry for place in places for entry in place.values()]
        return sorted(entries, key=lambda entry: entry.seq)

    def entry_of(self, token: uuid.UUID) -> Entry:
        """Whose lock this is. Raises LockLost."""
        try:
            return self.locked[token]
        except KeyError:
            raise LockLost(str(token)) from None


class Namespace:
    """All queues. `names` are those there are, and `create` makes others on their first use."""

    def __init__(
        self,
        path: str,
        *,
        names: Sequence[str] = (),
        create: bool = False,
        lock: float = 5,
        max_deliveries: int = 10,
    ) -> None:
        self.create = create
        self.lock = int(lock * 1000)
        self.max_deliveries = max_deliveries
        self.queues: dict[str, Queue] = {}
        for name in names:
            self._add(name)
        self._file = Store(path)
        self._next = self._load()

    def find(self, address: str) -> Queue:
        """The queue of an address, or its dead letters. Raises QueueNotFound."""
        # Senders attach to its path, receivers to amqps://host:port/path.
        name = address.partition("://")[2].partition("/")[2] if "://" in address else address
        name = name.strip("/")
        if name.lower() in self.queues:
            return self.queues[name.lower()]
        if not self.create:
            raise QueueNotFound(f"The messaging entity {name!r} could not be found.")
        return self._add(name)

    def enqueue(self, queue: Queue, message: Any) -> Entry:
        now = now_ms()
        lifetime = int(message.ttl * 1000)
        entry = Entry(self._next, message, now, expires=now + lifetime if lifetime else 0)
        self._next += 1
        # Symbols are equal to the strings of the same letters.
        due = int((message.annotations or {}).get(SCHEDULED) or 0)
        if due > now:
            entry.due = due
            queue.scheduled[entry.seq] = entry
        else:
            queue.put(entry)
        self._file.save(queue, entry)
        return entry

    def cancel(self, queue: Queue, seq: int) -> None:
        """Take a scheduled message back."""
        entry = queue.scheduled.pop(seq, None)
        if entry is not None:
            self._file.forget(entry)

    def take(self, queue: Queue, *, lock: bool) -> Entry | None:
        """The next message, locked; without a lock it is gone at once."""
        while queue.ready:
            _, entry = heapq.heappop(queue.ready)
            if 0 < entry.expires <= now_ms():
                self.dead_letter(queue, entry, "TTLExpiredException")
                continue
            if not lock:
                self._file.forget(entry)
                return entry
            # Letters only: python-qpid-proton reads the token of a delivery as text.
            entry.token = uuid.UUID(bytes_le=uuid.uuid4().hex[:16].encode())
            entry.until = now_ms() + self.lock
            queue.locked[entry.token] = entry
            self._file.save(queue, entry)
            return entry
        return None

    def renew(self, queue: Queue, token: uuid.UUID) -> int:
        """Until when the lock holds now. Raises LockLost."""
        entry = queue.entry_of(token)
        entry.until = now_ms() + self.lock
        self._file.save(queue, entry)
        return entry.until

    def settle(
        self,
        queue: Queue,
        entry: Entry,
        outcome: Outcome,
        reason: str | None = None,
        description: str | None = None,
    ) -> None:
        """End the lock of an entry."""
        if entry.token is not None:
            del queue.locked[entry.token]
            entry.token, entry.until = None, 0
        if outcome == "completed":
            self._file.forget(entry)
            return
        if outcome == "suspended":
            self.dead_letter(queue, entry, reason, description)
            return
        entry.deliveries += outcome != "released"
        if outcome == "defered":
            queue.deferred[entry.seq] = entry
        elif entry.deliveries >= self.max_deliveries:
            times = f"Message could not be consumed after {entry.deliveries} delivery attempts."
            self.dead_letter(queue, entry, "MaxDeliveryCountExceeded", times)
            return
        else:
            queue.put(entry)
        self._file.save(queue, entry)

    def dead_letter(
        self, queue: Queue, entry: Entry, reason: str | None, description: str | None = None
    ) -> None:
        """Move an entry to the dead letters; one that is there already is gone."""
        if queue.name.lower().endswith(DEAD_LETTERS.lower()):
            self._file.forget(entry)
            return
        properties = dict(entry.message.properties or {})
        properties["DeadLetterReason"] = reason
        if description:
            properties["DeadLetterErrorDescription"] = description
        entry.message.properties = properties
        entry.message.ttl = 0
        entry.expires = 0
        dead = self.queues[(queue.name + DEAD_LETTERS).lower()]
        dead.put(entry)
        self._file.save(dead, entry)

    def tick(self) -> None:
        """End the locks, the delays and the lives that are over."""
        now = now_ms()
        for queue in list(self.queues.values()):
            for entry in [entry for entry in queue.locked.values() if entry.until <= now]:
                self.settle(queue, entry, "abandoned")
            for entry in [entry for entry in queue.scheduled.values() if entry.due <= now]:
                del queue.scheduled[entry.seq]
                entry.enqueued, entry.due = now, 0
                queue.put(entry)
                self._file.save(queue, entry)
            self._expire(queue, now)

    def _expire(self, queue: Queue, now: int) -> None:
        over = [entry for _, entry in queue.ready if 0 < entry.expires <= now]
        if over:
            gone = {entry.seq for entry in over}
            queue.ready = [place for place in queue.ready if place[0] not in gone]
            heapq.heapify(queue.ready)
        for entry in sorted(over, key=lambda entry: entry.seq):
            self.dead_letter(queue, entry, "TTLExpiredException")

    def _add(self, name: str) -> Queue:
        if not name.lower().endswith(DEAD_LETTERS.lower()):
            dead = name + DEAD_LETTERS
            self.queues[dead.lower()] = Queue(dead)
        return self.queues.setdefault(name.lower(), Queue(name))

    def _load(self) -> int:
        """Read the file; the next sequence number."""
        for name, entry in self._file.load():
            queue = self.queues.get(name.lower()) or self._add(name)
            if entry.token is not None:
                queue.locked[entry.token] = entry
            elif entry.due:
                queue.scheduled[entry.seq] = entry
            else:
                queue.put(entry)
        return self._file.last() + 1


class Store:
    """Where the entries are kept: each change is a write that a killed process leaves behind."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = off")
        self._database.execute(TABLE)

    def save(self, queue: Queue, entry: Entry) -> None:
        token = entry.token.hex if entry.token is not None else None
        times = (entry.deliveries, entry.enqueued, entry.due, entry.expires)
        self._database.execute(
            "insert or replace into messages values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.seq, queue.name, *times, token, entry.until, entry.message.encode()),
        )

    def forget(self, entry: Entry) -> None:
        self._database.execute("delete from messages where seq = ?", (entry.seq,))

    def load(self) -> list[tuple[str, Entry]]:
        """All entries, with the names of their queues."""
        proton = importlib.import_module("proton")
        found = []
        for row in self._database.execute("select * from messages order by seq"):
            seq, name, deliveries, enqueued, due, expires, token, until, data = row
            message = proton.Message()
            message.decode(data)
            lock = uuid.UUID(token) if token else None
            found.append(
                (name, Entry(seq, message, enqueued, due, expires, deliveries, lock, until))
            )
        return found

    def last(self) -> int:
        """The largest sequence number ever."""
        row = self._database.execute("select max(seq) from sqlite_sequence").fetchone()
        return row[0] or 0


def now_ms() -> int:
    return int(time.time() * 1000)
