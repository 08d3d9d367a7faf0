"""A broker that is ended and opened again at any point, driven by Hypothesis: nothing may differ.

What has to be there after a restart is what is there when all its connections were closed.
`MINIBROKER_HYPOTHESIS=deep` looks longer and further.
"""

from __future__ import annotations

import faulthandler
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
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

from minibroker import ManualClock, Properties
from minibroker.errors import AMQPError
from minibroker.journal import journal, pieces, places, state
from minibroker.profile import PROFILES
from minibroker.queues import QuorumQueue, offsets, paged
from minibroker.queues.ready import TwoLevels

from ..described import accounted, described
from ..restarts import Restarts

if TYPE_CHECKING:
    from minibroker import Broker
    from minibroker.channel import Channel

DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "classic": DEAD,
    "ttl": {**DEAD, "x-message-ttl": 1000},
    "levels": {**DEAD, "x-max-priority": 3},
    "short": {**DEAD, "x-max-length": 4},
    "quorum": {**DEAD, "x-queue-type": "quorum", "x-delivery-limit": 2},
    "endless": {"x-queue-type": "quorum"},
    "stream": {"x-queue-type": "stream", "x-max-length-bytes": 3000},
    "dead": {},
}
"""The queues, which are all durable but the last one."""
TRANSIENT = "transient"
QUEUES = (*ARGUMENTS, TRANSIENT)
READ = tuple(name for name in QUEUES if name not in {"short", "stream"})
"""Those that consumers may hold something of: a requeue into a full queue drops what came back, a
restart does not."""
TO = ("", "", "", "all", "keyed", "later", "amq.topic", "fleeting")
EXPIRATIONS = (None, None, "0", "500")
KEYS = st.sampled_from((*QUEUES, "a", "b"))

number = st.integers(0, 2)
queue_name = st.sampled_from(QUEUES)


