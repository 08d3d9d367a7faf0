"""Damaged and drawn native frames: whatever comes, the client gets a reply code or an answer, and
the others notice nothing. MINIBROKER_FUZZ_INPUTS and MINIBROKER_FUZZ_SEED are as for AMQP.
"""

from __future__ import annotations

import os
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.server import ServerSettings
from minibroker.server.amqp.base import BACKLOG
from minibroker.server.amqp.states import CLOSED, CLOSING
from minibroker.server.native.remembered import MOST
from minibroker.wire.amqp import spec
from minibroker.wire.native import METHOD, frame

from ..native.native_pair import CLOSE, NativeClient
from .mutations import BYTES
from .native_sessions import HANDSHAKE, SESSIONS
from .world import REPLY_CODES, World, described

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUIRED = os.environ.get("MINIBROKER_REQUIRE_SERVERS") == "1"
INPUTS = int(os.environ.get("MINIBROKER_FUZZ_INPUTS", "100000" if REQUIRED else "5000")) // 2
SEED = int(os.environ.get("MINIBROKER_FUZZ_SEED", "1"))
SETTINGS = ServerSettings(native_frame_max=65_536)
PARTS = 10
EACH = 250


def damaged(seed: int, number: int) -> list[bytes]:
    """One session, of which some bytes were changed, cut into pieces anywhere."""
    drawn = random.Random(f"{seed} {number}")
    session = drawn.choice(SESSIONS)
    frames = [*HANDSHAKE, *session]
    start = 0 if drawn.random() < 0.2 else 2
    at = drawn.randrange(start, len(frames))
    data = bytearray(b"".join(frames[at:]) if drawn.random() < 0.3 else frames[at])
    whole = len(data)
    for _ in range(drawn.randint(1, 3)):
        if data:
            drawn.choice(BYTES)(data, drawn)
    rest = b"" if whole > len(frames[at]) else b"".join(frames[at + 1 :])
    after = bytes(data) + rest
    cuts = sorted(drawn.randrange(len(after) + 1) for _ in range(drawn.randint(0, 3)))
    edges = [0, *cuts, len(after)]
    pieces = [after[a:b] for a, b in pairwise(edges)]
    return [b"".join(frames[:at]), *pieces]


def feed(world: World, pieces: Iterable[bytes]) -> list[list[Any]]:
    """Send them, and see that what comes back is right and of bounded size."""
    client = NativeClient(world.broker, SETTINGS)
    said: list[list[Any]] = []
    for piece in pieces:
        if piece:
            said += client.raw(piece)
        check(client, piece)
    said += client.settle()
    closes = [each[2] for each in said if each[0] == METHOD and isinstance(each[2], CLOSE)]
    assert all(close.reply_code in REPLY_CODES for close in closes)
    assert sum(isinstance(close, spec.ConnectionClose) for close in closes) <= 1
    if any(isinstance(close, spec.ConnectionClose) for close in closes):
        assert client.server.state in {CLOSING, CLOSED}
    world.inputs += 1
    client.server.lost()
    assert world.witness.send(1, spec.BasicQos(0, 1))[0].method == spec.BasicQosOk()
    if world.inputs % 50 == 0:
        world.look()
    return said


def check(client: NativeClient, piece: bytes) -> None:
    """Nothing in a connection grows beyond its limits."""
    server = client.server
    buffered = sum(map(len, server.reader._parts))
    assert buffered <= server.reader.limit + 4 + len(piece)
    assert server.weight <= BACKLOG
    assert server.out == []
    assert len(server.remembered._properties) <= MOST
    assert len(server.batches.held) <= 1000


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_native_sessions_harm_nobody(part: int) -> None:
    numbers = range(part * INPUTS // PARTS, (part + 1) * INPUTS // PARTS)
    for first in range(numbers.start, numbers.stop, EACH):
        world = World(first // EACH)
        for number in range(first, min(first + EACH, numbers.stop)):
            try:
                feed(world, damaged(SEED, number))
            except BaseException as error:
                error.add_note(f"input {number} of seed {SEED}; its world began with {first}")
                raise
        world.close()


@pytest.mark.parametrize("number", range(len(SESSIONS)))
def test_the_native_sessions_themselves_are_what_a_client_may_send(number: int) -> None:
    world = World()
    said = feed(world, [*HANDSHAKE, *SESSIONS[number]])
    assert not [each for each in said if each[0] == METHOD and isinstance(each[2], CLOSE)]
    world.close()


def test_the_damage_reaches_every_part_of_the_native_protocol() -> None:
    codes: set[int] = set()
    healthy = 0
    world = World()
    for number in range(1500):
        said = feed(world, damaged(0, number))
        closes = [each[2] for each in said if each[0] == METHOD and isinstance(each[2], CLOSE)]
        codes |= {close.reply_code for close in closes}
        healthy += not closes
    world.close()
    assert codes >= {403, 404, 406, 501, 502, 503, 504, 505}
    assert 50 < healthy < 1200


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=6)
    | st.binary(max_size=6) | st.floats()
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner,
                                                                max_size=3),
    max_leaves=8,
)  # fmt: skip
ROUTES = st.tuples(
    st.sampled_from(["", "amq.topic", "no"]), st.sampled_from(["q", "a.b"]),
    st.sampled_from([b"", b"\x80", b"\xc1"]), st.booleans(),
).map(list)  # fmt: skip
PAYLOADS = st.one_of(
    st.tuples(st.integers(0, 12), st.integers(0, 2)).flatmap(
        lambda head: st.lists(VALUES, max_size=4).map(lambda rest: [*head, *rest])
    ),
    st.lists(ROUTES | st.binary(max_size=4) | st.integers(0, 9), max_size=5).map(
        lambda items: [5, 1, items]
    ),
    st.lists(st.integers(0, 5), max_size=4).map(lambda ranges: [7, 1, ranges]),
)


@given(st.lists(PAYLOADS, max_size=6))
def test_drawn_payloads_have_an_answer_or_a_reply_code(payloads: list[list[Any]]) -> None:
    world = World()
    feed(world, [*HANDSHAKE, *SESSIONS[0][:2], *(frame(payload) for payload in payloads)])
    world.close()


def test_a_refused_frame_changes_nothing() -> None:
    world = World()
    feed(world, [*HANDSHAKE, *SESSIONS[0][:2]])
    before = described(world.broker)
    for payload in ([5, 1, [["no", "q", b"", False], b"x"]], [7, 1, [5, 5]], [4, 1, 3276811, "q"]):
        feed(world, [*HANDSHAKE, SESSIONS[0][0], frame(payload)])
        assert described(world.broker) == before
    world.close()
