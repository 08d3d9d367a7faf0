"""Receiving from one queue of Service Bus, and settling. Knows messages of the library only.

The library's `receive_messages` leaves credit on the link that it did not use: messages then come
to somebody who does not look, and it waits 0.2 s for a second one. Here all credit is taken back
(AMQP 1.0 2.6.10, drain) before `collect` returns, so that nothing is locked for nobody, and it is
known at once that a queue is empty. Settling sends all outcomes and then awaits them all.
"""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ...remote.driver import DriverError
from . import links
from .links import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Held", "Receiver", "readable"]

AT_ONCE = 250
"""How many messages are settled before the answers are read."""
LOCK_LOST = b"com.microsoft:message-lock-lost"


class Held(NamedTuple):
    """A message that was received, and the link it came by."""

    message: Any
    link: Any


class Receiver(Link):
    """Receives from one queue: `offer`, `withdraw` and `collect` in this order."""

    def _opened(self) -> Any:
        fresh = self._end
        end = super()._opened()
        if end is not fresh:
            # What comes is kept for `collect`, whoever reads it.
            end._receive_context.set()
            _follow_drain(end._handler._link)
        return end

    def _handler(self) -> Any:
        """What is open; another thread may have found that it is not."""
        handler = self._end and self._end._handler
        if handler is None or handler._connection is None or handler._link is None:
            raise DriverError("Service Bus: the connection was lost")
        return handler

    def offer(self, most: int) -> None:
        """Ask for up to so many messages."""
        with self._lock:
            link = self._opened()._handler._link
            self.azure.ask(link.flow, link_credit=most)

    @property
    def sock(self) -> Any:
        """What can be waited for between `offer` and `withdraw`; None when it is broken."""
        handler = self._end and self._end._handler
        connection = handler and handler._connection
        return connection and connection._transport.sock

    def look(self) -> bool:
        """Read what has come, without waiting; whether there is a message."""
        with self._lock:
            handler = self._handler()
            while readable([self], 0):
                self.azure.ask(self._listen)
                if not handler._received_messages.empty():
                    return True
            return not handler._received_messages.empty()

    def withdraw(self) -> None:
        """Begin to take back what was offered and not used."""
        with self._lock:
            link = self._handler()._link
            if link.current_link_credit > 0:
                self.azure.ask(link.flow, link_credit=link.current_link_credit, drain=True)

    def collect(self) -> list[Held]:
        """All that has come, once nothing more will."""
        with self._lock:
            handler, end = self._handler(), self._end
            link, queue = handler._link, handler._received_messages
            self._until(lambda: link.current_link_credit <= 0)
            held = []
            while not queue.empty():
                received = queue.get_nowait()
                held.append(Held(end._build_received_message(received), link))
            self.used = time.monotonic()
            return held

    def _until(self, is_done: Callable[[], bool]) -> None:
        end = time.monotonic() + links.PATIENCE
        while not is_done():
            if time.monotonic() > end:
                self._drop()
                raise DriverError(f"Service Bus: no answer within {links.PATIENCE:g} s")
            self.azure.ask(self._listen)

    def _listen(self) -> None:
        handler = self._handler()
        handler._connection.listen(wait=False)
        handler._link.get_state()

    def take(self, most: int) -> list[Held]:
        """What is there now, up to so many."""
        self.offer(most)
        self.withdraw()
        return self.collect()

    def complete(self, held: Sequence[Held]) -> list[bool]:
        """Remove messages; for each whether its lock was still there."""
        return self._settled(held, self.azure.outcomes.Accepted(), "complete_message")

    def abandon(self, held: Sequence[Held]) -> list[bool]:
        """Give messages back; for each whether its lock was still there."""
        outcome = self.azure.outcomes.Modified(delivery_failed=True, undeliverable_here=False)
        return self._settled(held, outcome, "abandon_message")

    def _settled(self, held: Sequence[Held], outcome: Any, otherwise: str) -> list[bool]:
        done: list[bool] = []
        for start in range(0, len(held), AT_ONCE):
            with self._lock:
                done += self._settle(held[start : start + AT_ONCE], outcome, otherwise)
        return done

    def _settle(self, held: Sequence[Held], outcome: Any, otherwise: str) -> list[bool]:
        end = self._opened()
        link = end._handler._link
        pending = link._pending_dispositions
        going: dict[int, int] = {}
        done = [True] * len(held)
        for place, each in enumerate(held):
            number, tag = each.message._delivery_id, each.message._delivery_tag
            if each.link is link and tag in link._received_delivery_tags:
                pending[number] = {"settled": False, "outcome": None}
                # The outcomes are told one by one: of a range it would not be said which failed.
                self.azure.ask(link._outgoing_disposition,
                               number, None, tag, False, outcome, None)  # fmt: skip
                going[place] = number
            else:  # it came by a link that is no more
                done[place] = self._settle_by_token(getattr(end, otherwise), each.message)
        self._until(lambda: all(pending[number]["settled"] for number in going.values()))
        for place, number in going.items():
            done[place] = _was_applied(pending.pop(number)["outcome"])
        return done

    def _settle_by_token(self, settle: Callable[[Any], None], message: Any) -> bool:
        errors = self.azure.errors
        try:
            self.azure.ask(settle, message)
        except DriverError as error:
            if isinstance(error.__cause__, errors.MessageLockLostError):
                return False
            raise
        except errors.MessageAlreadySettled:
            return False
        return True

    def renew(self, held: Sequence[Held]) -> list[bool]:
        """Let the locks begin anew; for each whether it was still there."""
        done: list[bool] = []
        for start in range(0, len(held), AT_ONCE):
            some = held[start : start + AT_ONCE]
            with self._lock:
                end = self._opened()
                if self._renew(end, some):
                    done += [True] * len(some)
                else:  # one of them, which is not said
                    done += [self._renew(end, [each]) for each in some]
        return done

    def _renew(self, end: Any, held: Sequence[Held]) -> bool:
        tokens = [each.message.lock_token for each in held]
        try:
            self.azure.ask(end._renew_locks, *tokens, timeout=links.PATIENCE)
        except DriverError as error:
            if isinstance(error.__cause__, self.azure.errors.MessageLockLostError):
                return False
            raise
        return True

    def peek(self, first: int, most: int) -> list[Any]:
        """Messages from a sequence number on, in order, without receiving them."""
        with self._lock:
            end = self._opened()
            found: list[Any] = self.azure.ask(
                end.peek_messages, most, sequence_number=first, timeout=links.PATIENCE
            )
            return found


