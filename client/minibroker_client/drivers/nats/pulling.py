"""Taking messages: no pull is broken off, and what a pull brings late is not left lying.

NATS has no word for the end of a pull; who only stops listening loses what is on its way, for as
long as a lease lasts. So a pull ends by its own size or the server's word. Where several queues are
waited for, the pulls of the others stay open for a moment: what they bring then goes to the next
who wants it, or back. Runs in an event loop.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .wire import PATIENCE, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .wire import Wire

__all__ = ["CONSUMER", "NAK", "Pulling", "Taken", "Wanted"]

CONSUMER = "minibroker"
"""The durable consumer of each queue, which all clients share."""
NAK = b"-NAK"
MOMENT = 0.05
"""Seconds that are waited for more, where a server does not say that there is no more."""
HOLD = 1.0
"""Seconds that a message which came late is kept for the next who wants it, at most."""
NOTHING = frozenset({"404", "408"})
"""The statuses of a pull that ended without what was asked for: nothing there, time over."""


class Wanted(NamedTuple):
    """So many messages of a queue."""

    queue: str
    stream: str
    subject: str
    most: int


class Taken(NamedTuple):
    """A message that came: it is leased."""

    queue: str
    message: Any
    until: float
    """When the lease ends, by the loop's clock."""


@dataclass(slots=True, eq=False)
class Pull:
    """One that is open, or has ended."""

    queue: str
    left: int
    end: float
    """When it has ended at the latest, by the loop's clock."""
    came: bool = False
    """Whether it brought anything."""
    status: str = ""
    """How the server ended it."""
    ended: bool = False

    @property
    def is_odd(self) -> bool:
        """Whether it ended for another reason than that nothing is there."""
        return self.status != "" and self.status not in NOTHING


