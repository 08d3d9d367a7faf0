"""Reading records by their positions: which files are open, and how much is read at a time.

Knows nothing of writing.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import LogDamaged
from . import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .filesystem import File, FileSystem
    from .segment import Segment

__all__ = ["Readers", "read_records"]

MOST_FILES = 32
"""Files that are kept open for reading: a log has one for each 64 MiB."""
LEAST, MOST = 4 << 10, 256 << 10
"""Bytes that are read at a time."""


class Readers:
    """The files that are open for reading, those used last. Not thread-safe."""

    __slots__ = ("_files", "_open")

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self._open: OrderedDict[str, File] = OrderedDict()

    def file(self, segment: Segment) -> File:
        """The file of a segment. Raises OSError."""
        name = segment.name
        file = self._open.get(name)
        if file is None:
            file = self._open[name] = self._files.open(name)
            if len(self._open) > MOST_FILES:
                self._open.popitem(last=False)[1].close()
        else:
            self._open.move_to_end(name)
        return file

    def forget(self, segment: Segment) -> None:
        """The file of a segment is another one from now on, or gone."""
        file = self._open.pop(segment.name, None)
        if file is not None:
            with suppress(OSError):
                file.close()

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            self._open.popitem()[1].close()


def read_records(file: File, segment: Segment, positions: Sequence[int]) -> list[tuple[int, bytes]]:
    """Kind and payload of the records of one segment at ascending positions.

    Records that lie close together are read together. Raises LogDamaged and OSError.
    """
    spread = (positions[-1] - positions[0]) // max(len(positions) - 1, 1)
    # Where every record is far from the next one, reading ahead would read what is not needed.
    ahead = min(MOST, 2 * spread * len(positions) + LEAST) if spread < MOST // 8 else LEAST
    records: list[tuple[int, bytes]] = []
    start, window = 0, b""
    for position in positions:
        offset = segment.offset(position)
        if offset is None:
            raise LogDamaged(f"no record of position {position}", segment.name, 0)
        end = start + len(window)
        if offset < start or offset + record.HEADER_SIZE > end:
            start, window = offset, file.read(offset, ahead)
            end = start + len(window)
        if offset + record.HEADER_SIZE <= end:
            length = record.HEADER_SIZE + record.HEADER.unpack_from(window, offset - start)[0]
            if offset + length > end and offset + length <= segment.size:
                start, window = offset, file.read(offset, max(length, ahead))
        found = record.parse(window, offset - start)
        if found is None:
            raise LogDamaged("the record is damaged", segment.name, offset)
        records.append(found)
    return records