def _was_applied(outcome: Any) -> bool:
    """Whether an outcome is not the word that the lock was lost."""
    error = (outcome or {}).get("rejected")
    if not error or not error[0]:
        return True
    condition = error[0][0]
    if condition == LOCK_LOST:
        return False
    raise DriverError(f"Service Bus: {condition!r}: {error[0][1:]!r}")


def _follow_drain(link: Any) -> None:
    """Let a link know what the service says of its credit, which the library passes over.

    Without it the next credit would be short by what was drained (AMQP 1.0 2.6.7).
    """

    def incoming_flow(frame: Any) -> None:
        if frame[8]:  # drain
            link.delivery_count = frame[5]
            link.current_link_credit = frame[6] or 0

    link._incoming_flow = incoming_flow


def readable(receivers: Sequence[Receiver], wait: float) -> list[Receiver]:
    """Those of which something can be read, waiting up to so many seconds for the first."""
    ready = []
    with selectors.DefaultSelector() as selector:
        for receiver in receivers:
            sock = receiver.sock
            if sock is None or sock.fileno() < 0 or _has_read(sock):
                ready.append(receiver)
            else:
                selector.register(sock, selectors.EVENT_READ, receiver)
        if ready:
            return ready
        return [key.data for key, _ in selector.select(wait)]


def _has_read(sock: Any) -> bool:
    """Whether TLS has decoded more than was asked for."""
    pending = getattr(sock, "pending", None)
    return bool(pending and pending())
