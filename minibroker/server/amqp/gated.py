"""A client that publishes while the broker is short: it is not read any more until it may go on.

Source: RabbitMQ documentation, "Memory and Disk Alarms" and "Blocked Connections".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.amqp import spec
from .base import ConnectionBase
from .states import OPEN

if TYPE_CHECKING:
    from ...serving import Serves
    from ..sasl import Peer
    from ..settings import ServerSettings
    from .base import Outlet

__all__ = ["Gated"]


class Gated(ConnectionBase):
    """The part of a connection that holds what may not be handled yet."""

    def __init__(
        self, broker: Serves, settings: ServerSettings, peer: Peer, outlet: Outlet
    ) -> None:
        super().__init__(broker, settings, peer, outlet)
        self.told_blocked = False
        self.held: bytes | None = None
        """What came from a publish on that has to wait at the gate, or is not read for now."""
        self._gated = False
        """Whether it waits at the gate."""

    def consume(self, data: bytes) -> None:
        """Handle bytes, from where the last ones ended."""
        raise NotImplementedError

    def hold(self, data: bytes, at_gate: bool = False) -> None:
        """What comes from here on has to wait."""
        self.held = data
        self._gated = at_gate
        self.heartbeats.excused = True
        if at_gate:
            self.gate.when_open(self.outlet.woken)
            self.tell_blocked()

    def tell_blocked(self) -> None:
        """Tell a client that wants to publish why it has to wait (16)."""
        words = self.gate.words
        if not self._gated or words is None or self.told_blocked:
            return
        self.outlet.told("blocked", reason=words, user=self.user)
        if "connection.blocked" in self.capabilities:
            self.told_blocked = True
            self.send(0, spec.ConnectionBlocked(words))

    def go_on(self) -> None:
        """Read what was held back: it does not have to wait any more."""
        data, self.held, self._gated = self.held, None, False
        if data is None:
            return
        self.heartbeats.excused = False
        self.gate.forget(self.outlet.woken)
        if self.told_blocked and self.state is OPEN:
            self.send(0, spec.ConnectionUnblocked())
        self.told_blocked = False
        self.consume(data)
