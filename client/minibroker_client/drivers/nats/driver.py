"""The driver for NATS JetStream: a work queue stream for each queue, one consumer on it.

An ack is not fenced: NATS takes one of an earlier delivery for one of the current. So a lease ends
here by the clock, too, and what it was about is not settled any more. Source: docs.nats.io,
"JetStream wire API Reference"; ADR-4 (headers), ADR-8 (buckets), ADR-51 (schedules).
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ...remote.driver import MIB, DriverError, Features, Leased, Outgoing, Put, QueueInfo
from ...remote.transport import RemoteTransport, needed
from .facts import Bucket, WatchedFacts
from .looping import LoopEndedError, Looping
from .messages import leased_of
from .names import bucket_name
from .places import Places
from .pulling import NAK, Pulling, Taken, Wanted
from .putting import Putting
from .wire import PORT, Wire

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from ...remote.driver import Facts
    from ...transport.base import Address

__all__ = ["FEATURES", "NatsDriver", "transport"]

FEATURES = Features(
    fenced=False,
    wake_up=True,
    max_message_size=64 * MIB,  # the most that a server can be set to; `max_payload` says how much
    batch=250,
)
LEASE = 30.0
PREFIX = "minibroker"
ACK, PROGRESS = b"+ACK", b"+WPI"
PAUSE = 0.25
"""Seconds until a queue is pulled from again that did not answer as it should."""
CATCH_UP = 0.1
"""Seconds that a consumer may take to know what is in its stream."""
AT_ONCE = 500
"""How many messages a purge takes at once."""

T = TypeVar("T")


class NatsDriver:
    """One connection to NATS. Thread-safe."""

    features = FEATURES

    def __init__(self, address: Address) -> None:
        """Options: `lease`, `prefix`, `replicas` (of streams, in a cluster), `deduplicate`
        (let NATS drop what has the message id of another one of the last two minutes).
        """
        nats = needed("nats", "nats")
        options = address.options
        self.lease_seconds = float(options.get("lease", LEASE))
        self.prefix = _prefix(address)
        replicas = int(options.get("replicas", 1))
        self.deduplicate = bool(options.get("deduplicate", False))
        self._errors = (nats.errors.Error, OSError, TimeoutError, LoopEndedError)
        self._looping = Looping()
        self._client: Any = nats.aio.client.Client()
        self._wire = Wire(self._client)
        self._pulling = Pulling(self._wire, self.lease_seconds)
        self._places = Places(self._wire, self.prefix, self.lease_seconds, replicas)
        try:
            self._bucket = self._call(self._open(address, replicas))
        except BaseException:
            self.close()
            raise
        self._putting = Putting(self._wire, self._places, self._bucket, self.deduplicate)
        self.facts: Facts = WatchedFacts(self._bucket, self._call)
        self.features = replace(FEATURES, max_message_size=self._client.max_payload)

    async def _open(self, address: Address, replicas: int) -> Bucket:
        await self._wire.open(address)
        await self._wire.api("INFO")  # says clearly when there is no JetStream
        bucket = Bucket(self._wire, bucket_name(self.prefix))
        await bucket.open(replicas)
        return bucket

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return self._looping.call(coroutine)
        except self._errors as error:
            text = str(error) or type(error).__name__
            raise DriverError(f"NATS: {text.removeprefix('nats: ')}") from error

    # -- queues

    def know(self, queue: QueueInfo) -> None:
        """Give it names."""
        self._places.of(queue.name)

    def declare(self, queue: QueueInfo) -> None:
        """Make stream and consumer."""
        self._call(self._places.declare(queue.name))

    def delete(self, queue: str) -> None:
        """Delete the stream."""
        self._call(self._places.delete(queue))

    def size(self, queue: str) -> int:
        """How many are there and not with a client.

        NATS counts what was given back as being with a client, until somebody takes it again.
        """
        return self._call(self._places.size(queue))

    def purge(self, queue: str) -> int:
        """Take and ack what is ready."""
        return self._call(self._purge(queue))

    async def _purge(self, queue: str) -> int:
        names = self._places.of(queue).names
        count = 0
        while True:
            taken: list[Taken] = []
            wanted = Wanted(queue, names.stream, names.subject, AT_ONCE)
            await self._take([wanted], 0, taken)
            if not taken:
                return count
            now = _now()
            leased = [leased_of(*each) for each in taken]
            early = [each for each in leased if each.due is not None and each.due > now]
            for each in early:
                await self._settle(_nak((each.due or now) - now), [each])
            ready = [each for each in leased if each not in early]
            await self._settle(ACK, ready)
            count += len(ready)

    # -- messages

    def put(self, batch: Sequence[Outgoing]) -> Put:
        """Publish all, then await what JetStream says of each."""
        return self._call(self._putting.put(batch))

    def lease(self, wanted: Sequence[tuple[str, int]], wait: float) -> list[Leased]:
        """Pull of all queues at once."""
        taken: list[Taken] = []
        try:
            self._call(self._lease(wanted, wait, taken))
            return [leased_of(*each) for each in taken]
        except DriverError:
            raise
        except BaseException:  # such as KeyboardInterrupt: nobody gets them
            self._give_back(taken)
            raise

    async def _lease(
        self, wanted: Sequence[tuple[str, int]], wait: float, taken: list[Taken]
    ) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + wait
        pulls: list[Wanted] = []
        for queue, most in wanted:
            place = self._places.of(queue)
            if place.known or await self._places.find(place):
                pulls.append(Wanted(queue, place.names.stream, place.names.subject, most))
        odd = await self._take(pulls, wait, taken) if pulls else set()
        for queue in odd:
            self._places.of(queue).known = False
        left = end - loop.time()
        if left > 0 and not taken and len(odd) == len(pulls):
            # The queue is gone, which is told with what is declared; or its leader changes.
            await self._bucket.change(min(left, PAUSE))

    async def _take(self, wanted: list[Wanted], wait: float, taken: list[Taken]) -> set[str]:
        odd = await self._pulling.take(wanted, wait, taken)
        if wait <= 0 and not taken:
            # What was put a moment ago may be in the stream, and not known to the consumer yet.
            there = [each for each in wanted if await self._places.size(each.queue)]
            if there:
                odd |= await self._pulling.take(there, CATCH_UP, taken)
        return odd

    def _give_back(self, taken: list[Taken]) -> None:
        async def nak() -> None:
            for each in taken:
                await self._wire.tell(each.message.reply, NAK)

        with suppress(DriverError):  # then they come back when their lease ends
            self._call(nak())

    def ack(self, leases: Sequence[Leased]) -> list[Leased]:
        """Ack those whose lease has not ended by the clock."""
        return self._call(self._settle(ACK, leases))

    def nack(self, leases: Sequence[Leased], delay: int = 0) -> None:
        """Nak them, in the order of the queue."""
        ordered = sorted(leases, key=lambda each: each.token.number)
        self._call(self._settle(_nak(delay), ordered))

    def renew(self, leases: Sequence[Leased]) -> list[Leased]:
        """Say that they are in progress."""
        return self._call(self._settle(PROGRESS, leases))

    async def _settle(self, word: bytes, leases: Sequence[Leased]) -> list[Leased]:
        now = asyncio.get_running_loop().time()
        lost = [each for each in leases if each.token.until <= now]
        held = [each for each in leases if each.token.until > now]
        # A consumer takes them in order, so the answer to the last one is about all.
        last = {each.queue: index for index, each in enumerate(held)}
        for index, each in enumerate(held):
            if last[each.queue] != index:
                await self._wire.tell(each.token.reply, word)
        await self._wire.ask([(held[index].token.reply, word, None) for index in last.values()])
        if word is PROGRESS:
            for each in held:
                each.token.until = now + self.lease_seconds
        return lost

    async def _close(self) -> None:
        await self._pulling.close()
        await self._wire.close()

    def close(self) -> None:
        """Close the connection, and end the loop."""
        with suppress(DriverError):  # it was lost
            self._call(self._close())
        self._looping.close()


def _nak(delay: int) -> bytes:
    if delay <= 0:
        return NAK
    return NAK + b" " + json.dumps({"delay": delay * 1_000_000}).encode()


def _now() -> int:
    return time.time_ns() // 1_000_000


def _prefix(address: Address) -> str:
    prefix = str(address.options.get("prefix", PREFIX))
    # A virtual host is a place of its own.
    return prefix if address.virtual_host in {"", "/"} else f"{prefix}/{address.virtual_host}"


transport = RemoteTransport(NatsDriver, FEATURES, PORT)
