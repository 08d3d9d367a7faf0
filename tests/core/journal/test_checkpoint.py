"""A checkpoint is read as it was written, or not at all."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from faulty import FaultyFiles
from minibroker.errors import LogDamaged, LogVersionUnknown
from minibroker.journal import checkpoint as module
from minibroker.journal.checkpoint import checkpoint_name, find, is_checkpoint, read, write

if TYPE_CHECKING:
    from minibroker.journal.facts import Fact

IDENTITY = bytes(range(16))
NAME = checkpoint_name(77)
FACTS: list[Fact] = [(16, b"one"), (17, b""), (18, bytes(500))]


@pytest.fixture
def files() -> FaultyFiles:
    """A directory with a checkpoint of `FACTS` at position 77."""
    files = FaultyFiles()
    write(files, 77, IDENTITY, FACTS)
    return files


def contents(files: FaultyFiles, name: str = NAME) -> list[Fact]:
    return [(kind, payload) for _, kind, payload in read(files, name).records()]


def test_it_is_read_as_it_was_written(files: FaultyFiles) -> None:
    found = read(files, NAME)
    assert (found.position, found.identity) == (77, IDENTITY)
    assert found.size == len(files.contents()[NAME])
    assert contents(files) == FACTS
    assert not files.opened


@pytest.mark.parametrize("piece", [1, 10, 400])
def test_a_large_one_is_written_in_pieces(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(module, "PIECE", piece)
    files = FaultyFiles()
    size = write(files, 77, IDENTITY, FACTS)
    assert size == len(files.contents()[NAME])
    assert sum(each.startswith("write") for each in files.history) > 1
    assert contents(files) == FACTS


def test_an_empty_one_is_whole() -> None:
    files = FaultyFiles()
    write(files, 0, IDENTITY, [])
    assert contents(files, checkpoint_name(0)) == []


def test_after_a_power_cut_there_is_all_of_it_or_none() -> None:
    for stop in range(20):
        files = FaultyFiles()
        files.stop_at(stop)
        written = False
        try:
            write(files, 77, IDENTITY, FACTS)
            written = True
        except BaseException as error:  # noqa: BLE001 -- the power cut
            assert type(error).__name__ == "PowerCut"
        for seed in range(10):
            left = files.after_power_cut(seed)
            names = find(left)
            assert names in ([[NAME]] if written else [[NAME], []])
            for name in names:
                assert contents(left, name) == FACTS


@pytest.mark.parametrize("kind", ["create", "write", "sync", "rename"])
def test_one_that_cannot_be_written_is_not_there(kind: str) -> None:
    files = FaultyFiles()
    files.fail(kinds={kind})
    with pytest.raises(OSError):  # noqa: PT011 -- any
        write(files, 77, IDENTITY, FACTS)
    assert find(files) == []
    assert not files.opened


def test_every_byte_counts(files: FaultyFiles) -> None:
    whole = files.contents()[NAME]
    for offset in range(len(whole)):
        flipped = whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :]
        with pytest.raises((LogDamaged, LogVersionUnknown)) as caught:
            contents(FaultyFiles({NAME: flipped}))
        assert NAME in str(caught.value)


def test_every_missing_or_superfluous_byte_is_noticed(files: FaultyFiles) -> None:
    whole = files.contents()[NAME]
    for size in range(len(whole)):
        with pytest.raises(LogDamaged):
            contents(FaultyFiles({NAME: whole[:size]}))
    with pytest.raises(LogDamaged, match="does not end where it should"):
        contents(FaultyFiles({NAME: whole + b"\0"}))


def test_a_newer_version_is_refused_by_its_number(files: FaultyFiles) -> None:
    whole = files.contents()[NAME]
    fields = bytearray(whole[: module.HEADER_SIZE - 4])
    struct.pack_into("<H", fields, 8, module.VERSION + 1)
    newer = bytes(fields) + struct.pack("<I", crc32(fields)) + whole[module.HEADER_SIZE :]
    with pytest.raises(LogVersionUnknown, match=f"{NAME} has format 3, known is up to 2"):
        read(FaultyFiles({NAME: newer}), NAME)


def test_one_under_the_name_of_another_is_damaged(files: FaultyFiles) -> None:
    other = checkpoint_name(78)
    with pytest.raises(LogDamaged, match="the header of the checkpoint is damaged"):
        read(FaultyFiles({other: files.contents()[NAME]}), other)


def test_they_are_found_newest_first_and_nothing_else_is_taken_for_one() -> None:
    names = [checkpoint_name(number) for number in (5, 1000, 20)]
    others = ["lock", "5.segment", "x.checkpoint", ".checkpoint", f"{names[0]}.tmp", "٣.checkpoint"]
    files = FaultyFiles(dict.fromkeys([*names, *others], b""))
    assert find(files) == [names[1], names[2], names[0]]
    assert not any(map(is_checkpoint, others))
