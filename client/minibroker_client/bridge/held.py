"""The messages that a link has read and that are not settled, in the order of the source.

Knows no connection: it is told what was answered.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

from .transforms import CONFIRMED

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transport.base import Returned
    from .transforms import Outgoing

__all__ = ["Held"]


class Held:
    """First those that are sent, then those that are not."""

    __slots__ = ("careful", "sent", "unsent")

    def __init__(self) -> None:
        self.sent: deque[Outgoing] = deque()
        """Published and without an answer, or behind one that has none."""
        self.unsent: deque[Outgoing] = deque()
        """To be published."""
        self.careful = 0
        """Up to this delivery tag one message at a time is to be published: one was refused."""

    def __len__(self) -> int:
        return len(self.sent) + len(self.unsent)

    def clear(self) -> None:
        """The source is lost: it gives all of them again."""
        self.sent.clear()
        self.unsent.clear()
        self.careful = 0

    def settled(self, tag: int) -> None:
        """All up to this delivery tag left."""
        if tag >= self.careful:
            self.careful = 0

    def came_back(self, returned: Returned) -> None:
        """No queue took a message at the target, which confirms it nevertheless."""
        message = returned.message
        named = message.properties.message_id, message.routing_key
        for outgoing in self.sent:
            is_it = outgoing.values.get("message_id"), outgoing.routing_key
            if outgoing.returned is None and is_it == named:
                where = f"exchange {message.exchange!r}, routing key {message.routing_key!r}"
                outgoing.returned = f"no queue takes a message ({returned.reply_text}; {where})"
                return

    def take_back(self, answer: Callable[[int], bool | None], careful: bool) -> list[Outgoing]:
        """All that is sent and not confirmed becomes unsent, in order; with `careful` it is to be
        published one by one. Returns what had no answer, or one that it was refused.
        """
        unanswered = []
        held = [*self.sent, *self.unsent]
        for outgoing in held:
            if outgoing.over is None and outgoing.number:
                confirmed = outgoing.number > 0 and answer(outgoing.number)
                if confirmed and outgoing.returned is None:
                    outgoing.over = CONFIRMED
                else:
                    unanswered.append(outgoing)
                outgoing.number, outgoing.returned = 0, None
        self.sent.clear()
        self.unsent = deque(held)
        if careful and held:
            self.careful = (unanswered or held)[-1].tag
        return unanswered

    def skip(self) -> None:
        """Pass by those at the head of the unsent with which it is over."""
        while self.unsent and self.unsent[0].over is not None:
            self.sent.append(self.unsent.popleft())

    def _check(self) -> None:
        held = [*self.sent, *self.unsent]
        assert all(one.tag < other.tag for one, other in pairwise(held))
        assert all(each.number or each.over for each in self.sent)
