"""A broker and a small model of it, driven in step by Hypothesis; they must never differ.

`MINIBROKER_HYPOTHESIS=deep` looks longer and further.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from minibroker import Broker, ManualClock, Properties
from minibroker.errors import AMQPError
from minibroker.events import Cancelled, Confirmed, Returned
from minibroker.profile import PROFILES
from minibroker.queues import Entry

from .model import (
    BindingModel,
    ChannelModel,
    ConnectionModel,
    ExchangeModel,
    Model,
    Msg,
    Reader,
    Refused,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.connection import Event
    from minibroker.local import LocalConnection

QUEUES = ("q0", "q1", "q2", "q3")
EXCHANGES = ("x0", "x1", "x2")
TYPES = ("direct", "fanout", "topic", "headers")
KEYS = ("", "a", "a.b", "q0", "q1")
PATTERNS = (*KEYS, "#", "*", "a.#", "*.b", "#.b", "q0")
NUMBER = st.integers(0, 11)
SETTLE_TAG = st.integers(-3, 3)
TICK = 1
"""Milliseconds between two steps, so that no two publish at the same time."""

SHARED = {
    "x-message-ttl": st.sampled_from((0, 200, 1000)),
    "x-max-length": st.integers(0, 3),
    "x-dead-letter-exchange": st.sampled_from(("", *EXCHANGES)),
    "x-dead-letter-routing-key": st.sampled_from(KEYS[1:]),
    "x-single-active-consumer": st.just(True),
    "x-expires": st.sampled_from((300, 1500)),
}
CLASSIC = st.fixed_dictionaries(
    {},
    optional={
        **SHARED,
        "x-overflow": st.sampled_from(("drop-head", "reject-publish", "reject-publish-dlx")),
        "x-max-priority": st.integers(1, 3),
    },
)
QUORUM = st.fixed_dictionaries(
    {"x-queue-type": st.just("quorum")},
    optional={
        **SHARED,
        "x-overflow": st.sampled_from(("drop-head", "reject-publish")),
        "x-delivery-limit": st.integers(0, 2),
    },
)
HEADERS = st.fixed_dictionaries({}, optional={"h": st.sampled_from(("1", 1)), "i": st.just("2")})


def fit(arguments: dict[str, Any]) -> dict[str, Any]:
    """A dead-letter routing key needs an exchange (32)."""
    if "x-dead-letter-exchange" not in arguments:
        arguments.pop("x-dead-letter-routing-key", None)
    return arguments


def seen(entry: Entry) -> tuple[object, ...]:
    """What a consumer sees of an entry, as the model says it."""
    properties = entry.message.properties
    headers = properties.headers or {}
    deaths = tuple((row["queue"], row["reason"], row["count"]) for row in headers.get("x-death", ()))
    ttl = None if properties.expiration is None else int(properties.expiration)
    count = headers.get("x-delivery-count")
    message = entry.message
    return (
        entry.redelivered,
        message.exchange,
        message.routing_key,
        message.body,
        ttl,
        deaths,
        count,
    )


def told(item: Entry | Event) -> tuple[object, ...]:
    """An item of an outbox, as the model says it."""
    if isinstance(item, Entry):
        assert item.consumer is not None
        channel = item.consumer.channel
        return "delivered", channel.number, item.consumer.tag, item.tag, *seen(item)
    if isinstance(item, Confirmed):
        return "confirmed", item.channel.number, item.tag, item.multiple, item.ok
    if isinstance(item, Returned):
        assert (item.reply_code, item.reply_text) == (312, "NO_ROUTE")
        return "returned", item.channel.number, item.message.body
    assert isinstance(item, Cancelled)
    return "cancelled", item.channel.number, item.consumer_tag


class BrokerMachine(RuleBasedStateMachine):
    """Two connections with up to two channels each, four queues, three exchanges."""

    @initialize(profile=st.sampled_from(sorted(PROFILES)))
    def start(self, profile: str) -> None:
        self.clock = ManualClock()
        self.broker = Broker(clock=self.clock, profile=profile)
        chosen = self.broker.profile
        self.model = Model(
            self.clock.now(),
            chosen.quorum_delivery_limit,
            chosen.nack_counts_delivery,
            chosen.quorum_priorities,
        )
        self.connections: list[tuple[LocalConnection, ConnectionModel]] = []
        self.channels: list[tuple[Channel, ChannelModel]] = []
        self.count = 0
        for _ in range(2):
            self.open_connection()

    def teardown(self) -> None:
        if hasattr(self, "broker"):
            self.empty_queues()
            self.broker.close()
            self.broker._check()

    # -- help

    def both(self, real: Callable[[], object], model: Callable[[], object]) -> None:
        """Both do it, with one result; or both refuse, with one reply code."""
        try:
            expected = model()
        except Refused as refused:
            with pytest.raises(AMQPError) as raised:
                real()
            assert raised.value.reply_code == refused.code
        else:
            assert real() == expected

    def channel(self, number: int) -> tuple[Channel, ChannelModel]:
        return self.channels[number % len(self.channels)]

    def connection(self, number: int) -> tuple[LocalConnection, ConnectionModel]:
        return self.connections[number % len(self.connections)]

    def open_connection(self) -> None:
        self.connections.append((self.broker.connect(), ConnectionModel()))
        self.open_channel(len(self.connections) - 1)

    # -- connections and channels

    @precondition(lambda self: len(self.channels) < 4)
    @rule(number=NUMBER)
    def open_channel(self, number: int) -> None:
        real, model = self.connection(number)
        channel = real.channel()
        model.channels.append(ChannelModel(model, channel.number))
        self.channels.append((channel, model.channels[-1]))

    @precondition(lambda self: len(self.channels) > 2)
    @rule(number=NUMBER)
    def close_channel(self, number: int) -> None:
        real, model = self.channels.pop(number % len(self.channels))
        real.close()
        self.model.close_channel(model)

    @rule(number=NUMBER)
    def close_connection(self, number: int) -> None:
        real, model = self.connections.pop(number % 2)
        self.channels = [each for each in self.channels if each[1].connection is not model]
        real.close()
        self.model.close_connection(model)
        self.open_connection()

    # -- declaring

    @rule(
        number=NUMBER,
        name=st.sampled_from(QUEUES),
        arguments=CLASSIC.map(fit),
        exclusive=st.booleans(),
        auto_delete=st.booleans(),
    )
    def declare_classic(
        self,
        number: int,
        name: str,
        arguments: dict[str, Any],
        exclusive: bool,
        auto_delete: bool,
    ) -> None:
        self.declare(number, name, arguments, exclusive, auto_delete)

    @rule(number=NUMBER, name=st.sampled_from(QUEUES), arguments=QUORUM.map(fit))
    def declare_quorum(self, number: int, name: str, arguments: dict[str, Any]) -> None:
        self.declare(number, name, arguments, False, False)

    @rule(number=NUMBER, name=st.sampled_from(QUEUES))
    def declare_again(self, number: int, name: str) -> None:
        queue = self.model.queues.get(name)
        if queue is not None:
            exclusive = queue.owner is not None
            self.declare(number, name, queue.arguments, exclusive, queue.auto_delete)

    def declare(
        self,
        number: int,
        name: str,
        arguments: dict[str, Any],
        exclusive: bool,
        auto_delete: bool,
    ) -> None:
        real, model = self.channel(number)
        self.both(
            lambda: real.declare_queue(
                name,
                durable=not exclusive,
                exclusive=exclusive,
                auto_delete=auto_delete,
                arguments=arguments,
            ),
            lambda: self.model.declare(
                name, model.connection, arguments, exclusive, auto_delete
            ),
        )

    @rule(
        number=NUMBER,
        name=st.sampled_from(QUEUES),
        if_unused=st.booleans(),
        if_empty=st.booleans(),
    )
    def delete_queue(self, number: int, name: str, if_unused: bool, if_empty: bool) -> None:
        real, model = self.channel(number)
        self.both(
            lambda: real.delete_queue(name, if_unused, if_empty),
            lambda: self.model.delete(name, model.connection, if_unused, if_empty),
        )

    @rule(number=NUMBER, name=st.sampled_from(QUEUES))
    def purge(self, number: int, name: str) -> None:
        real, model = self.channel(number)
        self.both(
            lambda: real.purge_queue(name), lambda: self.model.purge(name, model.connection)
        )

    @rule(
        number=NUMBER,
        name=st.sampled_from(EXCHANGES),
        type=st.sampled_from(TYPES),
        auto_delete=st.booleans(),
        alternate=st.sampled_from((None, *EXCHANGES)),
    )
    def declare_exchange(
        self, number: int, name: str, type: str, auto_delete: bool, alternate: str | None
    ) -> None:
        if name in self.model.exchanges:
            return
        arguments = {} if alternate is None else {"alternate-exchange": alternate}
        real, _ = self.channel(number)
        real.declare_exchange(
            name, type, durable=True, auto_delete=auto_delete, arguments=arguments
        )
        self.model.exchanges[name] = ExchangeModel(name, type, auto_delete, alternate)

    @rule(number=NUMBER, name=st.sampled_from(EXCHANGES))
    def delete_exchange(self, number: int, name: str) -> None:
        self.channel(number)[0].delete_exchange(name)
        self.model.delete_exchange(name)

    @rule(
        number=NUMBER,
        source=st.sampled_from(EXCHANGES),
        queue=st.sampled_from(QUEUES),
        key=st.sampled_from(PATTERNS),
        headers=HEADERS,
        match=st.sampled_from((None, "all", "any")),
        unbind=st.sampled_from((False, False, True)),
    )
    def bind_queue(
        self,
        number: int,
        source: str,
        queue: str,
        key: str,
        headers: dict[str, object],
        match: str | None,
        unbind: bool,
    ) -> None:
        real, model = self.channel(number)
        exchange = self.model.exchanges.get(source)
        arguments: dict[str, Any] = {}
        if exchange is not None and exchange.type == "headers":
            arguments = headers if match is None else {**headers, "x-match": match}
        binding = BindingModel(source, queue, True, key, tuple(sorted(arguments.items())))

        def bind() -> None:
            missing = exchange is None or queue not in self.model.queues
            if not (unbind and missing):
                self.model.queue(queue, model.connection)
                if missing:
                    raise Refused(404)
                (self.model.unbind if unbind else self.model.bind)(binding)

        change = real.unbind_queue if unbind else real.bind_queue
        self.both(lambda: change(queue, source, key, arguments), bind)

    @rule(
        number=NUMBER,
        source=st.sampled_from(EXCHANGES),
        destination=st.sampled_from(EXCHANGES),
        key=st.sampled_from(PATTERNS),
        unbind=st.booleans(),
    )
    def bind_exchange(
        self, number: int, source: str, destination: str, key: str, unbind: bool
    ) -> None:
        if {source, destination} <= set(self.model.exchanges):
            real, _ = self.channel(number)
            binding = BindingModel(source, destination, False, key, ())
            (real.unbind_exchange if unbind else real.bind_exchange)(destination, source, key)
            (self.model.unbind if unbind else self.model.bind)(binding)

    # -- publishing

    @rule(
        number=NUMBER,
        exchange=st.sampled_from(("", "", *EXCHANGES)),
        key=st.sampled_from((*KEYS, *QUEUES)),
        priority=st.sampled_from((None, None, 0, 1, 2, 5, 9)),
        ttl=st.sampled_from((None, None, None, 0, 100, 500)),
        copies=st.sampled_from(((), (), (), ("q1",), ("a", "q0"))),
        headers=HEADERS,
        mandatory=st.booleans(),
    )
    def publish(
        self,
        number: int,
        exchange: str,
        key: str,
        priority: int | None,
        ttl: int | None,
        copies: tuple[str, ...],
        headers: dict[str, Any],
        mandatory: bool,
    ) -> None:
        real, model = self.channel(number)
        self.count += 1
        body = b"%d" % self.count
        msg = Msg(exchange, key, body, priority, ttl, copies, headers)
        properties = Properties(
            headers={**headers, "CC": list(copies)} if copies else headers,
            priority=priority,
            expiration=None if ttl is None else str(ttl),
        )
        self.both(
            lambda: real.publish(exchange, key, body, properties, mandatory),
            lambda: self.model.publish(model, msg, mandatory),
        )

    @rule(number=NUMBER, queue=st.sampled_from(QUEUES), times=st.integers(1, 4))
    def publish_plainly(self, number: int, queue: str, times: int) -> None:
        for _ in range(times):
            self.publish(number, "", queue, None, None, (), {}, False)

    @rule(number=NUMBER)
    def confirm_select(self, number: int) -> None:
        real, model = self.channel(number)
        self.both(real.confirm_select, lambda: self.model.confirm_select(model))

    @rule(number=NUMBER)
    def tx_select(self, number: int) -> None:
        real, model = self.channel(number)
        self.both(real.tx_select, lambda: self.model.tx_select(model))

    @rule(number=NUMBER)
    def tx_commit(self, number: int) -> None:
        real, model = self.channel(number)
        self.both(real.tx_commit, lambda: self.model.tx_commit(model))

    @rule(number=NUMBER)
    def tx_rollback(self, number: int) -> None:
        real, model = self.channel(number)
        self.both(real.tx_rollback, lambda: self.model.tx_rollback(model))

    # -- consuming

    @rule(
        number=NUMBER,
        queue=st.sampled_from(QUEUES),
        tag=st.sampled_from(("c0", "c1", "c2")),
        no_ack=st.sampled_from((False, False, True)),
        exclusive=st.sampled_from((False, False, False, True)),
        priority=st.sampled_from((0, 0, 1)),
    )
    def consume(
        self, number: int, queue: str, tag: str, no_ack: bool, exclusive: bool, priority: int
    ) -> None:
        real, model = self.channel(number)
        arguments: dict[str, Any] = {"x-priority": priority} if priority else {}

        def subscribe() -> object:
            found = self.model.queues.get(queue)
            if found is None and all(other.tag != tag for other in model.readers):
                raise Refused(404)
            reader = Reader(model, found, tag, no_ack, exclusive, priority)  # type: ignore[arg-type]  # consume says 530
            return self.model.consume(model, queue, reader)

        self.both(
            lambda: real.consume(
                queue, tag=tag, no_ack=no_ack, exclusive=exclusive, arguments=arguments
            ),
            subscribe,
        )

    @rule(number=NUMBER, tag=st.sampled_from(("c0", "c1", "c2")))
    def cancel(self, number: int, tag: str) -> None:
        real, model = self.channel(number)
        real.cancel(tag)
        self.model.cancel(model, tag)

    @rule(number=NUMBER, count=st.integers(0, 3), shared=st.booleans())
    def qos(self, number: int, count: int, shared: bool) -> None:
        real, model = self.channel(number)
        real.qos(count, shared)
        self.model.qos(model, count, shared and self.broker.profile.global_qos)

    @rule(number=NUMBER, queue=st.sampled_from(QUEUES), no_ack=st.booleans())
    def get(self, number: int, queue: str, no_ack: bool) -> None:
        real, model = self.channel(number)

        def get() -> object:
            got = real.get(queue, no_ack)
            return got and (got.entry.tag, got.message_count, *seen(got.entry))

        self.both(get, lambda: self.model.get(model, queue, no_ack))

    # -- settling

    def tag(self, model: ChannelModel, offset: int) -> int:
        """Mostly a tag that is unacked, sometimes one that is not."""
        tags = list(model.unacked)
        return tags[offset] if -len(tags) <= offset < len(tags) else model.last_tag

    @rule(number=NUMBER, offset=SETTLE_TAG, multiple=st.booleans())
    def ack(self, number: int, offset: int, multiple: bool) -> None:
        real, model = self.channel(number)
        tag = self.tag(model, offset)
        self.both(
            lambda: real.ack(tag, multiple),
            lambda: self.model.settle(model, tag, multiple, "ack"),
        )

    @rule(number=NUMBER, offset=SETTLE_TAG, multiple=st.booleans(), requeue=st.booleans())
    def nack(self, number: int, offset: int, multiple: bool, requeue: bool) -> None:
        real, model = self.channel(number)
        tag = self.tag(model, offset)
        self.both(
            lambda: real.nack(tag, multiple, requeue),
            lambda: self.model.settle(model, tag, multiple, "nack", requeue),
        )

    @rule(number=NUMBER, offset=SETTLE_TAG, requeue=st.booleans())
    def reject(self, number: int, offset: int, requeue: bool) -> None:
        real, model = self.channel(number)
        tag = self.tag(model, offset)
        self.both(
            lambda: real.reject(tag, requeue),
            lambda: self.model.settle(model, tag, False, "reject", requeue),
        )

    @rule(number=NUMBER, cause=st.sampled_from(("ack", "nack")), requeue=st.booleans())
    def settle_all(self, number: int, cause: str, requeue: bool) -> None:
        real, model = self.channel(number)
        if cause == "ack":
            real.ack(0, multiple=True)
        else:
            real.nack(0, multiple=True, requeue=requeue)
        self.model.settle(model, 0, True, cause, requeue and cause == "nack")

    @rule(number=NUMBER)
    def recover(self, number: int) -> None:
        real, model = self.channel(number)
        real.recover()
        self.model.recover(model)

    # -- time

    @rule(milliseconds=st.sampled_from((0, 100, 200, 500, 1000)))
    def advance(self, milliseconds: int) -> None:
        self.clock.advance(f"{milliseconds}ms")
        self.model.advance(milliseconds)

    # -- what must be true after every step

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "broker"):
            return
        self.broker._check()
        for real, model in self.connections:
            outbox = [told(real.drain(0)) for _ in range(len(real.outbox))]
            assert outbox == model.outbox
            model.outbox.clear()
        host = self.broker.vhosts["/"]
        assert set(host.queues) == set(self.model.queues)
        assert {name for name in host.exchanges if not name.startswith("amq.")} == set(
            self.model.exchanges
        )
        for name, queue in self.model.queues.items():
            counts = (host.queues[name].message_count, host.queues[name].unacked)
            assert counts == (len(queue.ready), queue.unacked)
            assert len(host.queues[name].consumers) == len(queue.readers)
        for channel, state in self.channels:
            assert list(channel.unacked) == list(state.unacked)
        self.clock.advance(TICK / 1000)
        self.model.advance(TICK)

    def empty_queues(self) -> None:
        """What is ready comes out in the order of the model."""
        for number in range(len(self.connections)):
            self.open_channel(number)
        channels = {id(model.connection): n for n, (_, model) in enumerate(self.channels)}
        for name, queue in list(self.model.queues.items()):
            owner = queue.owner or self.connections[0][1]
            for _ in range(len(queue.ready)):
                self.get(channels[id(owner)], name, True)
        self.agree()


settings.register_profile(
    "machine",
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "machine-deep",
    settings.get_profile("machine"),
    max_examples=3000,
    stateful_step_count=90,
    derandomize=False,
)
_DEEP = os.environ.get("MINIBROKER_HYPOTHESIS") == "deep"

TestBrokerMachine = BrokerMachine.TestCase
TestBrokerMachine.settings = settings.get_profile("machine-deep" if _DEEP else "machine")
