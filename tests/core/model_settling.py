"""The end of deliveries in the model: SEMANTICS 2.D, the slow way."""

from __future__ import annotations

from .model_delivering import DeliveringModel, Refused
from .model_queue import ChannelModel, Delivery, Place, QueueModel

__all__ = ["SettlingModel"]


class SettlingModel(DeliveringModel):
    """Acks, and ways back into the queues."""

    def settle(
        self, channel: ChannelModel, tag: int, multiple: bool, cause: str, requeue: bool = False
    ) -> None:
        """`basic.ack`, `basic.nack` and `basic.reject` (70)."""
        if multiple:
            tags = [each for each in channel.unacked if not tag or each <= tag]
        else:
            tags = [tag] if tag in channel.unacked else []
        if tag not in channel.unacked and (tag or not multiple):
            raise Refused(406)
        deliveries = [channel.unacked.pop(each) for each in tags]
        if channel.tx is not None:
            channel.tx_settled.append((deliveries, cause, requeue))
        else:
            self._settle(channel, deliveries, cause, requeue)

    def recover(self, channel: ChannelModel, cause: str = "recover") -> None:
        """`basic.recover` with requeue (75), also what the end of a channel does (71)."""
        deliveries = list(channel.unacked.values())
        channel.unacked.clear()
        self._settle(channel, deliveries, cause, requeue=True)

    def _settle(
        self, channel: ChannelModel, deliveries: list[Delivery], cause: str, requeue: bool
    ) -> None:
        if channel.held:
            channel.held -= sum(each.reader is not None for each in deliveries)
        for group in _groups(deliveries, cause):
            self._settle_group(group, cause, requeue)
        self._resume(channel)

    def _settle_group(self, group: list[Delivery], cause: str, requeue: bool) -> None:
        queue, reader = group[0].queue, group[0].reader
        queue.unacked -= len(group)
        for delivery in group:
            if delivery.reader is not None:
                delivery.reader.held -= 1
        if requeue and not queue.gone:
            self._unblock(queue, [reader] if reader is not None else [])
            self._requeue(queue, [delivery.place for delivery in group], cause)
            return
        if cause != "ack" and not queue.gone:
            for delivery in group:
                self._dead_letter(queue, delivery.place.msg, "rejected")
        if reader is not None and not queue.gone:
            self._unblock(queue, [reader])
            self._serve(queue)

    def _requeue(self, queue: QueueModel, places: list[Place], cause: str) -> None:
        """They come back (71); quorum queues count (73, 74); a full queue has no room (99)."""
        given_up, dropped = [], []
        for place in places:
            place.come_back(cause, counts=cause != "nack" or self.nack_counts)
            if queue.delivery_limit is not None and place.returns > queue.delivery_limit:
                given_up.append(place)
            else:
                queue.ready.append(place)
        if queue.kind == "classic":
            dropped = self._over_limits(queue)
        self._arm(queue)
        self._serve(queue)
        for place in dropped:
            self._dead_letter(queue, place.msg, "maxlen")
        self._settle_down(queue)
        for place in given_up:
            self._dead_letter(queue, place.msg, "delivery_limit")


def _groups(deliveries: list[Delivery], cause: str) -> list[list[Delivery]]:
    """By queue and consumer, in the order of names; each `get` by itself (70)."""
    groups: dict[tuple[object, ...], list[Delivery]] = {}
    for each in deliveries:
        holder: tuple[object, ...] = (1, each.reader.tag) if each.reader else (0, each.tag)
        if cause == "lost" and each.queue.kind == "classic":
            holder = ()
        # The queue of that name may be another one by now.
        groups.setdefault((each.queue.name, *holder, each.queue), []).append(each)
    return [groups[key] for key in sorted(groups, key=_sortable)]


def _sortable(key: tuple[object, ...]) -> tuple[tuple[bool, object], ...]:
    return tuple((isinstance(part, str), part) for part in key[:-1])
