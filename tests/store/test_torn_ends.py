"""What was written and never synced may be there in part: it is cut off, and never an error."""

from __future__ import annotations

from itertools import pairwise, product
from random import Random

import pytest

from faulty import FaultyFiles
from minibroker.errors import LogDamaged
from minibroker.store import record
from minibroker.store.segment import HEADER_SIZE
from small_logs import SEGMENT, body, create, open_log


def frames(*sizes: int, segment_size: int = SEGMENT) -> tuple[dict[str, bytes], list[bytes]]:
    """The files of a log with a frame of one record for each size, synced only when it rolled."""
    files, log = create(segment_size)
    bodies = [body(number, size) for number, size in enumerate(sizes)]
    for each in bodies:
        log.append([record.encode(1, each)])
    log.close()
    contents = files.contents()
    last = max(contents)
    contents[last] = contents[last].rstrip(b"\0")
    return contents, bodies


def check_prefix(contents: dict[str, bytes], bodies: list[bytes], least: int = 0) -> int:
    """Open what is left of a log, write on, and open it again; how many records were left."""
    files = FaultyFiles(contents)
    opened = open_log(files)
    count = len(opened.found)
    assert opened.payloads == bodies[:count]
    assert count >= least
    opened.log.append([record.encode(2, b"on we go")])
    opened.log.sync()
    again = open_log(files.after_power_cut(0, "nothing"))
    assert again.payloads == [*bodies[:count], b"on we go"]
    assert again.torn is None
    opened.log.close()
    assert files.opened == []
    return count


def test_the_last_segment_may_be_cut_at_any_byte() -> None:
    contents, bodies = frames(300, 400, 100, 10, 0, 200)
    last = max(contents)
    sealed = check_prefix({name: data for name, data in contents.items() if name != last}, bodies)
    counts = [
        check_prefix({**contents, last: contents[last][:size]}, bodies, sealed)
        for size in range(len(contents[last]) + 1)
    ]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (sealed, len(bodies))


@pytest.mark.parametrize("room", [0, 7, 600])
def test_from_any_byte_of_the_last_segment_on_there_may_be_zeros(room: int) -> None:
    contents, bodies = frames(300, 400, 100, 10, 0, 200)
    last = max(contents)
    whole = contents[last]
    sealed = check_prefix({name: data for name, data in contents.items() if name != last}, bodies)
    counts = [
        check_prefix(
            {**contents, last: whole[:size] + bytes(len(whole) - size + room)}, bodies, sealed
        )
        for size in range(len(whole) + 1)
        # Such a write began before the file had room: zeros behind half of its header are none.
        if size == 0 or size >= HEADER_SIZE
    ]
    assert (counts[0], counts[-1]) == (sealed, len(bodies))


@pytest.mark.parametrize("seed", range(40))
def test_garbage_behind_the_end_is_cut_off(seed: int) -> None:
    contents, bodies = frames(50, 60)
    last = max(contents)
    random = Random(seed)
    garbage = random.randbytes(random.randrange(1, 2000))
    room = bytes(random.choice((0, 0, 1, 40, 3000)))
    assert check_prefix({last: contents[last] + room + garbage}, bodies) == 2


def test_what_is_cut_off_is_told_with_file_and_offset() -> None:
    contents, _ = frames(50, 60)
    (name,) = contents
    opened = open_log(FaultyFiles({name: contents[name] + b"garbage"}))
    assert opened.torn == (name, len(contents[name]))
    assert open_log(FaultyFiles(contents)).torn is None
    assert open_log(FaultyFiles({name: contents[name] + bytes(100)})).torn is None


@pytest.mark.parametrize("shift", range(40))
def test_any_sectors_of_the_last_frame_may_be_missing_wherever_it_lies(shift: int) -> None:
    # The header of the frame lies across the end of the first sector, or beside it.
    first = 512 - HEADER_SIZE - 32 - 13 - 4 - shift
    for size in (1, 466, 480, 520, 992, 1100):
        contents, bodies = frames(first, size, segment_size=1 << 20)
        (name,) = contents
        whole = contents[name]
        begin = HEADER_SIZE + 32 + 13 + first + 4
        assert begin == 512 - shift
        for missing in product((False, True), repeat=(len(whole) + 511) // 512):
            left = bytearray(whole)
            for number, is_missing in enumerate(missing):
                start, stop = max(512 * number, begin), min(512 * number + 512, len(whole))
                if is_missing and start < stop:
                    left[start:stop] = bytes(stop - start)
            check_prefix({name: bytes(left)}, bodies, least=1)


@pytest.mark.parametrize("shift", range(0, 36, 5))
def test_any_sectors_of_several_frames_may_be_missing(shift: int) -> None:
    contents, bodies = frames(300 + shift, 200, 30, 10, 700, 5, 5, segment_size=1 << 20)
    (name,) = contents
    whole = contents[name]
    for missing in product((False, True), repeat=(len(whole) + 511) // 512):
        left = bytearray(whole)
        for number, is_missing in enumerate(missing):
            stop = min(512 * number + 512, len(whole))
            if is_missing:
                left[512 * number : stop] = bytes(stop - 512 * number)
        check_prefix({name: bytes(left)}, bodies)


def test_a_hole_below_what_a_later_frame_knew_to_be_synced_is_damage() -> None:
    files, log = create()
    ends = []
    for number in range(3):
        log.append([record.encode(1, body(number))])
        ends.append(log.segments[-1].size)
    log.sync()
    log.append([record.encode(1, body(3))])
    log.close()
    ((name, content),) = files.contents().items()
    for start, stop in zip([HEADER_SIZE, *ends], ends, strict=False):
        holed = content[:start] + bytes(stop - start) + content[stop:]
        with pytest.raises(LogDamaged) as caught:
            open_log(FaultyFiles({name: holed}))
        assert (caught.value.file, caught.value.offset) == (name, start)


def test_a_hole_above_what_any_frame_knew_to_be_synced_is_a_torn_end() -> None:
    files, log = create()
    log.append([record.encode(1, body(0))])
    log.sync()
    ends = []
    for number in range(1, 4):
        ends.append(log.segments[-1].size)
        log.append([record.encode(1, body(number))])
    log.close()
    ((name, content),) = files.contents().items()
    for number, (start, stop) in enumerate(pairwise(ends)):
        holed = content[:start] + bytes(stop - start) + content[stop:]
        opened = open_log(FaultyFiles({name: holed}))
        assert opened.payloads == [body(each) for each in range(number + 1)]
        assert opened.torn == (name, start)
