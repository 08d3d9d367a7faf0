"""How messages go into streams: published together, then confirmed one by one, or refused."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...remote.driver import Outgoing, Put, Refused
from .messages import MESSAGE_ID, headers_of, size_of
from .wire import NO_RESPONDERS, APIError, read, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .facts import Bucket
    from .places import Places
    from .wire import Question, Wire

__all__ = ["Putting"]


class Putting:
    """Publishes for one connection, in its loop. `deduplicate` sends message ids along."""

    def __init__(self, wire: Wire, places: Places, bucket: Bucket, deduplicate: bool) -> None:
        self._wire = wire
        self._places = places
        self._bucket = bucket
        self._deduplicate = deduplicate

    async def put(self, batch: Sequence[Outgoing]) -> Put:
        """Publish all, then await what JetStream says of each."""
        questions: list[Question] = []
        places: list[int] = []
        refused: list[Refused] = []
        for index, outgoing in enumerate(batch):
            question = await self._question(outgoing)
            size = size_of(question[2] or {}, question[1])
            if size > self._wire.client.max_payload:
                most = self._wire.client.max_payload
                text = f"the message has {size} bytes with its properties, NATS takes {most}"
                refused.append(Refused(index, text))
            else:
                questions.append(question)
                places.append(index)
        answers = await self._wire.ask(questions)
        for index, answer in zip(places, answers, strict=True):
            if status_of(answer) == NO_RESPONDERS:
                self._places.of(batch[index].queue).known = False
                text = f"queue {batch[index].queue!r} is not there in NATS"
                refused.append(Refused(index, text))
            elif b'"error"' in answer.data:
                try:
                    read(answer, "publish")
                except APIError as error:
                    refused.append(Refused(index, str(error)))
        return Put(self._bucket.version, refused)

    async def _question(self, outgoing: Outgoing) -> Question:
        place = self._places.of(outgoing.queue)
        body, message_id = outgoing.message.body, outgoing.message.properties.message_id
        subject, due = place.names.subject, None
        if outgoing.delay:
            await self._places.find(place)
            due = now() + outgoing.delay
        headers = headers_of(outgoing, None if place.holds else due)
        if due is not None and place.holds:
            at = datetime.fromtimestamp(due / 1000, UTC).isoformat(timespec="milliseconds")
            headers["Nats-Schedule"] = f"@at {at.removesuffix('+00:00')}Z"
            headers["Nats-Schedule-Target"] = subject
            subject = f"{place.names.later}.{secrets.token_hex(12)}"  # each has one of its own
        if self._deduplicate and message_id and "message_id" in headers:
            headers[MESSAGE_ID] = headers["message_id"]
        return subject, body, headers


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
