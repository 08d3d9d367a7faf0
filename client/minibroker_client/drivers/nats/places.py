"""Queues in NATS: a work queue stream each, with one durable consumer. Runs in an event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from .names import Names, names_of
from .pulling import CONSUMER
from .wire import APIError, Wire

__all__ = ["Place", "Places"]

NOT_THERE = 404
OTHERWISE = frozenset({10058, 10148})
"""The errors of a stream, or a consumer, that is there with other settings."""


@dataclass(slots=True, eq=False)
class Place:
    """A queue in NATS."""

    names: Names
    known: bool = False
    """Whether stream and consumer have been found there."""
    holds: bool = False
    """Whether the stream holds messages back until they are due."""


class Places:
    """Those of one prefix. Only `of` is for any thread."""

    def __init__(self, wire: Wire, prefix: str, lease_seconds: float, replicas: int) -> None:
        self._wire = wire
        self._prefix = prefix
        self._lease_seconds = lease_seconds
        self._replicas = replicas
        self._places: dict[str, Place] = {}

    def of(self, queue: str) -> Place:
        """What is known here about a queue."""
        place = self._places.get(queue)
        if place is None:
            place = self._places[queue] = Place(names_of(queue, self._prefix))
        return place

    async def declare(self, queue: str) -> None:
        """Make what is not there."""
        place = self.of(queue)
        names = place.names
        settings = {
            "name": names.stream,
            "subjects": [names.subject, f"{names.later}.*"],
            "retention": "workqueue",
            "storage": "file",
            "num_replicas": self._replicas,
            "allow_msg_schedules": True,
        }
        try:
            await self._wire.api(f"STREAM.CREATE.{names.stream}", settings)
        except APIError as error:
            if error.number not in OTHERWISE:  # as its administrator likes it
                raise
        await self.find(place)

    async def find(self, place: Place) -> bool:
        """Whether the stream is there; its consumer is, then."""
        if place.known:
            return True
        try:
            info = await self._wire.api(f"STREAM.INFO.{place.names.stream}")
        except APIError as error:
            if error.code != NOT_THERE:
                raise
            return False
        # A server that does not know the setting takes it, and forgets it.
        place.holds = bool(info["config"].get("allow_msg_schedules"))
        await self._make_consumer(place.names)
        place.known = True
        return True

    async def _make_consumer(self, names: Names) -> None:
        """The consumer's lease becomes the longest that any client asks for.

        With a longer one than its own, a client renews more often than it must, and that is all.
        """
        mine = int(self._lease_seconds * 1e9)
        settings = {
            "durable_name": CONSUMER,
            "ack_policy": "explicit",
            "ack_wait": mine,
            "max_deliver": -1,
            "max_ack_pending": -1,
            "max_waiting": 8192,
            "filter_subject": names.subject,
        }
        request: dict[str, Any] = {"stream_name": names.stream, "config": settings}
        create = f"CONSUMER.DURABLE.CREATE.{names.stream}.{CONSUMER}"
        try:
            found = await self._wire.api(f"CONSUMER.INFO.{names.stream}.{CONSUMER}")
        except APIError as error:
            if error.code != NOT_THERE:
                raise
            try:
                found = await self._wire.api(create, {**request, "action": "create"})
            except APIError as taken:
                if taken.number not in OTHERWISE:
                    raise
                found = await self._wire.api(f"CONSUMER.INFO.{names.stream}.{CONSUMER}")
        if found["config"]["ack_wait"] < mine:
            request["config"] = {**found["config"], "ack_wait": mine}
            await self._wire.api(create, request)

    async def size(self, queue: str) -> int:
        """How many are in the stream and were not delivered."""
        names = self.of(queue).names
        # The consumer's own count of what is left lags behind a moment.
        there = f"STREAM.INFO.{names.stream}", {"subjects_filter": names.subject}
        taken = f"CONSUMER.INFO.{names.stream}.{CONSUMER}", None
        try:
            stream, consumer = await asyncio.gather(self._wire.api(*there), self._wire.api(*taken))
        except APIError as error:
            if error.code != NOT_THERE:
                raise
            return 0
        ready = (stream["state"].get("subjects") or {}).get(names.subject, 0)
        return max(int(ready) - int(consumer["num_ack_pending"]), 0)

    async def delete(self, queue: str) -> None:
        """Delete the stream, with its consumer."""
        place = self._places.pop(queue, None) or Place(names_of(queue, self._prefix))
        try:
            await self._wire.api(f"STREAM.DELETE.{place.names.stream}")
        except APIError as error:
            if error.code != NOT_THERE:
                raise
