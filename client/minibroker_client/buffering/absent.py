"""Stands for a transport's channel while there is no connection.

Declarations and consumers are taken and come true with the connection, as after a reconnect; what
needs an answer from the broker raises `RecoverableConnectionError`.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NoReturn

from ..exceptions import LeaseLost, RecoverableConnectionError
from ..transport.base import Declared
from ..transport.properties import checked_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minibroker.properties import Properties

    from ..transport.base import TransportChannel

__all__ = ["AbsentChannel", "AbsentConnection"]


class AbsentConnection:
    """Stands for a transport's connection: all that it does is to open `AbsentChannel`s."""

    def channel(self, _: object) -> Any:
        """A channel without a broker."""
        return AbsentChannel()


class AbsentChannel:
    """See the module. It is what `TransportChannel` says, without a broker."""

    closed = False
    lost = True
    channel_id = 0
    unconfirmed = 0

    def __init__(self) -> None:
        self.highest_tag = 0

    def go_on_from(self, lost: TransportChannel) -> None:
        """See `TransportChannel`."""
        self.highest_tag = lost.highest_tag

    def properties(self, values: Mapping[str, Any]) -> Properties:
        """See `TransportChannel`."""
        return checked_record(values)

    def declare_exchange(self, name: str, *_: Any, passive: bool = False, **__: Any) -> None:
        """Taken for later, unless it is only asked whether it is there."""
        if passive:
            self._away("exchange.declare", name)

    def declare_queue(self, name: str = "", *, passive: bool = False, **_: Any) -> Declared:
        """Taken for later, unless the answer matters."""
        if passive or not name:
            self._away("queue.declare", name)
        return Declared(name, 0, 0)

    def _later(self, *_: Any, **__: Any) -> None:
        """Taken for later."""

    bind_queue = bind_exchange = unbind_queue = unbind_exchange = _later
    confirm_select = tx_select = qos = cancel = _later

    def consume(
        self, queue: str, callback: Callable[[Any], None], *, tag: str = "", **_: Any
    ) -> str:
        """Taken for later. Without a tag it gets one from here."""
        return tag or f"ctag-{uuid.uuid4().hex}"

    def _refused(self, tag: Any = 0, *_: Any, **__: Any) -> None:
        if type(tag) is int and 0 < tag <= self.highest_tag:
            raise LeaseLost.of(tag)
        self._away("the call", "")

    ack = nack = reject = recover = _refused
    get = purge_queue = delete_queue = delete_exchange = _refused
    publish = tx_commit = tx_rollback = _refused

    def answer(self, number: int) -> bool | None:
        """Nothing was published here."""
        return None

    confirmed = _refused

    def wait_for_confirms(self, outstanding: int = 0, timeout: float | None = None) -> list[int]:
        """Nothing was published here."""
        return []

    def close(self) -> None:
        """Nothing to close."""

    def _away(self, what: str, name: str) -> NoReturn:
        raise RecoverableConnectionError(f"{what} {name!r} needs the broker, and it is away")
