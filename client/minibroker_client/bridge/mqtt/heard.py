"""What paho tells of a connection, noted. Decides nothing, and calls nobody.

Source of the reason codes: MQTT 5 section 2.4.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ... import exceptions

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["FAILURE", "Heard"]

FAILURE = 0x80
"""Reason codes from here on say no."""
TOO_LARGE, TAKEN_OVER = 0x95, 0x8E


class Heard:
    """Of one connection. Written in the thread that reads from it."""

    def __init__(self, where: str, settings: Settings) -> None:
        self._where = where
        self._client_id = settings.client_id
        self.events = 0
        """How often anything was told."""
        self.messages: deque[Any] = deque()
        """What came: paho's own."""
        self.answers: deque[tuple[int, int]] = deque()
        """The numbers of publishes that are answered, with the reason code."""
        self.sent: dict[int, int] = {}
        """Their numbers by packet identifier, while they are not."""
        self.room = settings.window
        """How many of them there may be."""
        self.max_packet: int | None = None
        """Bytes that the server takes."""
        self.greeting: tuple[int, str] | None = None
        """The answer to the connect, 0 for yes."""
        self.kept = False
        """Whether the server has kept what came while this client was away."""
        self.granted: int | None = None
        """The answer to the subscription: a level of service, or a failure."""
        self.lost: Exception | None = None
        """Why it is over."""

    def listen_to(self, client: Any) -> None:
        """Be told by a client of paho."""
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def _on_connect(self, _c: Any, _d: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.events += 1
        self.greeting = reason.value if reason.is_failure else 0, str(reason)
        self.kept = bool(flags.session_present)
        self.max_packet = getattr(properties, "MaximumPacketSize", None)
        self.room = min(self.room, getattr(properties, "ReceiveMaximum", self.room))

    def _on_disconnect(self, _c: Any, _d: Any, flags: Any, reason: Any, _p: Any) -> None:
        if not flags.is_disconnect_packet_from_server:
            text = f"the connection to {self._where} was lost ({reason})"
            self.lost = self.lost or exceptions.ConnectionLost(text)
        elif reason is not None and reason.value == TOO_LARGE:
            self.lost = exceptions.ContentTooLarge(f"{self._where}: {reason}")
        else:
            text = f"{self._where} ended the connection: {reason}"
            if reason is not None and reason.value == TAKEN_OVER:
                text += f" (another client came as {self._client_id!r})"
            self.lost = exceptions.ConnectionForced(text)

    def _on_publish(self, _c: Any, _d: Any, number: int, reason: Any, _p: Any) -> None:
        self.events += 1
        self.answers.append((self.sent.pop(number), reason.value))

    def _on_subscribe(self, _c: Any, _d: Any, _number: int, reasons: Any, _p: Any) -> None:
        self.events += 1
        self.granted = max(reason.value for reason in reasons)

    def _on_message(self, _c: Any, _d: Any, message: Any) -> None:
        self.events += 1
        self.messages.append(message)
