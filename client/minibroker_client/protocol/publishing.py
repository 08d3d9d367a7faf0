"""The half of a channel that publishes, without the bytes: confirms, and waiting for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibroker.wire.amqp import spec

from .. import exceptions
from ..transport.properties import record_of
from .pending import Pending
from .state import ChannelState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minibroker.properties import Properties

__all__ = ["Publishing"]


class Publishing(ChannelState):
    """Publishes, waits for confirms, does transactions."""

    def properties(self, values: Mapping[str, Any]) -> Properties:
        """The record that `publish` takes. `TypeError` for an unknown name, and, as `ValueError`,
        for a value that AMQP cannot carry.
        """
        record = record_of(values)
        self.encode(record)
        return record

    def encode(self, properties: Properties) -> bytes:
        """The properties as this protocol carries them, made once."""
        raise NotImplementedError

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> int:
        """basic.publish."""
        raise NotImplementedError

    def before_publish(self, timeout: float | None) -> None:
        """What rarely is to be looked at: a closed channel, a broker that takes no messages."""
        self.ensure_open()
        blocked = self.connection.blocked
        if blocked is None:
            return
        try:
            self.connection.shell.perform(self.connection.unblocking(), timeout)
        except TimeoutError:
            text = f"the broker takes no messages: {blocked}"
            raise exceptions.PublisherBlocked(text) from None
        self.ensure_open()

    def confirmed(self, number: int, timeout: float | None = None) -> Any:
        """Wait for the confirm of a publish; see `TransportChannel`."""
        confirms = self.confirms
        pending = self._answer(lambda: not confirms.waits(number), lambda: confirms.take(number))
        confirms.when_answered(number, lambda: self._look(pending))
        if self.closed:
            confirms.abandon()
        return self.connection.shell.perform(pending, timeout)

    def answer(self, number: int) -> bool | None:
        """Whether a publish was acked; see `TransportChannel`."""
        return None if self.confirms.waits(number) else self.confirms.take(number)

    def wait_for_answers(self, outstanding: int, timeout: float | None = None) -> Any:
        """Wait until no more publishes than that are unconfirmed; see `TransportChannel`."""
        return self._few(outstanding, lambda: None, timeout)

    def wait_for_confirms(self, outstanding: int = 0, timeout: float | None = None) -> Any:
        """As `wait_for_answers`; the numbers that were refused."""
        return self._few(outstanding, self.confirms.take_refused, timeout)

    def _few(self, most: int, result: Callable[[], Any], timeout: float | None) -> Any:
        confirms = self.confirms
        pending = self._answer(lambda: len(confirms) <= most, result)
        confirms.when_few(most, lambda: self._look(pending))
        if self.closed:
            confirms.abandon()
        return self.connection.shell.perform(pending, timeout)

    def _answer(self, is_there: Callable[[], bool], result: Callable[[], Any]) -> Pending:
        def value(_: None) -> Any:
            if not is_there():
                self.ensure_open()  # raises
            return result()

        return Pending("basic.publish", value)

    def _look(self, pending: Pending) -> None:
        """The answer is there, or there will be none."""
        try:
            pending.succeed(None)
        except exceptions.AMQPError as error:
            pending.fail(error)

    def confirm_select(self) -> Any:
        """confirm.select."""
        if self.confirming:
            return self.call(spec.ConfirmSelect())
        return self.call(spec.ConfirmSelect(), lambda _: setattr(self, "confirming", True))

    def tx_select(self) -> Any:
        """tx.select."""
        return self.call(spec.TxSelect())

    def tx_commit(self) -> Any:
        """tx.commit."""
        return self.call(spec.TxCommit())

    def tx_rollback(self) -> Any:
        """tx.rollback."""
        return self.call(spec.TxRollback())
