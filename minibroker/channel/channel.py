"""One channel: its three sides put together, transactions, acks that do not come, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PreconditionFailed
from ..events import Cancelled, ChannelClosed
from .consuming import Consuming
from .publishing import Publishing
from .state import Settlement

if TYPE_CHECKING:
    from ..errors import AMQPError
    from ..queues import BaseQueue, Entry
    from ..queues.consumers import Consumer

__all__ = ["Channel"]


class Channel(Publishing, Consuming):
    """One channel of a connection. Thread-safe: every call takes the broker's lock.

    An error leaves the channel as it was; whoever speaks for the client closes it, as AMQP wants.
    """

    __slots__ = ()

    # -- transactions

    def tx_commit(self) -> None:
        """Publish and settle what the transaction holds (`tx.commit`).

        With a log that is synced always, all of it is on the disk when this returns; InternalError
        says that it could not be written, and then it is undecided whether it will be. Messages
        come first, so the returned ones are in the outbox when this is done. Raises
        PreconditionFailed on a channel that is not transactional; and after everything else was
        done, if a full queue refused one of the messages (RabbitMQ's `rabbit_channel`).
        """
        with self.guard:
            self.ensure_open()
            transaction = self.begin_transaction()
            accepted = self.publish_all(transaction)
            for settlement in transaction.settled:
                self.settle(settlement)
            if self.journal is not None:
                self.journal.wait()
            if not accepted:
                raise PreconditionFailed("partial tx completion")

    def tx_rollback(self) -> None:
        """Forget what the transaction holds: what it settled is unacked again (`tx.rollback`)."""
        with self.guard:
            self.ensure_open()
            settled = self.begin_transaction().settled
            self._take_back(settled)
            for settlement in settled:
                for entry in settlement.entries:
                    self.watch_timeouts(entry)

    def _take_back(self, settlements: list[Settlement]) -> None:
        for settlement in settlements:
            for entry in settlement.entries:
                self.unacked[entry.tag] = entry
        self.unacked = dict(sorted(self.unacked.items()))

    # -- acks that do not come

    def watch_timeouts(self, entry: Entry) -> None:
        """An entry was handed out: look every so often whether it is acked."""
        timeouts = [self._timeout_of(entry.queue, entry.consumer)]
        timeouts += [self._timeout_of(other.queue, other) for other in self.consumers.values()]
        shortest = min((each for each in timeouts if each is not None), default=None)
        if shortest is not None:
            vhost = self.vhost
            self.timeouts.watch(
                vhost.timers, vhost.now(), self.last_tag, shortest, self._check_timeouts
            )

    def _timeout_of(self, queue: BaseQueue, consumer: Consumer | None) -> int | None:
        """Milliseconds that a delivery may stay unacked; None for ever."""
        profile = self.vhost.profile
        if profile.consumer_timeout_cancels and queue.kind != "quorum":
            return None
        if consumer is not None and consumer.settings.timeout is not None:
            return consumer.settings.timeout
        own = queue.settings.consumer_timeout
        return profile.consumer_timeout if own is None else own

    def _check_timeouts(self, now: int) -> None:
        first = next(iter(self.unacked), None)
        if first is None:
            self.timeouts.stop()
            self.watches = True
            return
        overdue = self.timeouts.overdue(
            now, self.unacked, lambda entry: self._timeout_of(entry.queue, entry.consumer)
        )
        if overdue is None:
            self.timeouts.note(now, self.last_tag, first)
            return
        entry, timeout = overdue
        if self.vhost.profile.consumer_timeout_cancels and entry.consumer is not None:
            self._cancel_overdue(entry.consumer)
            self.timeouts.note(now, self.last_tag, first)
            return
        self.end(
            PreconditionFailed(
                f"delivery acknowledgement on channel {self.number} timed out. "
                f"Timeout value used: {timeout} ms. This timeout value can be configured, see "
                "consumers doc guide to learn more"
            )
        )

    def _cancel_overdue(self, consumer: Consumer) -> None:
        tags = [tag for tag, entry in self.unacked.items() if entry.consumer is consumer]
        entries = [self.unacked.pop(tag) for tag in tags]
        self.connection.withdraw(self, consumer)
        self.consumers.pop(consumer.tag, None)
        consumer.queue.unsubscribe(consumer)
        self.connection.send(Cancelled(self, consumer.tag))
        self.settle(Settlement(entries, "lost", requeue=True))

    def access_changed(self) -> None:
        """The connection may do other things now: consumers that may not read are cancelled."""
        self.choose_path()
        for consumer in list(self.consumers.values()):
            queue = consumer.queue
            if queue.keeps and not self.connection.access.may_read(queue.name):
                del self.consumers[consumer.tag]
                queue.unsubscribe(consumer)
                self.connection.send(Cancelled(self, consumer.tag))

    # -- the end

    def end(self, error: AMQPError) -> None:
        """The broker closes the channel by itself, and says why."""
        self.close()
        self.connection.send(ChannelClosed(self, error))

    def close(self) -> None:
        """Close the channel: its consumers end, and what is unacked goes back to its place.

        Closing twice does nothing (`channel.close`).
        """
        with self.guard:
            if not self.closed:
                self.give_back(self.leave())
                self.connection.channels.remove(self)

    def leave(self) -> list[BaseQueue]:
        """First part of closing: nothing comes in or goes out any more.

        Returns the queues that it consumed from: others there may have their turn now.
        """
        self.closed = True
        self.choose_path()
        self.timeouts.stop()
        self.connection.withdraw(self)
        left: list[BaseQueue] = []
        for consumer in list(self.consumers.values()):
            del self.consumers[consumer.tag]
            consumer.queue.lose(consumer)
            left.append(consumer.queue)
        self.drop_reply_queue()
        if self.gate.on:
            self.gate.interrupt()  # a thread may wait to publish here
        return left

    def give_back(self, left: list[BaseQueue]) -> None:
        """Second part of closing: what is unacked goes back, to consumers who are still there.

        `left` are the queues that `leave` returned.
        """
        if self.transaction is not None:
            self._take_back(self.transaction.settled)
            self.transaction = None
        entries = list(self.unacked.values())
        self.unacked.clear()
        self.settle(Settlement(entries, "lost", requeue=True))
        for queue in left:
            if not queue.deleted:
                queue.pump()

    def _check(self) -> None:
        assert list(self.unacked) == sorted(self.unacked), "tags out of order"
        assert self.plain <= (not self.closed), "a closed channel on the fast path"
