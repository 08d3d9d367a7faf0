"""Which publishes of a channel are answered: many answers become few frames.

Knows no frame. Source: RabbitMQ documentation, "Publisher Confirms"; AMQP's `multiple` means all
tags up to one, so it may be said only when every lower one is answered (65).
"""

from __future__ import annotations

from ...wire.amqp.spec import BasicAck, BasicNack

__all__ = ["Confirms"]


class Confirms:
    """The answers of one channel that were not sent yet. Not thread-safe."""

    __slots__ = ("_answers", "_early", "_run", "_up_to")

    def __init__(self) -> None:
        self._up_to = 0
        """All tags up to here are answered."""
        self._run = 0
        """How many of them are acked but not sent."""
        self._early: set[int] = set()
        """Answered tags behind one that is not."""
        self._answers: list[BasicAck | BasicNack] = []

    def add(self, tag: int, multiple: bool, ok: bool) -> None:
        """A publish, or all up to it that are outstanding, is answered."""
        if ok and tag == self._up_to + 1:
            self._up_to = tag
            self._run += 1
            if self._early:
                self._advance()
        elif multiple and ok:
            self._run += tag - self._up_to
            self._reach(tag)
        elif ok:
            self._early.add(tag)
            self._answers.append(BasicAck(tag))
        else:
            self._refuse(tag, multiple)

    def _refuse(self, tag: int, multiple: bool) -> None:
        self._end_run()
        self._answers.append(BasicNack(tag, multiple, requeue=False))
        if multiple:
            self._reach(tag)
        else:
            self._early.add(tag)
            self._advance()

    def _reach(self, tag: int) -> None:
        self._up_to = max(self._up_to, tag)
        self._early = {early for early in self._early if early > tag}
        self._advance()

    def _advance(self) -> None:
        while self._up_to + 1 in self._early:
            self._up_to += 1
            self._early.discard(self._up_to)

    def _end_run(self) -> None:
        if self._run:
            self._answers.append(BasicAck(self._up_to, multiple=self._run > 1))
            self._run = 0

    def take(self) -> list[BasicAck | BasicNack]:
        """The answers since the last time."""
        self._end_run()
        answers, self._answers = self._answers, []
        return answers
