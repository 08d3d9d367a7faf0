"""Which publishes of a channel are answered: many answers become few frames.

Knows no frame. Source: RabbitMQ documentation, "Publisher Confirms"; AMQP's `multiple` means all
tags up to one, so it may be said only when every lower one is answered (65).
"""

from __future__ import annotations

from ...wire.amqp.spec import BasicAck, BasicNack

__all__ = ["Confirms"]


class Confirms:
    """The answers of one channel that were not sent yet. Not thread-safe."""

    __slots__ = ("_answers", "early", "run", "up_to")

    def __init__(self) -> None:
        self.up_to = 0
        """All tags up to here are answered."""
        self.run = 0
        """How many of them are acked but not sent."""
        self.early: set[int] = set()
        """Answered tags behind one that is not."""
        self._answers: list[BasicAck | BasicNack] = []

    def add(self, tag: int, multiple: bool, ok: bool) -> None:
        """A publish, or all up to it that are outstanding, is answered."""
        if ok and tag == self.up_to + 1:
            self.up_to = tag
            self.run += 1
            if self.early:
                self._advance()
        elif multiple and ok:
            self.run += tag - self.up_to
            self._reach(tag)
        elif ok:
            self.early.add(tag)
            self._answers.append(BasicAck(tag))
        else:
            self._refuse(tag, multiple)

    def _refuse(self, tag: int, multiple: bool) -> None:
        self._end_run()
        self._answers.append(BasicNack(tag, multiple, requeue=False))
        if multiple:
            self._reach(tag)
        else:
            self.early.add(tag)
            self._advance()

    def _reach(self, tag: int) -> None:
        self.up_to = max(self.up_to, tag)
        self.early = {early for early in self.early if early > tag}
        self._advance()

    def _advance(self) -> None:
        if self.up_to + 1 in self.early:
            self._end_run()  # those behind it were sent already, each by itself
        while self.up_to + 1 in self.early:
            self.up_to += 1
            self.early.discard(self.up_to)

    def _end_run(self) -> None:
        if self.run:
            self._answers.append(BasicAck(self.up_to, multiple=self.run > 1))
            self.run = 0

    def take(self) -> list[BasicAck | BasicNack]:
        """The answers since the last time."""
        self._end_run()
        answers, self._answers = self._answers, []
        return answers
