"""A broker and a small model of it, driven in step by Hypothesis; they must never differ.

`MINIBROKER_HYPOTHESIS=deep` looks longer and further.
"""

from __future__ import annotations

import faulthandler
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from minibroker import Properties
from minibroker.profile import PROFILES

from .model import BindingModel, ChannelModel, ExchangeModel, Msg, Reader, Refused
from .model_pair import ChannelPair, Pair
from .model_strategies import (
    EXCHANGES,
    KEYS,
    PATTERNS,
    QUEUES,
    TAGS,
    TYPES,
    Declaration,
    any_queue,
    exchange_name,
    headers,
    number,
    queue_name,
    seldom,
)


class Topology(RuleBasedStateMachine):
    """Connections, channels, queues, exchanges and bindings come and go."""

    pair: Pair

    @initialize(
        profile=st.sampled_from(sorted(PROFILES)),
        queues=st.tuples(any_queue, any_queue, any_queue),
        types=st.permutations(TYPES),
    )
    def start(self, profile: str, queues: tuple[Declaration, ...], types: list[str]) -> None:
        """Something to begin with: what happens between queues is what matters."""
        self.count = 0
        self.pair = Pair(profile)
        self.pair.open_channel(0)
        for name, declaration in zip(QUEUES, queues, strict=True):
            self.pair.declare(0, name, *declaration)
        for exchange, kind in zip(EXCHANGES, types, strict=False):
            self.declare_exchange(0, exchange, kind, exchange == "x2", None)
            self.bind_queue(0, exchange, "q1", "a", {}, False)
            self.bind_queue(0, exchange, "q2", "a", {}, False)

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.end()

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "pair"):
            self.pair.agree()

    @precondition(lambda self: len(self.pair.channels) < 4)
    @rule(number=number)
    def open_channel(self, number: int) -> None:
        self.pair.open_channel(number)

    @rule(number=number, connection=seldom)
    def close(self, number: int, connection: bool) -> None:
        if connection:
            self.pair.close_connection(number)
        elif len(self.pair.channels) > 2:
            self.pair.close_channel(number)

    @rule(number=number, name=queue_name, queue=any_queue, again=st.booleans())
    def declare_queue(self, number: int, name: str, queue: Declaration, again: bool) -> None:
        known = self.pair.model.queues.get(name)
        if known is not None and again:
            queue = known.arguments, known.owner is not None, known.auto_delete
        self.pair.declare(number, name, *queue)

    @rule(number=number, name=queue_name, what=st.sampled_from(("purge", "", "unused", "empty")))
    def delete_queue(self, number: int, name: str, what: str) -> None:
        real, state = self.pair.channel(number)
        model = self.pair.model
        if what == "purge":
            self.pair.both(
                lambda: real.purge_queue(name), lambda: model.purge(name, state.connection)
            )
            return
        flags = what == "unused", what == "empty"
        self.pair.both(
            lambda: real.delete_queue(name, *flags),
            lambda: model.delete(name, state.connection, *flags),
        )

    @rule(
        number=number,
        name=exchange_name,
        type=st.sampled_from(TYPES),
        auto_delete=st.booleans(),
        alternate=st.sampled_from((None, *EXCHANGES)),
    )
    def declare_exchange(
        self, number: int, name: str, type: str, auto_delete: bool, alternate: str | None
    ) -> None:
        if name in self.pair.model.exchanges:
            return
        arguments = {} if alternate is None else {"alternate-exchange": alternate}
        real, _ = self.pair.channel(number)
        real.declare_exchange(
            name, type, durable=True, auto_delete=auto_delete, arguments=arguments
        )
        self.pair.model.exchanges[name] = ExchangeModel(name, type, auto_delete, alternate)

    @rule(number=number, name=exchange_name)
    def delete_exchange(self, number: int, name: str) -> None:
        self.pair.channel(number)[0].delete_exchange(name)
        self.pair.model.delete_exchange(name)

    @rule(
        number=number,
        source=exchange_name,
        queue=queue_name,
        key=st.sampled_from(PATTERNS),
        arguments=st.tuples(headers, st.sampled_from(({}, {"x-match": "any"}))).map(
            lambda parts: parts[0] | parts[1]
        ),
        unbind=seldom,
    )
    def bind_queue(
        self,
        number: int,
        source: str,
        queue: str,
        key: str,
        arguments: dict[str, Any],
        unbind: bool,
    ) -> None:
        real, state = self.pair.channel(number)
        model = self.pair.model
        exchange = model.exchanges.get(source)
        used = arguments if exchange is not None and exchange.type == "headers" else {}
        binding = BindingModel(source, queue, True, key, tuple(sorted(used.items())))

        def change() -> None:
            if exchange is None and not unbind:
                raise Refused(404)
            if not unbind or binding in model.bindings:
                model.queue(queue, state.connection)
            (model.unbind if unbind else model.bind)(binding)

        call = real.unbind_queue if unbind else real.bind_queue
        self.pair.both(lambda: call(queue, source, key, used), change)

    @rule(
        number=number,
        ends=st.permutations(EXCHANGES),
        key=st.sampled_from(PATTERNS),
        unbind=seldom,
    )
    def bind_exchange(self, number: int, ends: list[str], key: str, unbind: bool) -> None:
        source, destination = ends[:2]
        model = self.pair.model
        if {source, destination} <= set(model.exchanges):
            real, _ = self.pair.channel(number)
            binding = BindingModel(source, destination, False, key, ())
            (real.unbind_exchange if unbind else real.bind_exchange)(destination, source, key)
            (model.unbind if unbind else model.bind)(binding)


