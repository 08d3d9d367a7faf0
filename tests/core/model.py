"""A small model of a broker for `test_broker_machine`: lists, dicts, and SEMANTICS 2.B to 2.I.

It shares no code with the broker and does everything the slow way. `Refused` carries the reply
code of an error; whatever raises it, but for a commit, has changed nothing. Where the numbered
lines leave a choice open the model settles it as follows: whoever gets credit back takes turns
behind the others; a settlement returns credit first, then touches its queues in the order of
their first delivery,
and then serves the queues of the channel's consumers in the order of subscription, or of the last
delivery under a shared limit.

The parts: `model_routing` for exchanges, `model_queue` for the order in one queue,
`model_delivering` for messages on their way, `model_settling` for their end; here transactions,
ends and time.
"""

from __future__ import annotations

from .model_delivering import Refused
from .model_queue import ChannelModel, ConnectionModel, Msg, QueueModel, Reader
from .model_routing import BindingModel, ExchangeModel
from .model_settling import SettlingModel

__all__ = [
    "BindingModel",
    "ChannelModel",
    "ConnectionModel",
    "ExchangeModel",
    "Model",
    "Msg",
    "Reader",
    "Refused",
]


class Model(SettlingModel):
    """A broker with one virtual host."""

    # -- modes

    def confirm_select(self, channel: ChannelModel) -> None:
        """`confirm.select` (61)."""
        if channel.tx is not None:
            raise Refused(406)
        channel.published = channel.published or 0

    def tx_select(self, channel: ChannelModel) -> None:
        """`tx.select` (61, 66)."""
        if channel.published is not None:
            raise Refused(406)
        channel.tx = channel.tx or []

    def tx_commit(self, channel: ChannelModel) -> None:
        """Publishes come first, then what was settled (66)."""
        if channel.tx is None:
            raise Refused(406)
        published, channel.tx = channel.tx, []
        results = [self._publish(channel, *each) for each in published]
        accepted = all(results)
        while channel.tx_settled:
            self._settle(channel, *channel.tx_settled.pop(0))
        if not accepted:
            raise Refused(406)

    def tx_rollback(self, channel: ChannelModel) -> None:
        """What was settled is unacked again (66)."""
        if channel.tx is None:
            raise Refused(406)
        channel.tx = []
        self._take_back(channel)

    def _take_back(self, channel: ChannelModel) -> None:
        for deliveries, _, _ in channel.tx_settled:
            channel.unacked.update({delivery.tag: delivery for delivery in deliveries})
        channel.tx_settled.clear()
        channel.unacked = dict(sorted(channel.unacked.items()))

    # -- ends

    def close_channel(self, channel: ChannelModel) -> None:
        """Its consumers end, and then its unacked entries go back (71), before others get more."""
        self._give_back(channel, self._stop(channel))

    def _stop(self, channel: ChannelModel) -> list[QueueModel]:
        channel.closed = True
        left = [reader.queue for reader in channel.readers]
        for reader in list(channel.readers):
            self._end(reader)
        return left

    def _give_back(self, channel: ChannelModel, left: list[QueueModel]) -> None:
        self._take_back(channel)
        self.recover(channel, "lost")
        for queue in left:
            if not queue.gone:
                self._serve(queue)
        channel.connection.channels.remove(channel)

    def close_connection(self, connection: ConnectionModel) -> None:
        """None of its channels gets what another one gives back; its own queues go last (15)."""
        for channel in connection.channels:
            channel.closed = True
        left = [self._stop(channel) for channel in connection.channels]
        for channel, queues in zip(list(connection.channels), left, strict=True):
            self._give_back(channel, queues)
        for queue in list(self.queues.values()):
            if queue.owner is connection:
                self._remove(queue)

    # -- time

    def advance(self, milliseconds: int) -> None:
        """Whatever falls due on the way happens at its time."""
        target = self.now + milliseconds
        while True:
            due = [queue.deadline for queue in self.queues.values() if queue.deadline]
            due += [queue.idle for queue in self.queues.values() if queue.idle]
            earliest = min(due, default=None)
            if earliest is None or earliest[0] > target:
                break
            self.now = max(self.now, earliest[0])
            self._run(earliest)
        self.now = target

    def _run(self, due: tuple[int, int]) -> None:
        for queue in list(self.queues.values()):
            if queue.idle == due:
                self._remove(queue)
                return
            if queue.deadline == due:
                queue.deadline = None
                self._expire(queue)
                return