class Inbox:
    """Where pulls are answered: one of each subject at a time."""

    def __init__(self, wire: Wire, lease_seconds: float, changed: Callable[[], None]) -> None:
        """`changed` is called after each answer."""
        self._wire = wire
        self._lease_seconds = lease_seconds
        self._changed = changed
        self._name: str = wire.client.new_inbox()
        self._pulls: dict[str, Pull] = {}
        """By subject, and by where the server says that it has ended."""
        self._number = 0
        self.receive: Callable[[Taken], None]
        """Who gets what comes."""

    async def open(self) -> None:
        """Listen, for good."""
        await self._wire.client.subscribe(
            f"{self._name}.*", cb=self._came, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def _came(self, message: Any) -> None:
        pull = self._pulls.get(message.subject)
        if pull is None:
            return
        if not message.reply:  # a status
            pull.status = status_of(message)
            pull.ended = True
        else:
            pull.came = True
            pull.left -= 1
            pull.ended = pull.ended or pull.left <= 0
            until = asyncio.get_running_loop().time() + self._lease_seconds
            self.receive(Taken(pull.queue, message, until))
        self._changed()

    def is_idle(self, now: float) -> bool:
        """Whether nothing comes any more."""
        return all(pull.ended or now > pull.end for pull in self._pulls.values())

    async def pull(
        self, wanted: Sequence[Wanted], wait: float, receive: Callable[[Taken], None]
    ) -> list[Pull]:
        """Ask for what is there, or else for the first that comes in so many seconds."""
        self.receive = receive
        self._pulls.clear()
        end = asyncio.get_running_loop().time() + wait + PATIENCE
        pulls = []
        for each in wanted:
            self._number += 1
            reply = f"{self._name}.{self._number}"
            pull = Pull(each.queue, each.most, end)
            self._pulls[each.subject] = self._pulls[reply] = pull
            request: dict[str, Any] = {"batch": each.most, "no_wait": True}
            if wait > 0:  # with both, it waits only where nothing is there
                request["expires"] = int(wait * 1e9)
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{each.stream}.{CONSUMER}"
            await self._wire.client.publish(subject, json.dumps(request).encode(), reply)
            pulls.append(pull)
        return pulls


class Pulling:
    """Takes messages from consumers. Not thread-safe: used in its loop alone."""

    def __init__(self, wire: Wire, lease_seconds: float) -> None:
        self._wire = wire
        self._lease_seconds = lease_seconds
        self._hold = min(HOLD, lease_seconds / 4)
        self._inboxes: list[Inbox] = []
        """Those that nobody uses now, some with open pulls."""
        self._open: dict[str, Pull] = {}
        """The last pull of each queue that waits beside others."""
        self._late: list[Taken] = []
        self._events: set[asyncio.Event] = set()
        """Of those who wait."""
        self._tasks: set[asyncio.Task[None]] = set()
        wire.watchers.add(self._changed)

    async def take(self, wanted: Sequence[Wanted], wait: float, taken: list[Taken]) -> set[str]:
        """Add to `taken` what is there, waiting up to `wait` seconds for the first.

        Returns the queues whose pull ended for another reason, such as that they are gone. When it
        is cancelled, what is in `taken` is the caller's matter.
        """
        if self._hand_out(wanted, taken):
            return set()
        alone = len(wanted) == 1
        pulls = await self._pull(wanted, wait if alone else 0.0, taken)
        odd = {pull.queue for pull in pulls if pull.is_odd}
        there = [each._replace(most=1) for each in wanted if each.queue not in odd]
        if there and wait > 0 and not taken and not alone:
            pulls = await self._pull(there, wait, taken)
            odd |= {pull.queue for pull in pulls if pull.is_odd}
        self._keep(wanted, taken)
        return odd

    async def _pull(self, wanted: Sequence[Wanted], wait: float, taken: list[Taken]) -> list[Pull]:
        self._wire.check()
        loop = asyncio.get_running_loop()
        beside = wait > 0 and len(wanted) > 1
        # Open ones are not opened again: with every message there would be one more.
        old = [pull for each in wanted if beside and (pull := self._waiting(each.queue))]
        covered = {pull.queue for pull in old}
        inbox = await self._free()
        event = asyncio.Event()
        self._events.add(event)
        pulls: list[Pull] = []
        try:
            new = [each for each in wanted if each.queue not in covered]
            pulls = await inbox.pull(new, wait, taken.append)
            if beside:
                self._open |= {pull.queue: pull for pull in pulls}
            pulls += old
            end = loop.time() + wait + PATIENCE
            self._hand_out(wanted, taken)
            while _is_awaited(pulls, taken, beside):
                event.clear()
                async with asyncio.timeout_at(loop.time() + MOMENT if taken else end):
                    await event.wait()
                self._wire.check()
                self._hand_out(wanted, taken)
        except TimeoutError:
            if not taken:
                raise self._wire.lose(f"a pull of {wait} s does not end") from None
        finally:
            self._events.discard(event)
            inbox.receive = self._came_late
            self._inboxes.append(inbox)
        return pulls

    def _waiting(self, queue: str) -> Pull | None:
        pull = self._open.get(queue)
        now = asyncio.get_running_loop().time()
        return None if pull is None or pull.ended or now > pull.end else pull

    async def _free(self) -> Inbox:
        now = asyncio.get_running_loop().time()
        for inbox in self._inboxes:
            if inbox.is_idle(now):
                self._inboxes.remove(inbox)
                return inbox
        made = Inbox(self._wire, self._lease_seconds, self._changed)
        await made.open()
        return made

    def _changed(self) -> None:
        for event in self._events:
            event.set()

    # -- what comes late

    def _came_late(self, taken: Taken) -> None:
        self._late.append(taken)
        asyncio.get_running_loop().call_later(self._hold, self._send_back, taken)

    def _hand_out(self, wanted: Sequence[Wanted], taken: list[Taken]) -> bool:
        """Whether anything that came late is wanted, which is in `taken` then."""
        if not self._late:
            return False
        count = len(taken)
        for each in wanted:
            mine = [late for late in self._late if late.queue == each.queue][: each.most]
            taken += mine
            self._late = [late for late in self._late if not any(late is one for one in mine)]
        return len(taken) > count

    def _keep(self, wanted: Sequence[Wanted], taken: list[Taken]) -> None:
        """Keep for the next call what came late and is more than was wanted now."""
        for each in wanted:
            for late in [one for one in taken if one.queue == each.queue][each.most :]:
                taken[:] = [one for one in taken if one is not late]
                self._came_late(late)

    def _send_back(self, taken: Taken) -> None:
        if any(late is taken for late in self._late) and self._wire.lost is None:
            self._late = [late for late in self._late if late is not taken]
            task = asyncio.ensure_future(self._wire.tell(taken.message.reply, NAK))
            self._tasks.add(task)  # a task that nobody knows may vanish
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give back what came late."""
        late, self._late = self._late, []
        for each in late:
            await self._wire.tell(each.message.reply, NAK)


def _is_awaited(pulls: Sequence[Pull], taken: list[Taken], beside: bool) -> bool:
    """Whether to wait on: for what else a pull brings, else for the first thing of any.

    With `beside` they wait for several queues, and one that ends without anything ends the wait.
    """
    left = [pull for pull in pulls if not pull.ended]
    if taken:
        return any(pull.came for pull in left)
    return len(left) == len(pulls) if beside else bool(left)
