"""What is changed after it was written is found, and is never taken for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles
from minibroker.errors import LogDamaged, LogVersionUnknown
from minibroker.store import Rewriting, record
from small_logs import body, create, open_log, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Found = tuple[list[tuple[int, int, bytes]], list[bytes]]


class Sample:
    """The files of a log, what its owner needs from where on, and what he has to read."""

    def __init__(self, contents: Mapping[str, bytes], since: int, needed: list[int]) -> None:
        self.contents = dict(contents)
        self.since = since
        self.needed = needed
        self.expected = self.read(contents)

    def read(self, contents: Mapping[str, bytes]) -> Found:
        opened = open_log(FaultyFiles(contents), self.since)
        return opened.found, read_all(opened.log, self.needed)

    def changed(self, name: str, offset: int, mask: int) -> Found:
        content = bytearray(self.contents[name])
        content[offset] ^= mask
        return self.read({**self.contents, name: bytes(content)})


def dense() -> Sample:
    """Two sealed segments and a last one with room, of several frames each."""
    files, log = create(segment_size=400)
    for number in range(9):
        log.append([record.encode(1 + number, body(number, 20)), record.encode(7, body(90, 9))])
        if number % 2 == 0:
            log.sync()
    log.close()
    contents = files.contents()
    last = max(contents)
    contents[last] += bytes(24)
    assert len(contents) == 3
    return Sample(contents, 0, [])


def sparse() -> Sample:
    """A sparse segment, a sealed one below the position of a checkpoint, one across it, a last."""
    files, log = create(segment_size=300)
    positions: list[int] = []
    since = 0
    for number in range(10):
        positions.append(log.end + 32)
        log.append([record.encode(1 + number, body(number, 40))])
        log.sync()
        if number == 6:
            since = log.end
    old = log.segments[:2]
    kept = [position for position in positions[::2] if position < old[-1].end]
    rewriting = Rewriting(log, old, kept)
    list(rewriting)
    log.replace(old, rewriting.new, rewriting.file_name)
    files.delete(old[1].name)
    log.close()
    needed = kept + [position for position in positions if position >= old[-1].end]
    sample = Sample(files.contents(), since, needed)
    assert [segment.index is None for segment in log.segments] == [False, True, True, True]
    assert log.segments[1].end < since
    assert log.segments[2].base < since < log.segments[2].end
    return sample


def outcomes(sample: Sample, name: str) -> Iterator[tuple[int, int, Found]]:
    """What is read of each change of one bit that is not found."""
    for offset in range(len(sample.contents[name])):
        for bit in range(8):
            try:
                yield offset, bit, sample.changed(name, offset, 1 << bit)
            except LogDamaged as error:
                assert error.file == name, f"byte {offset}, bit {bit}: {error}"
                assert 0 <= error.offset <= len(sample.contents[name])
            except LogVersionUnknown as error:
                assert name in str(error)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_bit_of_a_dense_segment_can_change_what_is_read(number: int) -> None:
    sample = dense()
    name = sorted(sample.contents)[number]
    for offset, bit, found in outcomes(sample, name):
        assert found == sample.expected, f"{name}, byte {offset}, bit {bit}"


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_no_bit_of_a_log_with_a_sparse_segment_can_change_what_is_read(number: int) -> None:
    sample = sparse()
    name = sorted(sample.contents)[number]
    for offset, bit, found in outcomes(sample, name):
        assert found == sample.expected, f"{name}, byte {offset}, bit {bit}"
