"""What the model is made of; its queues are lists in the order of 68, 112 and 113."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(eq=False)
class Msg:
    """A message. `ttl` is its expiration, `deaths` are (queue, reason, count), latest first."""

    exchange: str
    key: str
    body: bytes
    priority: int | None = None
    ttl: int | None = None
    copies: tuple[str, ...] = ()
    headers: dict[str, object] = field(default_factory=dict)
    deaths: tuple[tuple[str, str, int], ...] = ()

    def died(self, queue: QueueModel, reason: str) -> Msg:
        """The copy that goes to the dead-letter exchange (103, 104, 105)."""
        count = 1
        rest = []
        for death in self.deaths:
            if death[:2] == (queue.name, reason):
                count += death[2]
            else:
                rest.append(death)
        letter = replace(
            self,
            exchange=str(queue.arguments["x-dead-letter-exchange"]),
            ttl=None,
            deaths=((queue.name, reason, count), *rest),
        )
        key = queue.arguments.get("x-dead-letter-routing-key")
        return letter if key is None else replace(letter, key=str(key), copies=())

    def is_cycle(self, queue: str) -> bool:
        """Whether it comes back to a queue without a rejection since (108)."""
        for index, death in enumerate(self.deaths):
            if death[0] == queue:
                return all(reason != "rejected" for _, reason, _ in self.deaths[: index + 1])
        return False


@dataclass(eq=False)
class Place:
    """A message's place in a queue."""

    msg: Msg
    queue: QueueModel
    seq: int
    expires: int | None
    redelivered: bool = False
    returned: bool = False
    """Whether it goes out before all that are not, in a quorum queue."""
    returns: int = 0
    """Counts towards the delivery limit of a quorum queue."""

    def come_back(self, cause: str, counts: bool) -> None:
        """It is requeued: to its place in a classic queue (71); in a quorum queue behind what
        came back before, or behind everything where no delivery limit applies.
        """
        self.redelivered = True
        if self.queue.kind == "quorum":
            self.queue.seq += 1
            self.seq = self.queue.seq
            self.returns += counts
            self.returned = cause == "lost" or self.queue.delivery_limit is not None

    def is_due(self, now: int) -> bool:
        """Whether it has expired."""
        return self.expires is not None and self.expires <= now

    def shown(self, in_get: bool) -> tuple[object, ...]:
        """What a consumer sees of it (72, 73, 104, 105)."""
        msg = self.msg
        count = None
        if self.queue.kind == "quorum" and (in_get or self.returns):
            count = self.returns
        return self.redelivered, msg.exchange, msg.key, msg.body, msg.ttl, msg.deaths, count


@dataclass(eq=False)
class Delivery:
    """A place that was handed out."""

    place: Place
    queue: QueueModel
    reader: Reader | None
    tag: int


@dataclass(eq=False)
class Reader:
    """A consumer."""

    channel: ChannelModel
    queue: QueueModel
    tag: str
    no_ack: bool = False
    exclusive: bool = False
    priority: int = 0
    prefetch: int = 0
    held: int = 0
    active: bool = False
    """Whether it takes turns: not while another one is the single active consumer."""

    def eligible(self) -> bool:
        """Whether it may have another delivery (77, 78)."""
        if self.channel.closed or not self.active:
            return False
        limit = self.channel.limit
        if limit is not None and self.queue.kind == "classic" and self.channel.held >= limit:
            return False
        return self.no_ack or not self.prefetch or self.held < self.prefetch


@dataclass(eq=False)
class ConnectionModel:
    """A connection: its channels and everything it was sent."""

    channels: list[ChannelModel] = field(default_factory=list)
    outbox: list[tuple[object, ...]] = field(default_factory=list)


