"""Facts in Service Bus: a queue that is used as a log, for it keeps nothing but queues.

Adding and removing is sending a message, reading is peeking, which needs the right to listen and
changes nothing. A record is a JSON object, `{"add": KEY, "value": VALUE}` or
`{"remove": [KEY, ...]}`; its place is its sequence number, or the number `at` for a copy of the
record of that number. The facts are what the records make in the order of their places, and the
first `add` of a key stands until it is removed. So copies change nothing, and the log is made
shorter by receiving records from its head, sending those that count again as copies, and only then
completing what was received.

The queue must not be partitioned (its numbers would be in no order), let messages expire, or
require sessions.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ...remote.driver import DriverError
from .links import QueueGone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .namespace import Namespace

__all__ = ["FactLog", "Record", "fold", "needed_records"]

AT_ONCE = 250
"""Messages in one peek; the service may return fewer, so only none is the end."""
SPARE = 100
"""How many records that do not count are let be."""
AT_MOST = 500
"""Records that one pass makes shorter: all are locked meanwhile."""
PATIENCE = 10.0
"""Seconds in which what was sent must be seen."""


class Record(NamedTuple):
    """One change."""

    place: int
    key: str | None
    """What is added; None when it is a removal."""
    value: str = ""
    removed: tuple[str, ...] = ()

    def text(self) -> str:
        """Its JSON, as a copy unless its place is 0."""
        said: dict[str, Any] = {"at": self.place} if self.place else {}
        if self.key is None:
            return json.dumps({**said, "remove": self.removed})
        return json.dumps({**said, "add": self.key, "value": self.value})


class FactLog:
    """The facts of one prefix. Belongs to the thread that the driver's facts are asked from."""

    def __init__(self, namespace: Namespace, queue: str) -> None:
        """`queue` is the one where they are."""
        self._namespace = namespace
        self._queue = queue
        self._records: dict[int, Record] = {}
        """By place, as far as was read; also those that somebody has removed as unneeded."""
        self._last = 0
        """The sequence number up to which was read."""
        self._spare = 0
        """About how many messages lie there that do not count."""
        self._facts: dict[str, str] = {}

    def version(self) -> object:
        """The number of the last change, after reading it."""
        self._read()
        return self._last

    def load(self) -> dict[str, str]:
        """All facts."""
        self._read()
        if self._spare > max(SPARE, len(self._records)):
            self.compact()
        return dict(self._facts)

    def _read(self) -> None:
        before = self._last
        for number, record in self._peeked(before + 1):
            self._last = number
            # A copy of what was seen before and is not kept is of what does not count any more.
            late = record is not None and number != record.place <= before
            if record is None or late or record.place in self._records:
                self._spare += 1
            else:
                self._records[record.place] = record
        if self._last != before:
            keep = needed_records(self._records.values())
            self._spare += len(self._records) - len(keep)
            self._records = {record.place: record for record in keep}
            self._facts = fold(keep)

    def _peeked(self, first: int) -> Iterator[tuple[int, Record | None]]:
        """Sequence numbers from one on, and what is there."""
        while found := self._ask(self._namespace.receiver(self._queue).peek, first, AT_ONCE):
            for message in found:
                number = int(message.sequence_number or 0)
                first = max(first, number + 1)
                yield number, _record(number, message)

    def add(self, key: str, value: str) -> str:
        """Add a fact unless there is one of that key; the value that is there then."""
        self._read()
        if key not in self._facts:
            self._send([Record(0, key, value)])
            end = time.monotonic() + PATIENCE
            self._read()
            while key not in self._facts:
                if time.monotonic() > end:
                    raise DriverError("Service Bus: the queue of facts does not show what was sent")
                time.sleep(0.05)
                self._read()
        return self._facts[key]

    def remove(self, keys: Sequence[str]) -> None:
        """Remove facts; those that are not there are passed over."""
        self._read()
        there = tuple(key for key in keys if key in self._facts)
        if there:
            self._send([Record(0, None, removed=there)])
            for key in there:
                del self._facts[key]

    def _send(self, records: Sequence[Record]) -> None:
        kind = self._namespace.azure.bus.ServiceBusMessage
        messages = [kind(record.text(), content_type="application/json") for record in records]
        refused = self._ask(self._namespace.sender(self._queue).send, messages)
        if refused:
            raise DriverError(f"Service Bus: a fact was refused: {next(iter(refused.values()))}")

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except QueueGone as error:
            raise DriverError(
                f"Service Bus: the queue {self._namespace.name(self._queue)!r}, which says what is"
                f" declared, is not there: create it, or use the option create=False ({error})"
            ) from error

    def compact(self) -> None:
        """Remove records from the head of the log that make no difference, and copy the others."""
        receiver = self._namespace.receiver(self._queue)
        held = receiver.take(AT_MOST)
        taken = {number: _record(number, each.message) for each in held
                 if (number := each.message.sequence_number) is not None}  # fmt: skip
        there = sorted({**taken, **dict(self._peeked(1))}.items())
        records = [record for _, record in there if record is not None]
        needed = {record.place: record for record in needed_records(records)}
        rest = [record for number, record in there if number not in taken]
        others = {record.place for record in rest if record is not None} & needed.keys()
        copies = [record for place, record in needed.items() if place not in others]
        if copies:
            self._send(copies)
        receiver.complete(held)
        self._read()
        self._spare = len(rest) - len(others)


def fold(records: Iterable[Record]) -> dict[str, str]:
    """The facts that records make."""
    facts: dict[str, str] = {}
    for record in sorted(records):
        if record.key is not None:
            facts.setdefault(record.key, record.value)
        for key in record.removed:
            facts.pop(key, None)
    return facts


def needed_records(records: Iterable[Record]) -> list[Record]:
    """Those that make the same facts as all, whatever older copies of the others come yet.

    A removal is needed as long as an addition before it is among the records.
    """
    standing: dict[str, Record] = {}
    over: dict[str, Record] = {}
    for record in sorted(records):
        if record.key is not None:
            standing.setdefault(record.key, record)
        for key in record.removed:
            if standing.pop(key, None) is not None:
                over[key] = record
    return sorted({*standing.values(), *over.values()})


def _record(number: int, message: Any) -> Record | None:
    """The record of a message, None when it is another's."""
    try:
        said = json.loads(b"".join(message.body))
        place = int(said.get("at", number))
        if "remove" in said:
            return Record(place, None, removed=tuple(map(str, said["remove"])))
        return Record(place, str(said["add"]), str(said["value"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
