"""Performs a program on one broker and records what its clients see.

After each operation it waits until nothing more comes, without sleeping: every channel is asked for
an answer that comes behind everything else, and every queue for its counts, until two such rounds
bring nothing new. What comes belongs to the operation before.

A record is a list of observations: one for each operation, one for each connection that is closed
at the end, and one for what is left. An observation has a list of events for each channel ("0.1"),
one for what each queue delivered there ("0.1 from ~q"), the confirms, the cancelled consumers, and
the queues whose counts have changed.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from .address import Address
from .channel import ChannelView
from .client import Client
from .names import Names
from .program import Operation, Program
from .typed import Json
from .watch import Watch

__all__ = ["Patience", "execute"]

MOST_ROUNDS = 60
AFTER_DROP = 0.03
"""Seconds that a server has to notice that a socket is closed, before it is asked anything."""


class Patience(NamedTuple):
    """How long to look for what may still come."""

    rounds: int = 2
    """In which nothing new may come."""
    pause: float = 0.0
    """Seconds between them."""
    timeout: float = 5.0
    """Seconds that an answer may take."""


def execute(
    program: Program, address: Address, watch: Watch, prefix: str, patience: Patience
) -> list[Json]:
    """The record of a program on the broker at `address`, which is as before afterwards.

    Raises CannotConnect, and ValueError for an operation that cannot be sent.
    """
    run = _Run(program, address, watch, prefix, patience)
    try:
        return run.record()
    finally:
        run.clean()


class _Run:
    def __init__(
        self, program: Program, address: Address, watch: Watch, prefix: str, patience: Patience
    ) -> None:
        self.program = program
        self.watch = watch
        self.patience = patience
        self.names = Names(prefix, address.user, address.vhost)
        number = 1 + max((each.connection for each in program.operations), default=0)
        self.clients = [Client(address, self.names) for _ in range(number)]
        self.quorum = program.uses_quorum()
        self.queues: dict[str, str] = {}
        """Those that may exist: the name by its symbol."""
        self.made: set[str] = set()
        """The names of all that may ever have existed."""
        self.counts: dict[str, tuple[int, int] | None] = {}
        self.seen: dict[str, tuple[int, int] | None] = {}

    def record(self) -> list[Json]:
        found = [self._operation(each) for each in self.program.operations]
        return [*found, *self._end()]

    # -- operations

    def _operation(self, operation: Operation) -> Json:
        client = self.clients[operation.connection]
        if operation.method == "pause":
            time.sleep(operation.times / 1000)
        else:
            if operation.method == "queue.declare" and not operation.arguments.get("passive"):
                self._may_exist(str(operation.arguments.get("queue", "")))
            if operation.method in {"connection.close", "connection.drop"}:
                self._close_channels(client)
            if not client.perform(operation):
                return {"left out": True}
        if operation.more:
            return {}
        self._settle(AFTER_DROP if operation.method == "connection.drop" else 0.0)
        return self._observation()

    def _may_exist(self, symbol: str) -> None:
        if symbol and not symbol.startswith("amq."):
            self.queues[symbol] = self.names.actual(symbol)
            self.made.add(self.queues[symbol])

    def _settle(self, pause: float = 0.0) -> None:
        quiet = 0
        self._await()
        pause = max(pause, self.patience.pause)
        for _ in range(MOST_ROUNDS):
            if quiet >= self.patience.rounds:
                return
            if pause:
                time.sleep(pause)
            quiet = 0 if self._round() else quiet + 1

    def _round(self) -> bool:
        """Ask everything once; whether anything is new."""
        events = sum(each.events for each in self.clients)
        if self.quorum:
            self.watch.settle_quorum()
        for client in self.clients:
            client.ask()
        self._await()
        counts = self.watch.counts(self.queues.values(), self.clients)
        changed = counts != self.counts or events != sum(each.events for each in self.clients)
        self.counts = counts
        return changed

    def _await(self) -> None:
        """Wait until every answer is there."""
        deadline = time.monotonic() + self.patience.timeout
        while any(each.busy for each in self.clients):
            for client in self.clients:
                if client.busy:
                    client.read(deadline)
            if time.monotonic() >= deadline:
                for client in self.clients:
                    if client.busy:
                        client.give_up()

    # -- observations

    def _observation(self) -> Json:
        found: Json = {}
        for number, client in enumerate(self.clients):
            for channel, view in sorted(client.channels.items()):
                self._observe(found, f"{number}.{channel}", view, client.ended)
            client.ended = False
        changes = self._changes()
        if changes:
            found["queues"] = changes
        return found

    def _observe(self, found: Json, where: str, view: ChannelView, ended: bool) -> None:
        deliveries = view.take_deliveries()
        if ended:  # its channels may have delivered to each other while they ended
            deliveries.clear()
        events = [self.names.symbolic(each.event) for each in view.came]
        cancelled = [each for each in events if each["method"] == "basic.cancel"]
        replies = [each for each in events if each["method"] != "basic.cancel"]
        for reply in replies:
            if reply["method"] == "queue.declare-ok" and reply["queue"].startswith("<"):
                self._may_exist(reply["queue"])
        if replies:
            found[where] = replies
        if cancelled:
            found[f"{where} cancelled"] = sorted(each["consumer_tag"] for each in cancelled)
        for queue, each in deliveries.items():
            found[f"{where} from {queue}"] = self.names.symbolic(each)
        for name, tags in (("acked", view.acked), ("nacked", view.nacked)):
            if tags:
                found[f"{where} {name}"] = sorted(tags)
        view.came, view.acked, view.nacked = [], [], []

    def _changes(self) -> dict[str, Json]:
        """The queues that have other counts than the last time."""
        changes: dict[str, Json] = {}
        for symbol, name in sorted(self.queues.items()):
            if name not in self.counts:
                continue  # it was not known yet when the queues were counted
            counts = self.counts[name]
            if symbol not in self.seen or self.seen[symbol] != counts:
                changes[symbol] = "none" if counts is None else list(counts)
            self.seen[symbol] = counts
        for symbol in [each for each, counts in self.seen.items() if counts is None]:
            self.queues.pop(symbol, None)
            del self.seen[symbol]
        return changes

    # -- the end

    def _end(self) -> list[Json]:
        return [*(self._close(client) for client in self.clients), self._left()]

    def _close(self, client: Client) -> Json:
        if client.link is None:
            return {}
        self._close_channels(client)
        client.close()
        self._settle()
        return self._observation()

    def _close_channels(self, client: Client) -> None:
        """One after the other, where the order makes a difference."""
        for number in client.competing():
            if client.channels[number].open:
                client.close_channel(number)
                self._settle()

    def _left(self) -> Json:
        found: Json = {}
        for symbol, name in sorted(self.queues.items()):
            found[f"left in {symbol}"] = [
                self.names.symbolic(event) for event in self.watch.drain(name)
            ]
        exchanges = self.program.names("exchange")
        there = [each for each in exchanges if self.watch.exists(self.names.actual(each))]
        if there:
            found["exchanges"] = there
        return found

    def clean(self) -> None:
        for client in self.clients:
            client.close()
        self._await()
        exchanges = self.names.actual(self.program.names("exchange"))
        self.watch.clean(sorted(self.made), exchanges)
