"""A dense segment is read frame by frame up to where it ends, and its end is judged."""

from __future__ import annotations

from zlib import crc32

import pytest

from faulty import FaultyFiles
from minibroker.errors import LogDamaged
from minibroker.store import frame, record, scan
from minibroker.store.segment import HEADER_SIZE, Segment, encode_header
from small_logs import IDENTITY

BASE = 5000


def made(*synced: int, size: int = 50) -> tuple[bytes, list[tuple[int, bytes]]]:
    """A file with a frame for each number: how many frames it knew to be synced."""
    content = bytearray(encode_header(Segment(BASE, BASE, HEADER_SIZE), IDENTITY))
    positions = [BASE]
    expected: list[tuple[int, bytes]] = []
    for number, known in enumerate(synced):
        records = record.encode(number + 1, bytes([number + 1]) * size)
        content += frame.encode(positions[-1], positions[known], records)
        expected.append((positions[-1] + frame.HEADER_SIZE, records))
        positions.append(BASE + len(content) - HEADER_SIZE)
    return bytes(content), expected


def frames_of(content: bytes, start: int = BASE, limit: int | None = None) -> scan.Frames:
    segment = Segment(BASE, BASE, len(content))
    files = FaultyFiles({segment.name: content})
    return scan.Frames(files.open(segment.name), segment, start, len(content), limit)


def test_frames_come_in_order_with_the_positions_of_their_first_records() -> None:
    content, expected = made(0, 0, 1)
    frames = frames_of(content)
    assert list(frames) == expected
    assert frames.end == BASE + len(content) - HEADER_SIZE
    assert not frames.torn
    assert frames.synced == expected[1][0] - frame.HEADER_SIZE


def test_reading_may_begin_at_any_frame() -> None:
    content, expected = made(0, 0, 0)
    start = expected[1][0] - frame.HEADER_SIZE
    assert list(frames_of(content, start)) == expected[1:]
    end = BASE + len(content) - HEADER_SIZE
    frames = frames_of(content, end)
    assert list(frames) == []
    assert frames.end == end


def test_reading_ends_where_the_next_segment_begins_whatever_stands_there() -> None:
    content, expected = made(0, 0, 0)
    limit = expected[2][0] - frame.HEADER_SIZE
    frames = frames_of(content[:-20] + b"x" * 20, limit=limit)
    assert list(frames) == expected[:2]
    assert (frames.end, frames.torn) == (limit, False)


def test_frames_that_are_missing_before_the_next_segment_are_damage() -> None:
    content, _ = made(0, 0)
    end = BASE + len(content) - HEADER_SIZE
    for wrong in (content, content[:-40], content + bytes(100)):
        frames = frames_of(wrong, limit=end + 50)
        with pytest.raises(LogDamaged, match="frames are missing before the next segment"):
            list(frames)


def test_a_next_segment_that_begins_within_a_frame_is_damage() -> None:
    content, expected = made(0, 0)
    with pytest.raises(LogDamaged, match="frames are missing"):
        list(frames_of(content, limit=expected[1][0]))


def test_room_behind_the_end_is_not_torn_and_anything_else_is() -> None:
    content, expected = made(0, 0)
    for rest, torn in ((bytes(500), False), (bytes(499) + b"x", True), (b"x" * 50, True)):
        frames = frames_of(content + rest)
        assert list(frames) == expected
        assert frames.torn is torn


def test_a_frame_of_another_place_is_damage() -> None:
    content, _ = made(0, 0)
    for other in (BASE, 7):
        with pytest.raises(LogDamaged, match="header of the frame"):
            list(frames_of(content + frame.encode(other, other, b"")))


def test_a_header_that_was_changed_is_damage() -> None:
    content, _ = made(0, 0)
    place = content.rindex(frame.MAGIC)
    for offset in range(place, place + frame.HEADER_SIZE):
        wrong = bytearray(content)
        wrong[offset] ^= 8
        with pytest.raises(LogDamaged, match="header of the frame") as caught:
            list(frames_of(bytes(wrong)))
        assert caught.value.offset == place