class RestartMachine(RuleBasedStateMachine):
    """One broker, a few channels, and all that is durable."""

    world: Restarts

    @initialize(
        profile=st.sampled_from(sorted(PROFILES)),
        compress=st.sampled_from((None, "lz4")),
        fleeting=st.booleans(),
    )
    def start(self, profile: str, compress: str | None, fleeting: bool) -> None:
        # Without the transient messages before it another one is at the head, and expires.
        self.modes: tuple[int, ...] = (2, 1) if fleeting else (2,)
        self.expirations: tuple[str | None, ...] = (None,) if fleeting else EXPIRATIONS
        self.world = Restarts(ManualClock(), profile=profile, compress=compress)
        self.count = 0
        self.channels: list[Channel] = []
        channel = self.channel(0)
        channel.declare_exchange("all", "fanout", durable=True)
        channel.declare_exchange("keyed", "direct", durable=True)
        channel.declare_exchange("fleeting", "fanout")
        delayed = {"x-delayed-type": "direct"}
        channel.declare_exchange("later", "x-delayed-message", durable=True, arguments=delayed)
        for name in ARGUMENTS:
            self.declare(0, name)
            for exchange in ("all", "keyed", "later", "fleeting"):
                self.bind(0, name, exchange, "a", False)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()

    @property
    def broker(self) -> Broker:
        return self.world.broker

    @invariant()
    def sound(self) -> None:
        if hasattr(self, "world"):
            self.broker._check()

    def channel(self, number: int) -> Channel:
        """One of a few channels, each on a connection of its own."""
        while len(self.channels) <= number:
            self.channels.append(self.world.channel())
        if self.channels[number].closed:
            self.channels[number] = self.world.channel()
        return self.channels[number]

    # -- what there is

    @rule(number=number, name=queue_name)
    def declare(self, number: int, name: str) -> None:
        durable = name != TRANSIENT
        if durable or self.broker.profile.transient_nonexclusive_queues:
            arguments = ARGUMENTS.get(name)
            self.channel(number).declare_queue(name, durable=durable, arguments=arguments)

    @rule(number=number, name=queue_name)
    def delete(self, number: int, name: str) -> None:
        self.channel(number).delete_queue(name)

    @rule(number=number, name=queue_name)
    def purge(self, number: int, name: str) -> None:
        self.attempt(lambda: self.channel(number).purge_queue(name))

    @rule(
        number=number,
        name=queue_name,
        exchange=st.sampled_from(("all", "keyed", "later", "amq.topic", "fleeting")),
        key=KEYS,
        unbind=st.booleans(),
    )
    def bind(self, number: int, name: str, exchange: str, key: str, unbind: bool) -> None:
        channel = self.channel(number)
        call = channel.unbind_queue if unbind else channel.bind_queue
        self.attempt(lambda: call(name, exchange, key))

    @rule(number=number, again=st.booleans())
    def delete_the_delayed_exchange(self, number: int, again: bool) -> None:
        channel = self.channel(number)
        if again:
            channel.delete_exchange("later")
        delayed = {"x-delayed-type": "direct"}
        channel.declare_exchange("later", "x-delayed-message", durable=True, arguments=delayed)
        for name in ("quorum", "classic"):
            self.bind(number, name, "later", "a", False)

    # -- messages in

    @rule(
        number=number,
        exchange=st.sampled_from(TO),
        key=KEYS,
        times=st.integers(1, 12),
        priorities=st.lists(st.sampled_from((None, 0, 1, 2, 5, 9)), min_size=1, max_size=3),
        expiration=st.integers(0, 3),
        mode=st.integers(0, 3),
        size=st.sampled_from((0, 20, 1500)),
        delay=st.sampled_from((None, None, 700)),
    )
    def publish(
        self,
        number: int,
        exchange: str,
        key: str,
        times: int,
        priorities: list[int | None],
        expiration: int,
        mode: int,
        size: int,
        delay: int | None,
    ) -> None:
        for turn in range(times):
            self.count += 1
            properties = Properties(
                delivery_mode=self.modes[mode % len(self.modes)],
                priority=priorities[turn % len(priorities)],
                expiration=self.expirations[expiration % len(self.expirations)],
                headers=None if delay is None else {"x-delay": delay},
            )
            body = b"%d " % self.count + bytes(size)
            self.attempt(lambda: self.channel(number).publish(exchange, key, body, properties))  # noqa: B023 -- called at once

    @rule(number=number, transaction=st.booleans())
    def choose_mode(self, number: int, transaction: bool) -> None:
        channel = self.channel(number)
        self.attempt(channel.tx_select if transaction else channel.confirm_select)

    @rule(number=number, commit=st.booleans())
    def end_transaction(self, number: int, commit: bool) -> None:
        channel = self.channel(number)
        self.attempt(channel.tx_commit if commit else channel.tx_rollback)

    # -- and out

    @rule(number=number, name=queue_name, times=st.integers(1, 9), no_ack=st.booleans())
    def get(self, number: int, name: str, times: int, no_ack: bool) -> None:
        for _ in range(times):
            self.attempt(lambda: self.channel(number).get(name, no_ack or name not in READ))

    @rule(number=number, name=st.sampled_from(READ), prefetch=st.integers(1, 5))
    def consume(self, number: int, name: str, prefetch: int) -> None:
        self.channel(number).qos(prefetch)
        self.attempt(lambda: self.channel(number).consume(name))

    @rule(number=number)
    def read_the_stream(self, number: int) -> None:
        channel = self.channel(number)
        channel.qos(50)
        first = {"x-stream-offset": "first"}
        self.attempt(lambda: channel.consume("stream", tag="reader", arguments=first))
        channel.cancel("reader")

    @rule(
        number=number,
        place=st.integers(0, 6),
        how=st.sampled_from(("ack", "ack", "nack", "reject", "requeue", "recover")),
        multiple=st.booleans(),
    )
    def settle(self, number: int, place: int, how: str, multiple: bool) -> None:
        channel = self.channel(number)
        tags = list(channel.unacked)
        if not tags:
            return
        tag = tags[min(place, len(tags) - 1)]
        calls = {
            "ack": lambda: channel.ack(tag, multiple),
            "nack": lambda: channel.nack(tag, multiple, requeue=False),
            "requeue": lambda: channel.nack(tag, multiple, requeue=True),
            "reject": lambda: channel.reject(tag, requeue=multiple),
            "recover": channel.recover,
        }
        self.attempt(calls[how])

    @rule(number=number)
    def close(self, number: int) -> None:
        self.channel(number).close()

    def attempt(self, call: Any) -> None:
        """An error of AMQP is an answer as any other."""
        try:
            call()
        except AMQPError:
            for connection in list(self.broker.vhosts["/"].connections):
                if connection.closed:
                    connection.close()

    # -- time, and the log

    @rule(milliseconds=st.sampled_from((0, 300, 500, 1000)))
    def advance(self, milliseconds: int) -> None:
        self.world.clock.advance(milliseconds / 1000)

    @rule()
    def sync(self) -> None:
        self.broker.sync()
        accounted(self.broker)

    @rule()
    def checkpoint(self) -> None:
        self.world.checkpoint()
        accounted(self.broker)

    @rule()
    def tidy(self) -> None:
        self.world.tidy()
        accounted(self.broker)

    @precondition(lambda self: self.count > 5)
    @rule(how=st.sampled_from(("restart", "crash", "crash", "power")), seed=st.integers(0, 99))
    def end(self, how: str, seed: int) -> None:
        self.broker.sync()
        accounted(self.broker)
        left = self.world.files.after_kill()
        if how == "power":
            left = self.world.files.after_power_cut(seed)
        for channel in self.channels:
            for tag in list(channel.consumers):
                channel.cancel(tag)
        for connection in list(self.broker.vhosts["/"].connections):
            connection.close()
        forget_turns(self.broker)
        self.world.clock.advance(0)
        expected = comparable(self.broker)
        self.world.close()
        if how != "restart":
            self.world.files = left
        self.channels.clear()
        self.broker.sync()
        accounted(self.broker)
        self.world.clock.advance(0)
        assert comparable(self.broker) == expected