@dataclass(eq=False)
class ChannelModel:
    """A channel: what is unacked, who consumes, and its modes."""

    connection: ConnectionModel
    number: int
    closed: bool = False
    last_tag: int = 0
    unacked: dict[int, Delivery] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    prefetch: int = 0
    limit: int | None = None
    held: int = 0
    """What counts towards the limit, where there is one."""
    published: int | None = None
    """Messages published in confirm mode, None outside of it."""
    tx: list[tuple[Msg, list[QueueModel], bool]] | None = None
    """In transaction mode what was published since the last commit, and to which queues."""
    tx_settled: list[tuple[list[Delivery], str, bool]] = field(default_factory=list)

    def handed_out(self) -> list[Delivery]:
        """What is unacked, or settled but not committed."""
        settled = [each for deliveries, _, _ in self.tx_settled for each in deliveries]
        return [*self.unacked.values(), *settled]


@dataclass(eq=False)
class QueueModel:
    """A queue. `levels` says how the profile orders quorum queues."""

    name: str
    arguments: dict[str, object]
    owner: ConnectionModel | None
    auto_delete: bool
    levels: str
    delivery_limit: int | None = None
    ready: list[Place] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    turn: list[Reader] = field(default_factory=list)
    blocked: list[Reader] = field(default_factory=list)
    """Those whose turn came when they had no credit, and who have not been resumed."""
    seq: int = 0
    unacked: int = 0
    high_ones: int = 0
    """How many high ones went out of a two-level queue since a normal one did."""
    gone: bool = False
    users: set[ChannelModel] = field(default_factory=set)
    """The channels that ever got something of it."""
    deadline: tuple[int, int] | None = None
    idle: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        """Classic or quorum."""
        return str(self.arguments.get("x-queue-type", "classic"))

    @property
    def single_active(self) -> bool:
        """Whether one consumer gets all."""
        return bool(self.arguments.get("x-single-active-consumer", False))

    @property
    def overflow(self) -> str:
        """What happens to messages above the limit."""
        return str(self.arguments.get("x-overflow", "drop-head"))

    def consumer_count(self) -> int:
        """What `queue.declare-ok` says (35): quorum queues count all who hold or may get."""
        if self.kind == "classic":
            return len(self.readers)
        channels = {each.channel for each in self.readers} | self.users
        held = [
            (channel.number, channel.connection, each.reader.tag if each.reader else each.tag)
            for channel in channels
            for each in channel.handed_out()
            if each.queue is self
        ]
        active = [
            (each.channel.number, each.channel.connection, each.tag)
            for each in self.readers
            if each.active
        ]
        return len({*held, *active})

    def exceeds(self, more: int) -> bool:
        """Whether it would be above its limit with `more` entries (96)."""
        limit = self.arguments.get("x-max-length")
        return isinstance(limit, int) and len(self.ready) + more > limit

    def enter(self, msg: Msg, now: int) -> Place:
        """A new place, with the earlier of both expiries (88)."""
        self.seq += 1
        ttls = [msg.ttl, self.arguments.get("x-message-ttl")]
        ttl = min((each for each in ttls if isinstance(each, int)), default=None)
        return Place(msg, self, self.seq, None if ttl is None else now + ttl)

    def head(self) -> Place:
        """What goes out next."""
        returned = [place for place in self.ready if place.returned]
        if returned:
            return min(returned, key=lambda place: place.seq)
        if self.kind == "quorum" and self.levels != "none":
            if self.levels == "two-levels":
                return self._weighed()
            return min(self.ready, key=lambda place: (-_level(place, 31, 4), place.seq))
        top = self.arguments.get("x-max-priority", 0)
        assert isinstance(top, int)
        return min(self.ready, key=lambda place: (-_level(place, top, 0), place.seq))

    def _weighed(self) -> Place:
        """Two high ones, then a normal one."""
        high = [place for place in self.ready if _level(place, 255, 0) >= 5]
        normal = [place for place in self.ready if _level(place, 255, 0) < 5]
        from_high = high and (self.high_ones < 2 or not normal)
        return min(high if from_high else normal, key=lambda place: place.seq)

    def take(self) -> Place:
        """Remove and return the head."""
        place = self.head()
        if not place.returned:
            both = {_level(other, 255, 0) >= 5 for other in self.ready}
            self.high_ones = (self.high_ones + 1) % 3 if len(both) == 2 else 0
        self.ready.remove(place)
        return place


def _level(place: Place, top: int, default: int) -> int:
    priority = place.msg.priority
    return default if priority is None else min(priority, top)
