"""The driver for Azure Service Bus: a sender and a receiver for each queue that is used.

What the service does by itself and cannot be told otherwise from here: a message that was handed
out as often as the queue's MaxDeliveryCount says (2000 where it was created here, 10 if nothing was
said) goes to its `$DeadLetterQueue`, past `x-delivery-limit` and `x-dead-letter-exchange`. So does
or is deleted a message that expires, unless the queue was declared with `x-dead-letter-exchange`:
then its messages are not told to the service to expire, and whoever leases one sees to it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from ...remote.driver import MIB, DriverError, Features, Leased, Outgoing, Put, QueueInfo, Refused
from ...remote.kombu import is_asked_for
from ...remote.local_facts import LocalFacts
from ...remote.transport import RemoteTransport
from .facts import FactLog
from .kombu_envelope import entity_name, unwrapped, wrapped
from .links import QueueGone
from .messages import found_in, message_in, queue_name
from .namespace import SHORTEST_LOCK, Namespace
from .receiving import Held, Receiver, readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...transport.base import Address

__all__ = ["FEATURES", "ServiceBusDriver", "transport"]

logger = logging.getLogger(__name__)
FEATURES = Features(
    wake_up=True,
    longest_wait=2.0,
    max_message_size=100 * MIB,  # premium; the standard tier refuses what is over 256 KiB
    batch=250,
    refresh=5.0,
)
LEASE = 30.0
KOMBUS_LOCK = 60.0
"""Seconds for which Kombu lets a queue lock messages that it makes; it renews no lock by itself."""
LONGEST_LOCK = 300.0
"""Seconds for which the service locks a message at most."""
SLICE = 0.2
"""Seconds after which `lease` looks whether another thread has read what it waits for."""
PURGED = 250
"""Messages that are received and deleted at once."""
FACTS = "minibroker-facts"


class ServiceBusDriver:
    """One client of a namespace. Thread-safe, but for the facts."""

    features = FEATURES

    def __init__(self, address: Address) -> None:
        """User and password are the name and key of a policy; the host is the namespace.

        Options: `lease` (what the queues' lock duration is expected to be), `prefix` (of the names
        of queues), `create` (False: no queue is made or deleted, and what is declared is known
        to this process only), `envelope`; with that also Kombu's `queue_name_prefix` and, for
        `lease`, `peek_lock_seconds`.
        """
        options = address.options
        self.wraps = is_asked_for(options)
        lock = options.get("peek_lock_seconds", KOMBUS_LOCK) if self.wraps else LEASE
        self.lease_seconds = float(options.get("lease", lock))
        if not 0 < self.lease_seconds <= LONGEST_LOCK:
            raise ValueError(f"lease is up to {LONGEST_LOCK:g} s, not {self.lease_seconds:g}")
        creates = bool(options.get("create", True))
        prefix = _prefix(address)
        named = entity_name if self.wraps else queue_name
        self.namespace = Namespace(address, prefix, creates, self.lease_seconds, named)
        self._keeps_dead: set[str] = set()
        """Queues whose expired messages go to an exchange of AMQP: the service must keep them."""
        self._held: dict[str, int] = {}
        """How many messages of each queue are leased here."""
        self.facts: Any = LocalFacts.of((address.hostname, address.port, prefix))
        if creates:
            self.namespace.create(FACTS)
            self.facts = FactLog(self.namespace, FACTS)

    # -- what is declared

    def version(self) -> object:
        """The number of the last change."""
        return self.facts.version()

    def load(self) -> dict[str, str]:
        """All facts."""
        found: dict[str, str] = self.facts.load()
        return found

    def add(self, key: str, value: str) -> str:
        """Add a fact unless there is one."""
        return str(self.facts.add(key, value))

    def remove(self, keys: Sequence[str]) -> None:
        """Remove facts."""
        self.facts.remove(keys)

    # -- queues

    def know(self, queue: QueueInfo) -> None:
        """Whether the service itself may let messages of the queue expire."""
        self.namespace.claim(queue.name)
        if "x-dead-letter-exchange" in queue.arguments:
            self._keeps_dead.add(queue.name)

    def declare(self, queue: QueueInfo) -> None:
        """Create the queue where that can be done; one that is there stays as it is."""
        other = self.namespace.claim(queue.name)
        if other != queue.name:
            text = "Service Bus takes queue {!r} for {!r}: it knows no upper and lower case"
            raise DriverError(text.format(queue.name, other))
        self.namespace.create(queue.name)

    def delete(self, queue: str) -> None:
        """Delete the queue, or where that cannot be done what is ready in it."""
        if not self.namespace.delete(queue):
            self.purge(queue)
        self.namespace.forget(queue)
        self._keeps_dead.discard(queue)
        self._held.pop(queue, None)

    def size(self, queue: str) -> int:
        """How many are ready, or leased by other clients, which is not told apart."""
        try:
            count = self.namespace.size(queue)
        except QueueGone:
            return 0
        return max(count - self._held.get(queue, 0), 0)

    def purge(self, queue: str) -> int:
        """Receive and complete what is ready."""
        count = 0
        receiver = self.namespace.receiver(queue)
        try:
            while held := receiver.take(PURGED):
                count += sum(receiver.complete(held))
        except QueueGone:
            pass
        return count

    # -- messages

    def put(self, batch: Sequence[Outgoing]) -> Put:
        """In batches, for each queue in order."""
        answer = Put()
        for queue in dict.fromkeys(each.queue for each in batch):
            places = [place for place, each in enumerate(batch) if each.queue == queue]
            refused = self._send(queue, [(batch[place], 0) for place in places])
            answer.refused += [Refused(places[at], reason) for at, reason in refused.items()]
        return answer

    def _send(self, queue: str, going: Iterable[tuple[Outgoing, int]]) -> dict[int, str]:
        """Send messages with their counts of deliveries; why some were refused, by their place."""
        kind = self.namespace.azure.bus.ServiceBusMessage
        now = time.time_ns() // 1_000_000
        lives = queue not in self._keeps_dead
        messages = [
            message_in(wrapped(each) if self.wraps else each, kind, now, lives, count)
            for each, count in going
        ]
        try:
            return self.namespace.sender(queue).send(messages)
        except QueueGone as error:
            return dict.fromkeys(range(len(messages)), f"queue {queue!r} is not there: {error}")

    def lease(self, wanted: Sequence[tuple[str, int]], wait: float) -> list[Leased]:
        """Offer credit on all links, wait until something comes, take back what was not used."""
        end = time.monotonic() + wait
        asked: list[tuple[str, Receiver]] = []
        for queue, most in wanted:
            receiver = self.namespace.receiver(queue)
            try:
                receiver.offer(most)
            except QueueGone:
                continue
            asked.append((queue, receiver))
        receivers = [receiver for _, receiver in asked]
        while receivers and (left := end - time.monotonic()) > 0:
            readable(receivers, min(left, SLICE))
            if sum(receiver.look() for receiver in receivers):  # all: they may be lost
                break
        for receiver in receivers:
            receiver.withdraw()
        if not receivers and wait:
            time.sleep(min(wait, SLICE))
        return [self._leased(queue, held) for queue, receiver in asked
                for held in receiver.collect()]  # fmt: skip

    def _leased(self, queue: str, held: Held) -> Leased:
        found = found_in(held.message, queue)
        if self.wraps:
            found = unwrapped(found, queue)
        self._held[queue] = self._held.get(queue, 0) + 1
        until = held.message.locked_until_utc
        if until is not None and self.lease_seconds > SHORTEST_LOCK:
            seconds = until.timestamp() - time.time()
            if seconds < self.lease_seconds * 0.8:  # the queue is believed rather than the option
                shorter = max(seconds, SHORTEST_LOCK)
                text = "queue %r locks for %.0f s, so leases are renewed as for lease=%.0f, not %g"
                logger.info(text, queue, shorter, shorter, self.lease_seconds)
                self.lease_seconds = shorter
        return Leased(queue, held, found.message, found.deliveries, found.expires)

    def ack(self, leases: Sequence[Leased]) -> list[Leased]:
        """Complete messages."""
        return self._settle(leases, Receiver.complete)

    def nack(self, leases: Sequence[Leased], delay: int = 0) -> None:
        """Abandon messages; with a delay, send them again as scheduled ones and complete these."""
        if delay <= 0:
            self._settle(leases, Receiver.abandon)
            return
        for queue in dict.fromkeys(each.queue for each in leases):
            mine = [each for each in leases if each.queue == queue]
            again = [(Outgoing(queue, each.message, each.expires, delay), each.deliveries + 1)
                     for each in mine]  # fmt: skip
            refused = self._send(queue, again)
            sent = [each for place, each in enumerate(mine) if place not in refused]
            self._settle(sent, Receiver.complete)
            self._settle([mine[place] for place in refused], Receiver.abandon)

    def renew(self, leases: Sequence[Leased]) -> list[Leased]:
        """Renew locks."""
        return self._settle(leases, Receiver.renew, ends=False)

    def _settle(self, leases: Sequence[Leased], how: Any, ends: bool = True) -> list[Leased]:
        """Do something with messages, for each queue; those whose lock was lost."""
        lost: list[Leased] = []
        for queue in dict.fromkeys(each.queue for each in leases):
            mine = [each for each in leases if each.queue == queue]
            try:
                done = how(self.namespace.receiver(queue), [each.token for each in mine])
            except QueueGone:
                continue
            lost += [each for each, was_there in zip(mine, done, strict=True) if not was_there]
            over = len(mine) if ends else done.count(False)
            self._held[queue] = max(self._held.get(queue, 0) - over, 0)
        return lost

    def close(self) -> None:
        """End all connections. What is leased stays locked until its lock ends."""
        self.namespace.close()


def _prefix(address: Address) -> str:
    if address.options.get("envelope") and "queue_name_prefix" in address.options:
        return str(address.options["queue_name_prefix"])
    given = address.options.get("prefix")
    name = address.virtual_host.strip("/") if given is None else str(given)
    return f"{name}-" if name else ""


transport = RemoteTransport(ServiceBusDriver, FEATURES)