def forget_turns(broker: Broker) -> None:
    """Which of two levels is next is not kept: of it depends what is at the head and expires."""
    for queue in broker.vhosts["/"].queues.values():
        before = -1
        while isinstance(queue, QuorumQueue) and before != queue.message_count:
            before = queue.message_count
            if isinstance(queue.ready, TwoLevels):
                queue.ready.turn = 0
            queue._settle_down()


def comparable(broker: Broker) -> dict[str, Any]:
    """What is durable; in which order letters that died together came is not kept."""
    found = described(broker)
    dead = found.get("queue / dead")
    if dead is not None:
        dead["entries"] = Counter(entry[0][0] for entry in dead["entries"])
    return found


settings.register_profile(
    "restarts",
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "restarts-deep",
    settings.get_profile("restarts"),
    max_examples=4000,
    stateful_step_count=80,
    derandomize=False,
)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few messages are many pages, and records with several places are full soon."""
    for module in (paged, offsets, places):
        monkeypatch.setattr(module, "HELD", 6)
    monkeypatch.setattr(places, "OFTEN", 3)
    for each in (paged, offsets, pieces):
        monkeypatch.setattr(each, "PAGE", 3)
    monkeypatch.setattr(offsets, "LOADED", 2)
    monkeypatch.setattr(state, "MANY", 10)
    monkeypatch.setattr(journal, "MOST_PLACES", 3)


@pytest.mark.usefixtures("small_pages")
def test_after_any_restart_there_is_what_there_was() -> None:
    faulthandler.cancel_dump_traceback_later()  # to find the smallest difference takes minutes
    deep = os.environ.get("MINIBROKER_HYPOTHESIS") == "deep"
    profile = settings.get_profile("restarts-deep" if deep else "restarts")
    run_state_machine_as_test(RestartMachine, settings=profile)
