"""The queues, publishers and consumers of the model: SEMANTICS 2.D to 2.H, the slow way."""

from __future__ import annotations

from .model_queue import (
    ChannelModel,
    ConnectionModel,
    Delivery,
    Msg,
    Place,
    QueueModel,
    Reader,
)
from .model_routing import RoutingModel


class Refused(Exception):
    """The operation is an error with this reply code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class DeliveringModel(RoutingModel):
    """Messages on their way. `delivery_limit` is the default of quorum queues."""

    def __init__(
        self,
        now: int,
        delivery_limit: int | None,
        nack_counts: bool,
        levels: str,
        takeover_by_priority: bool,
    ) -> None:
        super().__init__()
        self.now = now
        self.delivery_limit = delivery_limit
        self.nack_counts = nack_counts
        self.levels = levels
        self.takeover_by_priority = takeover_by_priority
        self.line: list[tuple[QueueModel, Msg, str]] = []
        self.routing_letters = False
        self.order = 0

    # -- time

    def _touch(self, queue: QueueModel) -> None:
        """It was used: the time to its `x-expires` begins anew (93)."""
        expires = queue.arguments.get("x-expires")
        if isinstance(expires, int) and not queue.readers:
            queue.idle = self._due(queue.idle, self.now + expires)
        else:
            queue.idle = None

    def _arm(self, queue: QueueModel) -> None:
        """The deadline of a queue is that of its head (89)."""
        expires = queue.head().expires if queue.ready else None
        queue.deadline = None if expires is None else self._due(queue.deadline, expires)

    def _due(self, before: tuple[int, int] | None, when: int) -> tuple[int, int]:
        if before is not None and before[0] == when:
            return before
        self.order += 1
        return when, self.order

    # -- queues

    def queue(self, name: str, connection: ConnectionModel) -> QueueModel:
        """A queue that the connection may use (34, 35)."""
        queue = self.queues.get(name)
        if queue is None:
            raise Refused(404)
        if queue.owner not in {None, connection}:
            raise Refused(405)
        return queue

    def declare(
        self,
        name: str,
        connection: ConnectionModel,
        arguments: dict[str, object],
        exclusive: bool,
        auto_delete: bool,
    ) -> tuple[str, int, int]:
        """`queue.declare` (29, 34, 93)."""
        queue = self.queues.get(name)
        if queue is None:
            owner = connection if exclusive else None
            queue = QueueModel(name, arguments, owner, auto_delete, levels=self.levels)
            if queue.kind == "quorum":
                limit = arguments.get("x-delivery-limit", self.delivery_limit)
                assert limit is None or isinstance(limit, int)
                queue.delivery_limit = limit
            self.queues[name] = queue
            self._touch(queue)
            return name, 0, 0
        if queue.owner is not (connection if exclusive else None):
            raise Refused(405)
        if (queue.arguments, queue.auto_delete) != (arguments, auto_delete):
            raise Refused(406)
        if queue.kind != "quorum":
            self._touch(queue)
        return name, len(queue.ready), queue.consumer_count()

    def delete(
        self, name: str, connection: ConnectionModel, if_unused: bool, if_empty: bool
    ) -> int:
        """`queue.delete` (37, 38, 39)."""
        if name not in self.queues:
            return 0
        queue = self.queue(name, connection)
        if queue.kind == "quorum" and (if_unused or if_empty):
            raise Refused(540)
        if (if_unused and queue.readers) or (if_empty and queue.ready):
            raise Refused(406)
        count = len(queue.ready)
        self._remove(queue)
        return count

    def _remove(self, queue: QueueModel) -> None:
        del self.queues[queue.name]
        queue.gone = True
        queue.ready.clear()
        queue.deadline = queue.idle = None
        self.unbind_destination(queue.name, is_queue=True)
        for reader in queue.readers:
            reader.active = False
            reader.channel.readers.remove(reader)
            reader.channel.connection.outbox.append(
                ("cancelled", reader.channel.number, reader.tag)
            )
        queue.readers.clear()

    def purge(self, name: str, connection: ConnectionModel) -> int:
        """`queue.purge` (39): unacked entries stay, and nothing is dead-lettered."""
        queue = self.queue(name, connection)
        count = len(queue.ready)
        queue.ready.clear()
        self._arm(queue)
        return count

    # -- publishing

    def publish(self, channel: ChannelModel, msg: Msg, mandatory: bool) -> int:
        """`basic.publish`; the publish sequence number, 0 outside of confirm mode."""
        if msg.exchange not in self.exchanges:
            raise Refused(404)
        queues = self.route(msg.exchange, msg, (msg.key, *msg.copies))
        if channel.tx is not None:
            channel.tx.append((msg, queues, mandatory))
            return 0
        accepted = self._publish(channel, msg, queues, mandatory)
        if channel.published is None:
            return 0
        channel.published += 1
        channel.connection.outbox.append(
            ("confirmed", channel.number, channel.published, False, accepted)
        )
        return channel.published

    def _publish(
        self, channel: ChannelModel, msg: Msg, queues: list[QueueModel], mandatory: bool
    ) -> bool:
        if mandatory and not queues:
            channel.connection.outbox.append(("returned", channel.number, msg.body))
        self.routing_letters = True  # those that this causes come behind it
        results = [self._push(queue, msg) for queue in queues if not queue.gone]
        self._run_letters()
        return all(results)

    def _push(self, queue: QueueModel, msg: Msg) -> bool:
        if queue.overflow != "drop-head" and queue.exceeds(1):
            if queue.overflow == "reject-publish-dlx":
                self._dead_letter(queue, msg, "maxlen")
            return False
        place = queue.enter(msg, self.now)
        reader = self._next(queue)
        if reader is not None:
            self._hand_over(place, reader)
        else:
            queue.ready.append(place)
            dropped = self._over_limits(queue)
            for each in dropped:
                self._dead_letter(queue, each.msg, "maxlen")
            if dropped or queue.kind == "quorum" or len(queue.ready) == 1:
                self._expire(queue)  # behind others it is not looked at (89)
        return True

    def _settle_down(self, queue: QueueModel) -> None:
        """Length limits (97), then what is due (90)."""
        for place in self._over_limits(queue):
            self._dead_letter(queue, place.msg, "maxlen")
        self._expire(queue)

    def _over_limits(self, queue: QueueModel) -> list[Place]:
        dropped = []
        while queue.overflow == "drop-head" and queue.ready and queue.exceeds(0):
            dropped.append(queue.take())
        return dropped

    def _expire(self, queue: QueueModel) -> None:
        """Only at the head (89)."""
        expired = []
        while queue.ready and queue.head().is_due(self.now):
            expired.append(queue.take())
        self._arm(queue)
        for place in expired:
            self._dead_letter(queue, place.msg, "expired")

    def _dead_letter(self, queue: QueueModel, msg: Msg, reason: str) -> None:
        """Letters that letters cause wait in line (101 to 108)."""
        self.line.append((queue, msg, reason))
        if not self.routing_letters:
            self._run_letters()

    def _run_letters(self) -> None:
        self.routing_letters = True
        while self.line:
            queue, msg, reason = self.line.pop(0)
            exchange = queue.arguments.get("x-dead-letter-exchange")
            if exchange in self.exchanges:
                letter = msg.died(queue, reason)
                for target in self.route(letter.exchange, letter, (letter.key, *letter.copies)):
                    if not letter.is_cycle(target.name):
                        self._push(target, letter)
        self.routing_letters = False

    # -- consuming

    def consume(self, channel: ChannelModel, name: str, reader: Reader) -> str:
        """`basic.consume` (81, 82, 86)."""
        if any(other.tag == reader.tag for other in channel.readers):
            raise Refused(530)
        queue = self.queue(name, channel.connection)
        shared = bool(queue.readers) or queue.single_active
        taken = any(other.exclusive for other in queue.readers) or (reader.exclusive and shared)
        if queue.kind == "classic" and taken:
            raise Refused(403)
        if queue.kind == "quorum" and channel.limit is not None:
            raise Refused(540)
        reader.queue, reader.prefetch = queue, channel.prefetch
        channel.readers.append(reader)
        queue.readers.append(reader)
        if not queue.single_active or not any(other.active for other in queue.readers):
            self._activate(reader)
        self._touch(queue)
        self._serve(queue)
        return reader.tag

    def _activate(self, reader: Reader) -> None:
        reader.active = True
        reader.queue.turn.append(reader)

    def cancel(self, channel: ChannelModel, tag: str) -> None:
        """`basic.cancel` (84)."""
        for reader in [other for other in channel.readers if other.tag == tag]:
            self._end(reader)
            if not reader.queue.gone:
                self._serve(reader.queue)

    def _end(self, reader: Reader) -> None:
        queue = reader.queue
        reader.channel.readers.remove(reader)
        queue.readers.remove(reader)
        if reader.active:
            (queue.blocked if reader in queue.blocked else queue.turn).remove(reader)
            if queue.single_active and queue.readers:
                by_priority = queue.kind == "classic" or self.takeover_by_priority
                rank = (lambda other: other.priority) if by_priority else (lambda _: 0)
                self._activate(max(queue.readers, key=rank))
        reader.active = False
        if queue.auto_delete and not queue.readers:
            self._remove(queue)
            return
        self._touch(queue)

    def _next(self, queue: QueueModel) -> Reader | None:
        """The turn (80): of the highest priority that can take one, who waits longest.

        Whose turn it is and has no credit is out of turn until that changes; quorum queues see
        to this as soon as the credit is gone.
        """
        for reader in sorted(queue.turn, key=lambda reader: -reader.priority):
            if reader.eligible():
                return reader
            queue.turn.remove(reader)
            queue.blocked.append(reader)
        return None

    def _hand_over(self, place: Place, reader: Reader) -> None:
        queue, channel = reader.queue, reader.channel
        queue.users.add(channel)
        queue.turn.remove(reader)
        queue.turn.append(reader)
        channel.last_tag += 1
        if not reader.no_ack:
            channel.unacked[channel.last_tag] = Delivery(place, queue, reader, channel.last_tag)
            reader.held += 1
            queue.unacked += 1
            channel.held += queue.kind == "classic"
            if channel.limit is not None and queue.kind == "classic":
                channel.readers.remove(reader)
                channel.readers.append(reader)
        if queue.kind == "quorum" and not reader.eligible():
            queue.turn.remove(reader)
            queue.blocked.append(reader)
        channel.connection.outbox.append(
            ("delivered", channel.number, reader.tag, channel.last_tag, *place.shown(in_get=False))
        )

    def _serve(self, queue: QueueModel) -> None:
        expired = []
        looks = self._looks(queue)
        while queue.ready:
            if looks and queue.head().is_due(self.now):
                expired.append(queue.take())
                continue
            reader = self._next(queue)
            if reader is None:
                break
            self._hand_over(queue.take(), reader)
            looks = True
        self._arm(queue)
        for place in expired:
            self._dead_letter(queue, place.msg, "expired")
        if looks:
            self._expire(queue)

    def _looks(self, queue: QueueModel) -> bool:
        """Whether the head is looked at before it goes out, and not only behind another one."""
        due = queue.deadline is not None and queue.deadline[0] <= self.now
        return queue.kind == "quorum" or due

    def get(self, channel: ChannelModel, name: str, no_ack: bool) -> tuple[object, ...] | None:
        """`basic.get` (78, 79, 86)."""
        queue = self.queue(name, channel.connection)
        if queue.kind == "quorum" and queue.single_active:
            raise Refused(405)
        self._touch(queue)
        if self._looks(queue):
            self._expire(queue)
        if not queue.ready:
            return None
        place = queue.take()
        self._arm(queue)
        channel.last_tag = tag = channel.last_tag + 1
        if not no_ack:
            queue.users.add(channel)
            channel.unacked[tag] = Delivery(place, queue, None, tag)
            queue.unacked += 1
        self._expire(queue)
        return tag, len(queue.ready), *place.shown(in_get=True)

    def qos(self, channel: ChannelModel, count: int, shared: bool) -> None:
        """`basic.qos` (77)."""
        if not shared:
            channel.prefetch = count
        if not shared and channel.limit is None:
            return
        if channel.limit is None:
            channel.held = len(channel.unacked)
        channel.limit = (count or None) if shared else None
        self._resume(channel)

    def _unblock(self, queue: QueueModel, readers: list[Reader]) -> None:
        """Those of them that are out of turn and can go on do so, behind the others."""
        able = [each for each in queue.blocked if each in readers and each.eligible()]
        for each in able:
            queue.blocked.remove(each)
            queue.turn.append(each)

    def _resume(self, channel: ChannelModel) -> None:
        for queue in dict.fromkeys(reader.queue for reader in channel.readers):
            self._unblock(queue, channel.readers)
            self._serve(queue)
