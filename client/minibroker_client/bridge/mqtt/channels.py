"""What of a channel the two ends of a link use, on MQTT. All else is refused by its name."""

from __future__ import annotations

import secrets
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import exceptions
from ...transport.base import Declared, TransportChannel
from .heard import FAILURE
from .properties import Values, is_retained, received, sent
from .settings import ONLY
from .topics import key_of, topic_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .settings import Settings
    from .wire import Wire

__all__ = ["EndChannel", "SourceChannel", "TargetChannel"]

FOREVER = float("inf")
QUIET, RARE = 0.5, 5.0
"""Seconds without a message after which the server is nudged, and between two times."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A message that came."""

    exchange: str
    routing_key: str
    properties: Values
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to be acked."""

    tag: int
    redelivered: bool
    message: Carried
    seq: object
    """What tells it from an equal one, of which message ids are made: the packet identifier, which
    is the same when it comes again. What comes at most once has something new."""
    consumer: None = None


class EndChannel:
    """The part that both have."""

    channel_id = 1

    def __init__(self, wire: Wire, settings: Settings) -> None:
        self._wire = wire
        self._settings = settings

    @property
    def closed(self) -> bool:
        """Whether the connection is."""
        return self._wire.closed

    def close(self) -> None:
        """Nothing to do: there is no channel in MQTT."""

    def look(self) -> None:
        """Deal with what `Wire` has."""

    def idle(self) -> None:
        """Nothing came for a while."""

    def __getattr__(self, name: str) -> Any:
        if not hasattr(TransportChannel, name):
            raise AttributeError(name)
        raise exceptions.NotSupported(f"{self._wire.where}: no {name} here: mqtt:// {ONLY}")


class SourceChannel(EndChannel):
    """Reads, and acks in the order of arrival."""

    def __init__(self, wire: Wire, settings: Settings, patience: float | None = None) -> None:
        super().__init__(wire, settings)
        self._patience = patience
        self._callback: Callable[[Any], None] | None = None
        self._unacked: deque[tuple[int, int]] = deque()
        self.highest_tag = 0
        self._came = self._nudged = -FOREVER
        self._stirred = False

    def qos(self, prefetch_count: int, global_: bool = False, prefetch_size: int = 0) -> None:
        """Was said while connecting: `Settings.window`."""

    def consume(self, queue: str, callback: Callable[[Any], None], **_: Any) -> str:
        """Subscribe, and have the callback told each message from now on."""
        self._callback = callback
        self._wire.subscribe(self._settings.topic_filter, self._patience)
        self.look()
        return "mqtt"

    def look(self) -> None:
        """Hand out what came."""
        messages, callback = self._wire.messages, self._callback
        if messages:
            self._came, self._stirred = time.monotonic(), True
        while messages and callback is not None:
            callback(self._delivery(messages.popleft()))

    def idle(self) -> None:
        """Make sure, once after something came, that the server has not forgotten the rest."""
        now = time.monotonic()
        if not self._stirred or self._unacked or now < max(self._came + QUIET, self._nudged + RARE):
            return
        self._nudged, self._stirred = now, False
        self._wire.nudge(self._settings.topic_filter)

    def _delivery(self, message: Any) -> Delivery:
        self.highest_tag += 1
        self._unacked.append((self.highest_tag, message.mid if message.qos else 0))
        prefix = self._settings.prefix
        values = received(message.properties, message.qos, bool(message.retain), prefix)
        carried = Carried("", key_of(message.topic, prefix), values, bytes(message.payload))
        seq = ("mqtt", message.mid) if message.qos else secrets.token_hex(8)
        return Delivery(self.highest_tag, bool(message.dup), carried, seq)

    def declare_queue(self, name: str = "", *, passive: bool = False, **_: Any) -> Declared:
        """How many wait at the server it does not tell: 0. Keeps the connection alive."""
        if not passive:
            raise exceptions.NotSupported(f"{self._wire.where}: MQTT has no queues to declare")
        self._wire.pump(0)
        return Declared(name, 0, 0)

    def ack(self, tag: int, multiple: bool = False) -> None:
        """Ack it and all before it, which is the only way here."""
        unacked = self._unacked
        while unacked and unacked[0][0] <= tag:
            number = unacked.popleft()[1]
            if number:
                self._wire.ack(number)


class TargetChannel(EndChannel):
    """Publishes, and knows what was confirmed."""

    def __init__(self, wire: Wire, settings: Settings) -> None:
        super().__init__(wire, settings)
        self._number = 0
        self._unanswered = 0
        self._answers: dict[int, bool] = {}

    @property
    def unconfirmed(self) -> int:
        """How many publishes have no answer yet, as far as was read."""
        return self._unanswered

    def confirm_select(self) -> None:
        """Is always so: a PUBACK is a confirm."""

    def declare_exchange(self, name: str, *_: Any, **__: Any) -> None:
        """There are none; which name stands for that was checked before."""

    def properties(self, values: Mapping[str, Any]) -> Values:
        """The record to publish with. `TypeError` for an unknown name."""
        return Values(**values)

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Values,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> int:
        """Publish. `ValueError` for what MQTT cannot carry."""
        settings, wire = self._settings, self._wire
        topic = topic_of(routing_key, settings.prefix)
        fields = sent(properties, settings.prefix) if wire.is_mqtt5 else {}
        retain = settings.retain or is_retained(properties)
        wire.publish(self._number + 1, topic, body, retain, fields)
        self._number += 1
        self._unanswered += 1
        return self._number

    def look(self) -> None:
        """Take the answers that came."""
        answers = self._wire.answers
        while answers:
            number, reason = answers.popleft()
            self._unanswered -= 1
            self._answers[number] = reason < FAILURE

    def answer(self, number: int) -> bool | None:
        """Whether a publish was taken; None while that is not known. It is told once."""
        return self._answers.pop(number, None)

    def wait_for_answers(self, outstanding: int, timeout: float | None = None) -> None:
        """Wait until no more than so many have no answer. `TimeoutError` after `timeout`."""
        end = FOREVER if timeout is None else time.monotonic() + timeout
        self.look()
        while self._unanswered > outstanding:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{self._wire.where} does not confirm in time")
            self._wire.pump(left)
            self.look()
