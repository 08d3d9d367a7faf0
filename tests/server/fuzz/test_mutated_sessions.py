"""Damaged sessions: whatever comes, the client gets a reply code or an answer, the others notice
nothing. MINIBROKER_FUZZ_INPUTS says how many are tried, MINIBROKER_FUZZ_SEED which.
"""

from __future__ import annotations

import os

import pytest

from minibroker.wire.amqp import spec

from ..pair import Client, Said
from .mutations import damaged_session, pieces
from .sessions import HANDSHAKE, SESSIONS
from .world import World

REQUIRED = os.environ.get("MINIBROKER_REQUIRE_SERVERS") == "1"
INPUTS = int(os.environ.get("MINIBROKER_FUZZ_INPUTS", "100000" if REQUIRED else "5000"))
SEED = int(os.environ.get("MINIBROKER_FUZZ_SEED", "1"))
CLOSES = (spec.ChannelClose, spec.ConnectionClose)
PARTS = 20
EACH = 250
"""Inputs of one world."""


def try_one(world: World, seed: int, number: int) -> list[Said]:
    """Feed one input to a new client of a world."""
    before, data = damaged_session(seed, number)
    client = world.newcomer()
    said = world.feed(client, [b"".join(before), *pieces(seed, number, data)])
    world.after(client)
    return said


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_sessions_harm_nobody(part: int) -> None:
    numbers = range(part * INPUTS // PARTS, (part + 1) * INPUTS // PARTS)
    for first in range(numbers.start, numbers.stop, EACH):
        world = World(first // EACH)
        for number in range(first, min(first + EACH, numbers.stop)):
            try:
                try_one(world, SEED, number)
            except BaseException as error:
                error.add_note(f"input {number} of seed {SEED}; its world began with {first}")
                raise
        world.close()


@pytest.mark.parametrize("number", range(len(SESSIONS)))
def test_the_sessions_themselves_are_what_a_client_may_send(number: int) -> None:
    world = World()
    client: Client = world.newcomer()
    said = world.feed(client, [*HANDSHAKE, *SESSIONS[number]])
    assert not [each for each in said if isinstance(each.method, spec.ConnectionClose)]
    closed = [each for each in said if isinstance(each.method, spec.ChannelClose)]
    assert bool(closed) == (number == len(SESSIONS) - 1)
    world.after(client)
    world.close()


def test_the_damage_reaches_every_part_of_the_protocol() -> None:
    codes: set[int] = set()
    healthy = 0
    world = World()
    for number in range(1500):
        said = try_one(world, 0, number)
        closes = [each.method for each in said if isinstance(each.method, CLOSES)]
        codes |= {close.reply_code for close in closes}
        healthy += not closes
    assert codes >= {403, 404, 406, 501, 502, 503, 504, 505, 530, 540}
    assert 100 < healthy < 1000