class BrokerMachine(Topology):
    """Messages go through it."""

    # -- publishing

    @rule(
        number=number,
        exchange=st.sampled_from(("", "", *EXCHANGES)),
        key=st.sampled_from((*KEYS, *QUEUES)),
        priority=st.sampled_from((None, 0, 1, 2, 5, 9)),
        ttl=st.sampled_from((None, None, None, 0, 100, 500)),
        copies=st.sampled_from(((), (), (), ("q1",), ("a", "q0"))),
        headers=headers,
        mandatory=st.booleans(),
    )
    def publish(
        self,
        number: int,
        exchange: str,
        key: str,
        priority: int | None = None,
        ttl: int | None = None,
        copies: tuple[str, ...] = (),
        headers: dict[str, Any] | None = None,
        mandatory: bool = False,
    ) -> None:
        real, state = self.pair.channel(number)
        self.count += 1
        body = b"%d" % self.count
        msg = Msg(exchange, key, body, priority, ttl, copies, headers or {})
        properties = Properties(
            headers={**(headers or {}), "CC": list(copies)} if copies else headers,
            priority=priority,
            expiration=None if ttl is None else str(ttl),
        )
        self.pair.both(
            lambda: real.publish(exchange, key, body, properties, mandatory),
            lambda: self.pair.model.publish(state, msg, mandatory),
        )

    @rule(number=number, queue=queue_name, priorities=st.lists(st.integers(0, 6), max_size=5))
    def publish_several(self, number: int, queue: str, priorities: list[int]) -> None:
        for priority in priorities:
            self.publish(number, "", queue, priority)

    @rule(number=number, times=st.integers(1, 5))
    def publish_everywhere(self, number: int, times: int) -> None:
        for _ in range(times):
            for queue in QUEUES:
                self.publish(number, "", queue)

    @rule(number=number, mode=st.sampled_from(("confirm_select", "tx_select")), really=seldom)
    def choose_mode(self, number: int, mode: str, really: bool) -> None:
        if really:
            real, state = self.pair.channel(number)
            self.pair.both(getattr(real, mode), lambda: getattr(self.pair.model, mode)(state))

    @precondition(lambda self: any(state.tx is not None for _, state in self.pair.channels))
    @rule(number=number, end=st.sampled_from(("tx_commit", "tx_commit", "tx_rollback")))
    def end_transaction(self, number: int, end: str) -> None:
        real, state = self.pair.channel(number)
        self.pair.both(getattr(real, end), lambda: getattr(self.pair.model, end)(state))

    # -- consuming

    @rule(
        number=number,
        queue=queue_name,
        tag=st.sampled_from(TAGS),
        no_ack=seldom,
        exclusive=seldom,
        priority=st.sampled_from((0, 0, 1)),
        prefetch=st.sampled_from((None, None, 1, 2)),
    )
    def consume(
        self,
        number: int,
        queue: str,
        tag: str,
        no_ack: bool,
        exclusive: bool,
        priority: int,
        prefetch: int | None,
    ) -> None:
        real, state = self.pair.channel(number)
        model = self.pair.model
        if prefetch is not None:
            self.qos(number, prefetch, False)
        arguments: dict[str, Any] = {"x-priority": priority} if priority else {}

        def subscribe() -> object:
            known = model.queues.get(queue)
            if known is None:
                raise Refused(530 if any(each.tag == tag for each in state.readers) else 404)
            return model.consume(
                state, queue, Reader(state, known, tag, no_ack, exclusive, priority)
            )

        self.pair.both(
            lambda: real.consume(
                queue, tag=tag, no_ack=no_ack, exclusive=exclusive, arguments=arguments
            ),
            subscribe,
        )

    @rule(queue=queue_name, priorities=st.lists(st.integers(0, 1), min_size=2, max_size=4))
    def compete(self, queue: str, priorities: list[int]) -> None:
        for place, priority in enumerate(priorities):
            self.consume(place, queue, TAGS[place % 2], False, False, priority, None)

    @rule(number=number, tag=st.sampled_from(TAGS))
    def cancel(self, number: int, tag: str) -> None:
        real, state = self.pair.channel(number)
        real.cancel(tag)
        self.pair.model.cancel(state, tag)

    @rule(number=number, count=st.integers(0, 3), shared=st.booleans())
    def qos(self, number: int, count: int, shared: bool) -> None:
        real, state = self.pair.channel(number)
        real.qos(count, shared)
        self.pair.model.qos(state, count, shared and self.pair.profile.global_qos)

    @rule(number=number, queue=queue_name, no_ack=st.booleans())
    def get(self, number: int, queue: str, no_ack: bool) -> None:
        self.pair.get(self.pair.channel(number), queue, no_ack)

    # -- settling

    def holder(self, number: int) -> ChannelPair:
        """A channel with something unacked."""
        holders = [each for each in self.pair.channels if each[1].unacked]
        return holders[number % len(holders)]

    @precondition(lambda self: any(state.unacked for _, state in self.pair.channels))
    @rule(
        number=number,
        place=st.integers(0, 4),
        how=st.sampled_from(("ack", "nack", "reject")),
        multiple=st.booleans(),
        requeue=st.booleans(),
    )
    def settle(self, number: int, place: int, how: str, multiple: bool, requeue: bool) -> None:
        real, state = self.holder(number)
        tag = tag_at(state, place)
        if how == "ack":
            call = lambda: real.ack(tag, multiple)  # noqa: E731 -- three of one form
        elif how == "nack":
            call = lambda: real.nack(tag, multiple, requeue)  # noqa: E731 -- see above
        else:
            call = lambda: real.reject(tag, requeue)  # noqa: E731 -- see above
        multiple, requeue = multiple and how != "reject", requeue and how != "ack"
        self.pair.both(call, lambda: self.pair.model.settle(state, tag, multiple, how, requeue))

    @precondition(lambda self: any(state.unacked for _, state in self.pair.channels))
    @rule(number=number, how=st.sampled_from(("ack", "requeue", "reject", "recover")))
    def settle_all(self, number: int, how: str) -> None:
        real, state = self.holder(number)
        model = self.pair.model
        if how == "recover":
            real.recover()
            model.recover(state)
        elif how == "ack":
            real.ack(0, multiple=True)
            model.settle(state, 0, True, "ack")
        else:
            real.nack(0, multiple=True, requeue=how == "requeue")
            model.settle(state, 0, True, "nack", how == "requeue")

    # -- time

    @rule(milliseconds=st.sampled_from((0, 100, 200, 500, 1000)))
    def advance(self, milliseconds: int) -> None:
        self.pair.advance(milliseconds)


def tag_at(state: ChannelModel, place: int) -> int:
    """A tag that is unacked, or behind all of them one that is not."""
    tags = list(state.unacked)
    return tags[place] if place < len(tags) else state.last_tag + place


settings.register_profile(
    "machine",
    max_examples=400,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "machine-deep",
    settings.get_profile("machine"),
    max_examples=5000,
    stateful_step_count=100,
    derandomize=False,
)


def test_a_broker_and_its_model_never_differ() -> None:
    faulthandler.cancel_dump_traceback_later()  # to find the smallest difference takes minutes
    deep = os.environ.get("MINIBROKER_HYPOTHESIS") == "deep"
    profile = settings.get_profile("machine-deep" if deep else "machine")
    run_state_machine_as_test(BrokerMachine, settings=profile)
