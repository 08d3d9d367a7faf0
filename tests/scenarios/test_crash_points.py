"""The power goes off at every operation of the file system, and the disk keeps what it likes of
what was not synced: what was promised holds each time.
"""

from __future__ import annotations

import pytest

from faulty import Change, FaultyFiles, PowerCut
from minibroker import Broker, ManualClock
from story import SEGMENT, Promises, tell

FATES = 16
"""How many different disks are tried after each crash."""


def reopened(files: FaultyFiles, promises: Promises) -> None:
    """Open what is on the disk, compare, close, and open and compare once more."""
    for _ in range(2):
        with Broker(data=files, clock=ManualClock(), segment_size=SEGMENT) as broker:
            promises.check(broker)
    assert not files.opened


@pytest.fixture(scope="module")
def operations() -> list[str]:
    """The operations of the whole story, which has to come to its end."""
    files, promises = FaultyFiles(), Promises()
    tell(files, promises)
    reopened(files.after_kill(), promises)
    return files.history


def crashed(at: int) -> tuple[FaultyFiles, Promises]:
    """The story up to an operation."""
    files, promises = FaultyFiles(), Promises()
    files.stop_at(at)
    with pytest.raises(PowerCut):
        tell(files, promises)
    return files, promises


def test_the_story_has_everything_that_can_go_wrong(operations: list[str]) -> None:
    kinds = {operation.split()[0] for operation in operations}
    assert kinds == {"create", "delete", "rename", "resize", "sync", "write"}
    assert sum("checkpoint" in operation for operation in operations) > 4
    assert any(
        operation.startswith("rename") and "segment" in operation for operation in operations
    )


@pytest.mark.parametrize("part", range(8))
def test_what_was_promised_holds_after_a_power_cut_at_any_operation(
    operations: list[str], part: int
) -> None:
    for at in range(part, len(operations), 8):
        files, promises = crashed(at)
        for seed in range(FATES):
            try:
                reopened(files.after_power_cut(seed), promises)
            except BaseException as error:
                error.add_note(f"after operation {at} ({operations[at]}), disk {seed}")
                raise


def test_what_was_promised_holds_after_the_process_was_killed_at_any_operation(
    operations: list[str],
) -> None:
    for at in range(len(operations)):
        files, promises = crashed(at)
        try:
            reopened(files.after_kill(), promises)
        except BaseException as error:
            error.add_note(f"after operation {at} ({operations[at]})")
            raise


def cut(files: FaultyFiles, name: str, length: int, zeros: bool) -> FaultyFiles:
    """The files when of the last write to one of them so many bytes came to the disk.

    The rest of it is zeros, if there was room before, or the file ends there.
    """
    contents: dict[str, bytes] = {}
    for each, inode in files._names.items():
        content = bytearray(inode.synced)
        for change in inode.unsynced[:-1] if each == name else inode.unsynced:
            change.apply(content)
        if each == name:
            last = inode.unsynced[-1]
            assert last.data is not None
            Change(last.offset, last.data[:length]).apply(content)
            if not zeros:
                del content[last.offset + length :]
        contents[each] = bytes(content)
    return FaultyFiles(contents)


def size_of_last_write(files: FaultyFiles, name: str) -> int:
    """Bytes of it; 0 if the last thing that happened to the file is another one."""
    inode = files._names.get(name)
    last = inode.unsynced[-1] if inode is not None and inode.unsynced else None
    return 0 if last is None or last.data is None else len(last.data)


@pytest.mark.parametrize("zeros", [True, False], ids=["zeros", "end"])
def test_what_was_promised_holds_wherever_the_last_write_was_cut(
    operations: list[str], zeros: bool
) -> None:
    points = 0
    for at, operation in enumerate(operations[:-1]):
        kind, name = operation.split()
        if kind != "write" or not operations[at + 1].startswith("sync"):
            continue
        files, promises = crashed(at + 1)
        size = size_of_last_write(files, name)
        for length in {*range(0, size, 1 + size // 120), *range(max(size - 12, 0), size + 1)}:
            disk = cut(files, name, length, zeros)
            try:
                with Broker(data=disk, clock=ManualClock(), segment_size=SEGMENT) as broker:
                    promises.check(broker)
            except BaseException as error:
                error.add_note(f"after operation {at} ({operation}), {length} of {size} bytes")
                raise
            points += 1
    assert points > 1000
