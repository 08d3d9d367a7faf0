"""Damage to sessions: bytes, numbers and frames changed, lost, repeated and mixed.

An input is made of two numbers and nothing else, so that it can be made again.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

from .sessions import HANDSHAKE, SESSIONS
from .wild import wild_field

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["damaged_session", "pieces"]

EXTREMES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xCE, 0xFE, 0xFF)
LARGE = (0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def _flip(data: bytearray, random: random.Random) -> None:
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data))
        data[at] ^= 1 << random.randrange(8)


def _extreme(data: bytearray, random: random.Random) -> None:
    data[random.randrange(len(data))] = random.choice(EXTREMES)


def _number(data: bytearray, random: random.Random) -> None:
    if len(data) >= 4:
        struct.pack_into(">I", data, random.randrange(len(data) - 3), random.choice(LARGE))


def _cut_out(data: bytearray, random: random.Random) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.randint(1, 12)]


def _put_in(data: bytearray, random: random.Random) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.randint(1, 12))


def _end(data: bytearray, random: random.Random) -> None:
    del data[random.randrange(len(data)) :]


def _copy(data: bytearray, random: random.Random) -> None:
    at = random.randrange(len(data))
    piece = data[at : at + random.randint(1, 40)]
    to = random.randrange(len(data) + 1)
    data[to:to] = piece


BYTES: list[Callable[[bytearray, random.Random], None]] = [
    _flip, _extreme, _number, _cut_out, _put_in, _end, _copy
]  # fmt: skip


def _repeat(frames: list[bytes], random: random.Random) -> None:
    at = random.randrange(len(frames))
    frames[at:at] = [frames[at]] * random.randint(1, 3)


def _lose(frames: list[bytes], random: random.Random) -> None:
    del frames[random.randrange(len(frames))]


def _swap(frames: list[bytes], random: random.Random) -> None:
    one, other = random.randrange(len(frames)), random.randrange(len(frames))
    frames[one], frames[other] = frames[other], frames[one]


def _foreign(frames: list[bytes], random: random.Random) -> None:
    other = random.choice(random.choice(SESSIONS))
    frames.insert(random.randrange(len(frames) + 1), other)


def _channel(frames: list[bytes], random: random.Random) -> None:
    at = random.randrange(len(frames))
    number = random.choice((0, 1, 2, 3, 65535))
    frames[at] = frames[at][:1] + struct.pack(">H", number) + frames[at][3:]


def _kind(frames: list[bytes], random: random.Random) -> None:
    at = random.randrange(len(frames))
    frames[at] = bytes((random.choice((0, 1, 2, 3, 4, 8, 255)),)) + frames[at][1:]


def _inside(frames: list[bytes], random: random.Random) -> None:
    """Change the payload of a frame, and let its size be right."""
    at = random.randrange(len(frames))
    payload = bytearray(frames[at][7:-1])
    if payload:
        random.choice(BYTES)(payload, random)
        size = struct.pack(">I", len(payload))
        frames[at] = frames[at][:3] + size + bytes(payload) + b"\xce"


def _field(frames: list[bytes], random: random.Random) -> None:
    """Another value in a field of a method, well written."""
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(frames))
        if frames[at][:3] != b"AMQ":
            frames[at] = wild_field(frames[at], random)


FRAMES: list[Callable[[list[bytes], random.Random], None]] = [
    _repeat, _lose, _swap, _foreign, _channel, _kind, _inside, _inside, _field, _field, _field,
    _field, _field
]  # fmt: skip


def damaged_session(seed: int, number: int) -> tuple[list[bytes], bytes]:
    """The undamaged frames that come first, and the damaged bytes behind them."""
    source = random.Random(seed * 1_000_003 + number)
    frames = list(source.choice(SESSIONS))
    before = HANDSHAKE
    if source.random() < 0.1:
        frames, before = [*HANDSHAKE, *frames[:3]], []
    if source.random() < 0.2:
        frames += source.choice(SESSIONS)
    for _ in range(source.randint(1, 3)):
        source.choice(FRAMES)(frames, source)
        if not frames:
            frames = [HANDSHAKE[0]]
    data = bytearray(b"".join(frames))
    if source.random() < 0.4 and data:
        source.choice(BYTES)(data, source)
    return before, bytes(data)


def pieces(seed: int, number: int, data: bytes) -> list[bytes]:
    """How the bytes come: nearly always in few pieces."""
    source = random.Random(seed * 7_368_787 + number)
    cuts = sorted(source.randrange(len(data) + 1) for _ in range(source.choice((0, 0, 0, 1, 3))))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
