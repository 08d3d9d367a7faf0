"""Who consumes from one queue, and whose turn it is. Knows nothing of messages.

Source: RabbitMQ documentation, "Consumer Prefetch", "Consumer Priorities", "Single Active
Consumer".
"""

from __future__ import annotations

from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..arguments import ConsumerSettings
    from ..channel.consuming import Consuming
    from .base import BaseQueue
    from .entry import Entry

__all__ = ["ASKED", "UNLIMITED", "Consumer", "Consumers"]

UNLIMITED = 1 << 62
"""The credit of a consumer without a prefetch limit: a number that no run uses up, so that
delivering counts down without asking whether there is a limit."""

ASKED = -1
"""Instead of how many entries there were: one of them was there for nobody to take."""

_turn = attrgetter("turn")
_priority = attrgetter("priority")


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
        "priority",
        "queue",
        "settings",
        "shares",
        "tag",
        "turn",
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
        self.priority = settings.priority
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.prefetch = prefetch
        """As asked for: 0 means no limit."""
        self.credit = UNLIMITED if no_ack or not prefetch else prefetch
        """How many more deliveries it may hold unacked."""
        self.shares = queue.kind == "classic" and queue.keeps
        """Whether the limit of its channel is also its own: only classic queues ask for that."""
        self.callback = callback
        self.active = False
        self.paused = False
        self.turn = 0
        """Its place among those of its priority: the lowest is next."""

    def __repr__(self) -> str:
        return f"<Consumer {self.tag!r} of queue {self.queue.name!r}>"


class Consumers:
    """The consumers of one queue in the order in which they came, and the turn.

    `waiting` holds those that can take an entry now, next one first; it is what a queue reads on
    every publish. Whoever cannot (no credit) is in `all` only.

    RabbitMQ's classic queues find out that a consumer has no credit when its turn comes: who has
    some again before that has kept its place, and only who was asked in vain goes behind the
    others (`keeps_places`; `rabbit_queue_consumers`). Here nobody is asked in vain, so it is
    worked out who would have been: `_asked` has, by priority, the last turn that has passed.
    """

    __slots__ = (
        "_asked",
        "_turn",
        "all",
        "by_priority",
        "emptied",
        "keeps_places",
        "prioritised",
        "several",
        "single_active",
        "waiting",
    )

    def __init__(self, single_active: bool = False, keeps_places: bool = False) -> None:
        self.all: list[Consumer] = []
        self.waiting: deque[Consumer] = deque()
        self.single_active = single_active
        self.keeps_places = keeps_places
        self.by_priority = True
        """Whether the next single active consumer is one of the highest priority."""
        self.prioritised = False
        self.several = False
        """Whether there is anybody to take turns with."""
        self.emptied = 0
        """How many entries the queue had seen when nobody was left who could take one."""
        self._turn = 0
        self._asked: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.all)

    @property
    def exclusive(self) -> bool:
        """Whether one of them has the queue to itself."""
        return any(consumer.exclusive for consumer in self.all)

    def add(self, consumer: Consumer) -> None:
        """A new consumer: it takes turns at once, unless another one is the single active one."""
        self._catch_up()
        self.all.append(consumer)
        self.prioritised = self.prioritised or consumer.priority != 0
        self._asked.setdefault(consumer.priority, 0)
        self.several = not self.single_active and len(self.all) > 1
        if not self.single_active or not any(other.active for other in self.all):
            self._activate(consumer)

    def remove(self, consumer: Consumer) -> None:
        """A consumer leaves. With a single active consumer the next in line takes over."""
        if consumer not in self.all:
            return
        self.all.remove(consumer)
        self.several = not self.single_active and len(self.all) > 1
        self._stop_waiting(consumer)
        was_active, consumer.active, consumer.paused = consumer.active, False, False
        if self.single_active and was_active and self.all:
            first = max(self.all, key=_priority) if self.by_priority else self.all[0]
            self._activate(first)

    def _activate(self, consumer: Consumer) -> None:
        consumer.active = True
        self._turn += 1
        consumer.turn = self._turn
        if consumer.channel.may_take(consumer):
            self._insert(consumer)
        else:
            consumer.paused = True

    def admit(self, consumers: Iterable[Consumer]) -> None:
        """Paused ones can take an entry again: in their places, or behind the others."""
        self._catch_up()
        for consumer in sorted(consumers, key=_turn):
            consumer.paused = False
            if not self.keeps_places or consumer.turn <= self._asked[consumer.priority]:
                self._turn += 1
                consumer.turn = self._turn
            self._insert(consumer)

    def has_kept_place(self, consumer: Consumer) -> bool:
        """Whether a paused one was not asked in vain, so that `admit` puts it where it was."""
        self._catch_up()
        return self.keeps_places and consumer.turn > self._asked[consumer.priority]

    def _catch_up(self) -> None:
        """If there was an entry that nobody could take, then all have been asked in vain."""
        if self.all and not self.waiting:
            queue = self.all[0].queue
            if queue.message_count or self.emptied != queue.seq:
                self._asked = dict.fromkeys(self._asked, self._turn)

    def _insert(self, consumer: Consumer) -> None:
        waiting, turn, priority = self.waiting, consumer.turn, consumer.priority
        place = len(waiting)
        while place:
            other = waiting[place - 1]
            if other.priority > priority or (other.priority == priority and other.turn < turn):
                break
            place -= 1
        waiting.insert(place, consumer)

    def pause(self, consumer: Consumer) -> None:
        """One of them has no credit left."""
        self._stop_waiting(consumer)
        consumer.paused = consumer.active

    def _stop_waiting(self, consumer: Consumer) -> None:
        if consumer in self.waiting:
            self.waiting.remove(consumer)
            if not self.waiting:
                self.emptied = consumer.queue.seq

    def served(self, consumer: Consumer) -> None:
        """The first in turn took an entry: the next one's turn. It may have no credit left."""
        asked = self._asked
        asked[consumer.priority] = consumer.turn
        self._turn = turn = self._turn + 1
        if self.prioritised:
            for priority in asked:
                if priority > consumer.priority:
                    asked[priority] = turn
        consumer.turn = turn
        self.waiting.popleft()
        if not consumer.credit:
            consumer.paused = True
            if not self.waiting:
                self.emptied = consumer.queue.seq
        elif self.prioritised:
            self._insert(consumer)
        else:
            self.waiting.append(consumer)

    def clear(self) -> list[Consumer]:
        """Remove and return all: the queue is gone."""
        gone, self.all = self.all, []
        self.waiting.clear()
        self.several = False
        for consumer in gone:
            consumer.active = consumer.paused = False
        return gone

    def _check(self) -> None:
        assert set(self.waiting) <= set(self.all), "a stranger is waiting"
        assert len(set(self.waiting)) == len(self.waiting), "one waits twice"
        turns = [(-consumer.priority, consumer.turn) for consumer in self.waiting]
        if not self.keeps_places:  # a stream serves them in another order
            turns = [(priority, 0) for priority, _ in turns]
        assert turns == sorted(turns), "out of turn"
        if self.single_active and self.all:
            assert sum(consumer.active for consumer in self.all) == 1, "not one active consumer"
        for consumer in self.all:
            ready = consumer.active and consumer.channel.may_take(consumer)
            assert (consumer in self.waiting) == ready, f"{consumer!r} waits wrongly"
            assert consumer.paused == (consumer.active and not ready), f"{consumer!r} paused"
