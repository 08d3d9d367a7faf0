"""Well written methods that make no sense: any fields, any order, any channel."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibroker import Properties
from minibroker.server.amqp.states import OPEN
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.frames import method_frame
from minibroker.wire.amqp.spec import LAYOUTS

from ..pair import Client, Said, publishing
from .test_mutated_sessions import CLOSES, INPUTS, REQUIRED, SEED
from .wild import (
    ARGUMENTS,
    EXCHANGES,
    KEYS,
    NAMES,
    QUEUES,
    VALUES,
    wild_method,
    wild_value,
)
from .world import World, described

if TYPE_CHECKING:
    from minibroker.fields import Table
    from minibroker.wire.amqp.spec import MethodRecord

PROGRAMS = INPUTS // 10
LENGTH = 40
"""Methods of one program."""


HEADERS: tuple[Any, ...] = (
    None,
    None,
    {"k": "v"},
    {"CC": ["q", "c"]},
    {"BCC": ["p"]},
    {"x-delay": 5},
)
QUEUES_MADE: dict[str, Table] = {
    "q": {},
    "p": {"x-dead-letter-exchange": "f", "x-message-ttl": 50},
    "c": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q", "x-max-length": 3},
    "qq": {"x-queue-type": "quorum", "x-delivery-limit": 2},
    "ss": {"x-queue-type": "stream"},
    "pp": {"x-max-priority": 5},
    "full": {"x-max-length": 1, "x-overflow": "reject-publish"},
}
EXCHANGES_MADE: dict[str, tuple[str, Table]] = {
    "t": ("topic", {}),
    "f": ("fanout", {"alternate-exchange": "t"}),
    "h": ("headers", {}),
    "hash": ("x-consistent-hash", {}),
    "late": ("x-delayed-message", {"x-delayed-type": "fanout"}),
}


def prepare(client: Client) -> list[Said]:
    """Queues and exchanges of every kind, where they are not there already."""
    methods: list[MethodRecord] = [
        spec.QueueDeclare(name, durable=True, arguments=arguments)
        for name, arguments in QUEUES_MADE.items()
    ]
    methods += [
        spec.ExchangeDeclare(name, kind, durable=True, arguments=arguments)
        for name, (kind, arguments) in EXCHANGES_MADE.items()
    ]
    methods += [spec.QueueBind(queue, "t", "#") for queue in ("q", "c", "qq")]
    methods += [spec.QueueBind(queue, "f") for queue in ("q", "ss", "pp")]
    methods += [spec.QueueBind("full", "late"), spec.QueueBind("pp", "hash", "2")]
    return client.send(1, *methods)


def wild_publish(channel: int, source: random.Random) -> bytes:
    """A publish with any properties."""
    wild = source.random() < 0.1
    properties = Properties(
        headers=wild_value("table", source) if wild else source.choice(HEADERS),
        delivery_mode=source.choice((0, 3, 255) if wild else (None, 1, 2)),
        priority=source.choice((None, 0, 9, 255)),
        expiration=source.choice(("-1", "x", "", "9" * 20) if wild else (None, None, "0", "10")),
        user_id=source.choice((None, "root") if wild else (None, "guest")),
        reply_to=source.choice((None, "q", "amq.rabbitmq.reply-to") if wild else (None, "q")),
    )
    body = bytes(source.choice((0, 1, 100, 5000)))
    frame_max = source.choice((131_072, 64))
    return publishing(
        channel,
        body,
        exchange=source.choice(NAMES if wild else ("", "", *EXCHANGES)),
        key=source.choice(NAMES if wild else (*KEYS, *QUEUES)),
        mandatory=source.random() < 0.3,
        properties=properties,
        frame_max=frame_max,
    )


def next_frame(source: random.Random) -> tuple[int, bytes]:
    """Whatever a client says next, and on which channel."""
    channel = source.choice((1, 1, 1, 2, 2, 3))
    if source.random() < 0.35:
        return channel, wild_publish(channel, source)
    return channel, method_frame(channel, wild_method(source))


def answer_closes(world: World, client: Client, said: list[Said]) -> bool:
    """Answer each close, and open closed channels again; False when the connection is over."""
    if client.server.state is not OPEN:
        world.feed(client, [method_frame(0, spec.ConnectionCloseOk())])
        return False
    for each in said:
        if isinstance(each.method, spec.ChannelClose):
            number = each.channel
            again = method_frame(number, spec.ChannelCloseOk())
            world.feed(client, [again + method_frame(number, spec.ChannelOpen())])
        elif isinstance(each.method, spec.ChannelCloseOk):
            world.feed(client, [method_frame(each.channel, spec.ChannelOpen())])
    return client.server.state is OPEN


def run(world: World, source: random.Random) -> int:
    """One program of one client; how many methods it came to."""
    client = world.newcomer().open(1, 2, 3)
    if source.random() < 0.6:
        answer_closes(world, client, prepare(client))
    done = 0
    for _ in range(LENGTH):
        done += 1
        said = world.feed(client, [next_frame(source)[1]])
        if source.random() < 0.05:
            world.clock.advance(source.choice((0.01, 1, 60, 4000)))
            said += client.said()
        if not answer_closes(world, client, said):
            break
    world.after(client)
    return done


@pytest.mark.parametrize("part", range(10))
def test_any_methods_in_any_order_harm_nobody(part: int) -> None:
    source = random.Random(SEED * 1000 + part)
    done = number = 0
    while number < PROGRAMS // 10:
        world = World(part + number)
        for _ in range(20):
            number += 1
            try:
                done += run(world, source)
            except BaseException as error:
                error.add_note(f"program {number} of part {part}, seed {SEED}")
                raise
            world.broker._check()
        world.close()
    assert done > 10 * number


@pytest.mark.parametrize("part", range(10))
def test_a_refused_method_changes_nothing(part: int) -> None:
    source = random.Random(SEED * 1000 + part)
    refused = 0
    world = World(part % 2)
    for number in range(PROGRAMS // 4):
        if number % 20 == 0:
            client = world.newcomer().open(1)
            prepare(client)
            client.feed(b"".join(publishing(1, b"m", key=name) for name in QUEUES_MADE))
            world.after(client)
        before = described(world.broker)
        client = world.newcomer().open(1)
        frame = next_frame(random.Random(source.randrange(2**32)))
        said = world.feed(
            client, [frame[1] if frame[0] == 1 else method_frame(1, wild_method(source))]
        )
        closes = [each for each in said if isinstance(each.method, CLOSES)]
        if closes:
            refused += 1
            assert described(world.broker) == before, (number, closes)
        world.after(client)
    world.close()
    assert refused > PROGRAMS // 20


# -- the same by Hypothesis, which finds the shortest example

TABLES = st.dictionaries(st.sampled_from(ARGUMENTS), st.sampled_from(VALUES), max_size=3)
SHORTS = st.sampled_from(NAMES) | st.text(max_size=5)
DOMAINS = {
    "bit": st.booleans(),
    "octet": st.integers(0, 255),
    "short": st.integers(0, 5) | st.integers(0, 65535),
    "long": st.integers(0, 5) | st.integers(0, 2**32 - 1),
    "longlong": st.integers(0, 5) | st.integers(0, 2**64 - 1),
    "shortstr": SHORTS,
    "longstr": st.binary(max_size=10),
    "table": TABLES,
}


def _records(record: type[MethodRecord]) -> st.SearchStrategy[MethodRecord]:
    fields = [word for word, reserved in LAYOUTS[record][2]._fields if not reserved]
    return st.builds(record, *(DOMAINS[word] for word in fields))


METHODS = st.sampled_from(list(LAYOUTS)).flatmap(_records)
STEPS = st.lists(
    st.tuples(st.sampled_from([1, 1, 1, 2, 0, 65535]), METHODS) | st.tuples(st.just(1), SHORTS),
    max_size=12,
)


@settings(max_examples=1000 if REQUIRED else 150)
@given(STEPS)
def test_the_shortest_program_that_harms_somebody(
    steps: list[tuple[int, MethodRecord | str]],
) -> None:
    world = World()
    client = world.newcomer().open(1)
    for channel, step in steps:
        data = (
            publishing(channel, b"body", key=step)
            if isinstance(step, str)
            else method_frame(channel, step)
        )
        if not answer_closes(world, client, world.feed(client, [data])):
            break
        world.broker._check()
    world.after(client)
    world.close()
