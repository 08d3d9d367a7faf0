"""One link at work: reads, publishes, and deletes what is confirmed, in order, until it is stopped.

What is read stays unacked at the source until the target's confirm, in `Held`. What leaves there
first does so in the order of the source, so that one ack with `multiple` deletes all of it.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..exceptions import (
    ContentTooLarge,
    FrameInvalid,
    PreconditionFailed,
    SyntaxInvalid,
)
from .ends import EndFailed, SourceEnd, TargetBlocked, TargetEnd, UnfitMessage
from .health import Health
from .held import Held
from .rate import TokenBucket
from .transforms import CONFIRMED, DEAD_LETTERED, DROPPED, Transforms

if TYPE_CHECKING:
    from collections.abc import Callable

    from .link import BridgeLink, Policy
    from .transforms import Outgoing

__all__ = ["Forwarder"]

logger = logging.getLogger("minibroker_client.bridge")
TURN = 0.1
"""Seconds after which it looks at last whether it is to stop."""
PATIENCE = 5.0
"""Seconds that the target has, at the end, to confirm what was published."""
NEVER = float("-inf")
UNFIT = ContentTooLarge, PreconditionFailed, FrameInvalid, SyntaxInvalid
"""What a target ends a channel or a connection with because of one message."""


class Refused(Exception):
    """The target did not take a message; the connection is fine."""


class Forwarder:
    """Forwards for one link, in the thread that calls `run`. `health` and `stop` are for any."""

    def __init__(self, link: BridgeLink, clock: Callable[[], float] = time.monotonic) -> None:
        self.link = link
        self._health = Health(link.name)
        self._clock = clock
        self._stopping = threading.Event()
        self._source = SourceEnd(link)
        self._held = Held()
        self._target = TargetEnd(link, self._held.came_back)
        self._transforms = Transforms(link)
        self._bucket = TokenBucket(link.rate, link.tokens(), clock())
        self._waits = link.retry_policy().intervals()
        self._looked = NEVER
        self._acked = 0
        """The last delivery tag that leaves with the next ack."""
        self._leaving = 0
        """How many forwarded messages do."""

    def health(self) -> Health:
        """A copy of what it says of itself."""
        return self._health.copy()

    def stop(self) -> None:
        """Have `run` return, once what is published is confirmed and deleted, or soon after."""
        self._stopping.set()

    def run(self) -> None:
        """Forward until stopped."""
        try:
            while not self._stopping.is_set():
                try:
                    self._turns()
                except (EndFailed, TargetBlocked, UnfitMessage, Refused) as error:
                    self._failed(error)
            self._finish()
        except BaseException as error:
            self._health.went_wrong(f"{type(error).__name__}: {error}")
            self._health.now_in("failed")
            raise
        finally:
            self._source.close()
            self._target.close()

    def _turns(self) -> None:
        for end in (self._source, self._target):
            if not end.is_open:
                end.open()
        if not len(self._held):
            self._goes_well()
        while not self._stopping.is_set():
            self._measure()
            self._target.look()
            settled = self._settle()  # before anything that is in the way of publishing
            if not self._publish() and not settled:
                self._rest()

    def _goes_well(self) -> None:
        if self._health.now_in("running"):
            logger.info("bridge %s: forwarding to %s", self.link.name, self._target.where)

    # -- forwarding

    def _publish(self) -> bool:
        """Publish what may be; whether there was anything."""
        target, held = self._target, self._held
        sent, unsent = held.sent, held.unsent
        room = self.link.confirm_window - target.unconfirmed
        self._fill(room)
        moved = False
        while unsent and room > 0:
            outgoing = unsent[0]
            if outgoing.over is None:
                if (held.careful and target.unconfirmed) or self._bucket.wait(self._clock()):
                    break
                if outgoing.unfit is not None:
                    raise UnfitMessage(outgoing.unfit)
                before, outgoing.published = outgoing.published, True
                target.publish(outgoing)
                self._bucket.take()
                self._health.repeated += before
                room -= 1
            sent.append(unsent.popleft())
            moved = True
        return moved

    def _fill(self, room: int) -> None:
        """Have as many messages in `_unsent` as there is room for, if they are there."""
        unsent, inbox = self._held.unsent, self._source.inbox
        if len(unsent) >= room:
            return
        self._source.take(room - len(unsent))
        outgoing = self._transforms.outgoing
        while inbox:
            unsent.append(outgoing(inbox.popleft()))

    def _settle(self) -> bool:
        """Delete at the source what the target has confirmed; whether there was anything.

        Raises Refused for the first message that it has not taken.
        """
        sent = self._held.sent
        if not sent:
            return False
        answer = self._target.answer
        found = False
        while sent:
            outgoing = sent[0]
            if outgoing.over is None:
                ok = answer(outgoing.number)
                if ok is None:
                    break
                self._judge(outgoing, ok)
            found = True
            if outgoing.over == DEAD_LETTERED:
                self._ack()  # of those before it: it is none of those that an ack may settle
                self._source.dead_letter(outgoing.tag)
            else:
                self._acked = outgoing.tag
            if outgoing.over == CONFIRMED:
                self._leaving += 1
            else:
                self._count(outgoing.over or "")
            sent.popleft()
        self._ack()
        return found

    def _judge(self, outgoing: Outgoing, ok: bool) -> None:
        """What an answer means. Raises Refused when the message has to be published again."""
        if ok and outgoing.returned is None:
            outgoing.over = CONFIRMED
            return
        policy: Policy = "retry" if not ok else self.link.unroutable
        text = f"to {self._target.where}: {outgoing.returned or 'it refused a message (nack)'}"
        if policy == "retry":
            outgoing.number, outgoing.returned = 0, None  # its answer is taken: not asked again
            self._ack()
            self._target.wait(0, PATIENCE)
            self._held.take_back(self._target.answer, careful=True)
            raise Refused(text)
        self._give_up(outgoing, policy, text)

    def _count(self, name: str) -> None:
        """It is over with a message, and it was not forwarded."""
        setattr(self._health, name, getattr(self._health, name) + 1)

    def _ack(self) -> None:
        if not self._acked:
            return
        tag, self._acked = self._acked, 0
        leaving, self._leaving = self._leaving, 0
        self._source.ack(tag)
        if leaving:
            self._health.forwarded += leaving
            self._waits = self.link.retry_policy().intervals()
        self._goes_well()
        self._held.settled(tag)

    def _rest(self) -> None:
        """Wait until something can be done."""
        missing = self._target.unconfirmed
        if missing:
            full = missing >= self.link.confirm_window
            self._target.wait(missing // 2 if full else missing - 1, TURN)
        elif self._held.unsent:
            self._stopping.wait(min(TURN, self._bucket.wait(self._clock())))
        else:
            self._source.wait(TURN)

    def _measure(self) -> None:
        """Look now and then how many messages wait."""
        now = self._clock()
        if now - self._looked < self.link.lag_interval:
            return
        self._looked = now
        self._health.lag = self._source.waiting()

    # -- what is not taken

    def _give_up(self, outgoing: Outgoing, policy: Policy, text: str) -> None:
        outgoing.over = DROPPED if policy == "drop" else DEAD_LETTERED
        self._health.went_wrong(text)
        logger.warning("bridge %s: a message is %s: %s", self.link.name, outgoing.over, text)

    def _failed(self, error: Exception) -> None:
        """Put everything back to where it can go on from, and wait."""
        if isinstance(error, EndFailed):
            self._let_go(error)
        elif isinstance(error, UnfitMessage):
            self._refuse_unfit(self._held.unsent[0], str(error))
        self._health.went_wrong(str(error))
        if self._health.now_in("retrying"):
            logger.warning("bridge %s: %s; it is tried again", self.link.name, error)
        self._pause(next(self._waits))

    def _let_go(self, failed: EndFailed) -> None:
        """Close an end. What it had not answered is the other's to give again."""
        if failed.end is not self._target:
            failed.end.close()
            self._held.clear()
            self._acked = self._leaving = 0
            return
        unfit = isinstance(failed.__cause__, UNFIT)
        unanswered = self._held.take_back(self._target.answer, unfit)
        failed.end.close()
        if unfit and len(unanswered) == 1:
            self._refuse_unfit(unanswered[0], str(failed))
        try:
            self._held.skip()
            self._settle()  # what is over must not wait until the target is back
        except EndFailed as error:
            self._let_go(error)

    def _refuse_unfit(self, outgoing: Outgoing, text: str) -> None:
        outgoing.number = 0
        if self.link.unfit != "retry":
            self._give_up(outgoing, self.link.unfit, text)

    def _pause(self, seconds: float) -> None:
        """Wait, and go on telling how much is waiting."""
        while seconds > 0 and not self._stopping.is_set():
            if self._source.is_open:
                try:
                    self._measure()
                except EndFailed as error:
                    self._let_go(error)
            step = min(seconds, self.link.lag_interval)
            self._stopping.wait(step)
            seconds -= step

    def _finish(self) -> None:
        """Delete what the target still confirms. Nothing more is published."""
        with suppress(EndFailed, Refused):
            if self._source.is_open and self._target.is_open:
                self._target.wait(0, PATIENCE)
                self._settle()
                self._looked = NEVER
                self._measure()
        self._health.now_in("stopped")
        logger.info("bridge %s: stopped, %d forwarded", self.link.name, self._health.forwarded)