def test_a_header_whose_checksum_ends_in_a_zero_is_damaged_if_anything_follows_it() -> None:
    position = HEADER_SIZE
    wanted = next(size for size in range(9999) if frame.encode(BASE, BASE, bytes(size))[31] == 0)
    content = encode_header(Segment(BASE, BASE, HEADER_SIZE), IDENTITY)
    content += frame.encode(BASE, BASE, bytes(wanted))
    wrong = bytearray(content)
    wrong[position + 20] ^= 1
    with pytest.raises(LogDamaged, match="header of the frame"):
        list(frames_of(bytes(wrong)))
    end = position + frame.HEADER_SIZE
    cut = frames_of(bytes(wrong[:end]) + bytes(wanted + 4))
    assert list(cut) == []
    assert cut.torn


def test_records_that_were_changed_are_damage_and_records_that_were_torn_are_the_end() -> None:
    content, expected = made(0, 0, size=600)
    changed = bytearray(content)
    changed[-100] ^= 1
    with pytest.raises(LogDamaged, match="records of the frame"):
        list(frames_of(bytes(changed)))
    for torn in (content[:-100], content[:-100] + bytes(100), content[:-100] + bytes(2000)):
        frames = frames_of(torn)
        assert list(frames) == expected[:1]
        assert frames.torn


def test_a_torn_frame_is_damage_if_a_later_one_knew_that_it_was_synced() -> None:
    content, expected = made(0, 0, 2, 2)
    second = expected[1][0] - frame.HEADER_SIZE - BASE + HEADER_SIZE
    third = expected[2][0] - frame.HEADER_SIZE - BASE + HEADER_SIZE
    for start, what in ((second, "a frame is missing"), (second + 32, "the records of the frame")):
        holed = content[:start] + bytes(third - start) + content[third:]
        with pytest.raises(LogDamaged, match=what) as caught:
            list(frames_of(holed))
        assert caught.value.offset == second
    fourth = expected[3][0] - frame.HEADER_SIZE - BASE + HEADER_SIZE
    frames = frames_of(content[:third] + bytes(fourth - third) + content[fourth:])
    assert list(frames) == expected[:2], "only the first two were known to be synced"
    assert frames.torn


def test_a_length_that_is_beyond_the_file_is_not_read() -> None:
    content, expected = made(0)
    position = BASE + len(content) - HEADER_SIZE
    head = bytearray(frame.encode(position, BASE, b"")[: frame.HEADER_SIZE - 4])
    head[20:24] = b"\xff\xff\xff\xff"
    huge = bytes(head) + crc32(head).to_bytes(4, "little")
    frames = frames_of(content + huge + b"x" * 30)
    assert list(frames) == expected
    assert frames.torn


@pytest.mark.parametrize("room", [0, 10, 1000])
def test_the_last_frame_is_found_across_the_pieces_that_are_read(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, expected = made(0, 0, 0, 3, 3)
    last = frame.parse(content, content.rindex(frame.MAGIC))
    second = expected[1][0] - frame.HEADER_SIZE - BASE + HEADER_SIZE
    for piece in range(1, 140, 3):
        monkeypatch.setattr(scan, "BLOCK", piece)
        frames = frames_of(content + bytes(room))
        assert list(frames) == expected
        assert not frames.torn
        assert scan.later_frame(frames.file, frames.segment, HEADER_SIZE, frames.size) == last
        assert scan.later_frame(frames.file, frames.segment, len(content), frames.size) is None
        holed = frames_of(content[:second] + bytes(50) + content[second + 50 :] + bytes(room))
        with pytest.raises(LogDamaged):
            list(holed)


def test_bytes_within_a_record_that_look_like_a_frame_are_none() -> None:
    stray = frame.encode(123456, 123456, b"") + frame.MAGIC
    content = encode_header(Segment(BASE, BASE, HEADER_SIZE), IDENTITY)
    content += frame.encode(BASE, BASE, record.encode(1, stray))[:-60] + bytes(60)
    content += stray
    frames = frames_of(content)
    assert list(frames) == []
    assert frames.torn
