"""A channel of a connection to a system: the broker's own channel, with what the system cannot do
refused, and what travels sent when it has to be.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

from .. import exceptions
from .publishing import Publishing
from .queue import RemoteEntry
from .refusals import check_consumer, check_queue
from .vhost import Stranger

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.queues import Entry

    from ..transport.base import Arguments, Declared, Fetched, TransportChannel

__all__ = ["RemoteChannel"]


class RemoteChannel(Publishing):
    """A `TransportChannel` of a connection to a system. Thread-safe as that is."""

    def go_on_from(self, lost: TransportChannel) -> None:
        """See `TransportChannel`; what the lost one had leased is given back at once."""
        super().go_on_from(lost)
        if isinstance(lost, RemoteChannel) and lost.remote.driver is not self.remote.driver:
            self.remote.take_over(lost.remote)

    # -- consuming

    def consume(
        self,
        queue: str,
        callback: Callable[[Entry], None],
        *,
        tag: str = "",
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Arguments = None,
    ) -> str:
        """basic.consume."""
        self._check(check_consumer, queue, exclusive, "basic.consume")
        self._look("basic.consume", queue)
        return super().consume(
            queue, callback, tag=tag, no_ack=no_ack, exclusive=exclusive, arguments=arguments
        )

    def get(self, queue: str, no_ack: bool = False) -> Fetched | None:
        """basic.get."""
        self._look("basic.get", queue)
        got = super().get(queue, no_ack)
        if got is None or no_ack:
            self.flush("basic.get")  # what was expired, or is settled with that
        return got

    def cancel(self, tag: str) -> None:
        """basic.cancel: what was leased for the consumer and not looked at goes back."""
        super().cancel(tag)
        self.flush("basic.cancel")

    def ack(self, tag: int, multiple: bool = False) -> None:
        """basic.ack. `LeaseLost` when somebody else has the message by now."""
        lost = self._lost(tag, multiple)
        super().ack(tag, multiple)
        remote = self.remote
        if not remote.held or len(remote.settled) >= self._batch:
            self.flush("basic.ack")
        else:
            remote.keeper.settled()
        self._tell(lost)

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True) -> None:
        """basic.nack: at once. `LeaseLost` when somebody else has the message by now."""
        lost = self._lost(tag, multiple)
        super().nack(tag, multiple, requeue)
        self.flush("basic.nack")
        self._tell(lost)

    def reject(self, tag: int, requeue: bool = True) -> None:
        """basic.reject: at once. `LeaseLost` when somebody else has the message by now."""
        lost = self._lost(tag, False)
        super().reject(tag, requeue)
        self.flush("basic.reject")
        self._tell(lost)

    def recover(self, requeue: bool = True) -> None:
        """basic.recover."""
        super().recover(requeue)
        self.flush("basic.recover")

    def _lost(self, tag: int, multiple: bool) -> list[int]:
        """Of the deliveries that are meant, those whose lease has ended; they are marked."""
        unacked = self.inner.unacked
        if not multiple:
            entry = unacked.get(tag)
            entries = [] if entry is None else [entry]
        else:
            entries = [each for key, each in unacked.items() if not tag or key <= tag]
        now = time.monotonic()
        lost = []
        for entry in entries:
            if isinstance(entry, RemoteEntry) and (entry.lost or entry.deadline < now):
                entry.lost = True
                lost.append(entry.tag)
        return lost

    def _tell(self, lost: list[int]) -> None:
        if lost:
            raise exceptions.LeaseLost.expired(lost[0])
        if self.remote.losses:
            count = self.remote.take_losses()
            text = f"{count} deliveries were acked after their leases had ended: they come again"
            raise exceptions.LeaseLost(text)

    # -- declaring

    def declare_queue(
        self,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Arguments = None,
    ) -> Declared:
        """queue.declare. `NotSupported` for what the system cannot do."""
        if not passive:
            kinds = exclusive, auto_delete
            features = self.remote.driver.features
            self._check(check_queue, name, kinds, arguments or {}, features)
        self._look("queue.declare", name)
        return super().declare_queue(
            name,
            passive=passive,
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            arguments=arguments,
        )

    def _look(self, method: str, queue: str) -> None:
        """See what others declared, if a queue is not known here, or was another's."""
        found = self.inner.vhost.queues.get(queue)
        if found is None or isinstance(found.owner, Stranger):
            self.look_again(method)

    def _check(self, check: Callable[..., str | None], *args: Any) -> None:
        """Refuse what the system cannot do, and close the channel for it."""
        text = check(*args)
        if text is not None and not self.inner.closed:
            self._refuse(text)

    def _refuse(self, text: str) -> NoReturn:
        self.close()
        raise exceptions.NotSupported(text)

    def tx_select(self) -> None:
        """tx.select: refused, as no system can do it honestly."""
        if not self.inner.closed:
            self._refuse("transactions are not supported here: use confirms")
        super().tx_select()

    def close(self) -> None:
        """channel.close: what is unacked goes back at once."""
        super().close()
        if not self.remote.closed:
            self.flush("channel.close")
