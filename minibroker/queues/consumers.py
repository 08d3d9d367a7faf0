"""Who consumes from one queue, and whose turn it is. Knows nothing of messages.

Source: RabbitMQ documentation, "Consumer Prefetch", "Consumer Priorities", "Single Active
Consumer".
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..arguments import ConsumerSettings
    from ..channel.consuming import Consuming
    from .base import BaseQueue
    from .entry import Entry

__all__ = ["UNLIMITED", "Consumer", "Consumers"]

UNLIMITED = 1 << 62
"""The credit of a consumer without a prefetch limit: a number that no run uses up, so that
delivering counts down without asking whether there is a limit."""


class Consumer:
    """A consumer of one queue on one channel.

    It is `paused` while only its credit keeps it from taking turns; a consumer that was cancelled
    or stands by for the single active one is not.
    """

    __slots__ = (
        "active",
        "callback",
        "channel",
        "credit",
        "exclusive",
        "no_ack",
        "paused",
        "prefetch",
        "queue",
        "settings",
        "tag",
    )

    def __init__(  # noqa: PLR0913 -- the fields of basic.consume
        self,
        channel: Consuming,
        queue: BaseQueue,
        tag: str,
        settings: ConsumerSettings,
        *,
        no_ack: bool = False,
        exclusive: bool = False,
        prefetch: int = 0,
        callback: Callable[[Entry], None] | None = None,
    ) -> None:
        self.channel = channel
        self.queue = queue
        self.tag = tag
        self.settings = settings
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.prefetch = prefetch
        """As asked for: 0 means no limit."""
        self.credit = UNLIMITED if no_ack or not prefetch else prefetch
        """How many more deliveries it may hold unacked."""
        self.callback = callback
        self.active = False
        self.paused = False

    def __repr__(self) -> str:
        return f"<Consumer {self.tag!r} of queue {self.queue.name!r}>"


class Consumers:
    """The consumers of one queue in the order in which they came, and the turn.

    `waiting` holds those that can take an entry now, next one first; it is what a queue reads on
    every publish. Whoever cannot (no credit) is in `all` only.
    """

    __slots__ = ("all", "prioritised", "single_active", "waiting")

    def __init__(self, single_active: bool = False) -> None:
        self.all: list[Consumer] = []
        self.waiting: deque[Consumer] = deque()
        self.single_active = single_active
        self.prioritised = False

    def __len__(self) -> int:
        return len(self.all)

    @property
    def exclusive(self) -> bool:
        """Whether one of them has the queue to itself."""
        return any(consumer.exclusive for consumer in self.all)

    def add(self, consumer: Consumer) -> None:
        """A new consumer: it takes turns at once, unless another one is the single active one."""
        self.all.append(consumer)
        self.prioritised = self.prioritised or consumer.settings.priority != 0
        if not self.single_active or not any(other.active for other in self.all):
            self._activate(consumer)

    def remove(self, consumer: Consumer) -> None:
        """A consumer leaves. With a single active consumer the next in line takes over."""
        if consumer not in self.all:
            return
        self.all.remove(consumer)
        if consumer in self.waiting:
            self.waiting.remove(consumer)
        was_active, consumer.active, consumer.paused = consumer.active, False, False
        if self.single_active and was_active and self.all:
            # The highest priority, and of those the one that subscribed first.
            self._activate(max(self.all, key=lambda other: other.settings.priority))

    def _activate(self, consumer: Consumer) -> None:
        consumer.active = True
        if consumer.channel.may_take(consumer):
            self.admit(consumer)
        else:
            consumer.paused = True

    def admit(self, consumer: Consumer) -> None:
        """Put one that can take an entry behind the others of its priority."""
        consumer.paused = False
        waiting = self.waiting
        if not self.prioritised:
            waiting.append(consumer)
            return
        place = len(waiting)
        while place and waiting[place - 1].settings.priority < consumer.settings.priority:
            place -= 1
        waiting.insert(place, consumer)

    def pause(self, consumer: Consumer) -> None:
        """One of them has no credit left."""
        if consumer in self.waiting:
            self.waiting.remove(consumer)
        consumer.paused = consumer.active

    def served(self, consumer: Consumer) -> None:
        """The first in turn took an entry and could take another: the next one's turn."""
        if not self.prioritised:
            self.waiting.rotate(-1)
            return
        self.waiting.popleft()
        self.admit(consumer)

    def clear(self) -> list[Consumer]:
        """Remove and return all: the queue is gone."""
        gone, self.all = self.all, []
        self.waiting.clear()
        for consumer in gone:
            consumer.active = consumer.paused = False
        return gone

    def _check(self) -> None:
        assert set(self.waiting) <= set(self.all), "a stranger is waiting"
        assert len(set(self.waiting)) == len(self.waiting), "one waits twice"
        priorities = [consumer.settings.priority for consumer in self.waiting]
        assert priorities == sorted(priorities, reverse=True), "out of turn"
        if self.single_active and self.all:
            assert sum(consumer.active for consumer in self.all) == 1, "not one active consumer"
        for consumer in self.all:
            ready = consumer.active and consumer.channel.may_take(consumer)
            assert (consumer in self.waiting) == ready, f"{consumer!r} waits wrongly"
            assert consumer.paused == (consumer.active and not ready), f"{consumer!r} paused"
