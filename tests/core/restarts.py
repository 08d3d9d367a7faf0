"""A broker with a log that a test ends and opens again: in order, or by a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faulty import FaultyFiles
from minibroker import Broker, ManualClock, Properties
from minibroker.store import worth_rewriting

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.durable.committer import Committer
    from minibroker.durable.upkeep import Upkeep

__all__ = ["PERSISTENT", "Restarts", "persistent"]

PERSISTENT = Properties(delivery_mode=2)
"""The properties of a message that outlives the broker, and nothing else."""


def persistent(**properties: Any) -> Properties:
    """Properties of a message that outlives the broker."""
    return Properties(delivery_mode=2, **properties)


class Restarts:
    """A broker with a log in memory, on a clock that stands still: nothing commits by itself.

    `options` are what every one of its brokers is opened with.
    """

    def __init__(
        self, clock: ManualClock, files: FaultyFiles | None = None, **options: Any
    ) -> None:
        self.clock = clock
        self.files = FaultyFiles() if files is None else files
        self.options: dict[str, Any] = {"segment_size": 4096, **options}
        self._broker: Broker | None = None

    @property
    def broker(self) -> Broker:
        """The broker, opened when somebody wants it first."""
        if self._broker is None:
            self._broker = Broker(data=self.files, clock=self.clock, **self.options)
            self._broker._check()
        return self._broker

    @property
    def committer(self) -> Committer:
        """Who commits."""
        assert self.broker._durability is not None
        return self.broker._durability.committer

    @property
    def upkeep(self) -> Upkeep:
        """Who makes checkpoints and rewrites."""
        assert self.broker._durability is not None
        return self.broker._durability.upkeep

    def channel(self, vhost: str = "/", user: str = "guest") -> Channel:
        """A channel of a new connection."""
        return self.broker.connect(vhost, user).channel()

    def close(self) -> None:
        """Close the broker as one should."""
        broker, self._broker = self._broker, None
        if broker is not None:
            broker._check()
            broker.close()

    def restart(self) -> Broker:
        """Close the broker, and open it again."""
        self.close()
        return self.broker

    def crash(self, power: int | None = None) -> Broker:
        """The process ends without a word; open what it left behind.

        With a number the machine has no power any more: what was not synced has one of many fates.
        """
        left = self.files.after_kill() if power is None else self.files.after_power_cut(power)
        before, self._broker = self._broker, None
        if before is not None:
            before._check()
            before.close()
        self.files = left
        return self.broker

    def checkpoint(self) -> None:
        """Commit, and write a checkpoint."""
        with self.committer.exclusively():
            self.upkeep.make_checkpoint()

    def tidy(self) -> None:
        """Delete and rewrite all that can be, without a look at the clock or a checkpoint."""
        upkeep = self.upkeep
        with self.committer.exclusively():
            self.committer.write(sync=True)
            for _ in range(1000):
                upkeep._next_step = 0
                upkeep.tidy()
                if not upkeep._rewriting and not worth_rewriting(upkeep.log, upkeep.checkpoint):
                    return
        raise AssertionError("tidying does not end")

    def drained(self, queue: str) -> list[str]:
        """The bodies of all that is ready in a queue, in order, taken out."""
        channel = self.channel()
        bodies = []
        while (answer := channel.get(queue, no_ack=True)) is not None:
            bodies.append(answer.entry.message.body.decode())
        channel.close()
        return bodies

    def count(self, queue: str) -> int:
        """How many messages are ready in a queue."""
        return self.broker.vhosts["/"].queues[queue].message_count
