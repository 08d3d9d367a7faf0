"""The disk of the tests keeps what was synced, loses what was not, and fails when asked to."""

from __future__ import annotations

import errno

import pytest

from faulty import HOW, FaultyFiles, PowerCut


def outcomes(files: FaultyFiles, how: str | None = None) -> set[bytes | None]:
    """All that may be in the file `a` after a power cut."""
    return {files.after_power_cut(seed, how).contents().get("a") for seed in range(300)}


def written(synced: bytes, unsynced: bytes) -> FaultyFiles:
    files = FaultyFiles({"a": synced})
    file = files.open("a")
    file.write(len(synced), unsynced)
    file.close()
    return files


def test_what_was_synced_is_never_lost_and_what_was_not_may_be() -> None:
    files = written(b"abc", b"def")
    assert outcomes(files) == {b"abc", b"abcd", b"abcde", b"abcdef", b"abc\0\0\0"}
    assert outcomes(files, "nothing") == {b"abc"}
    assert outcomes(files, "all") == {b"abcdef"}
    files.open("a").sync()
    assert outcomes(files) == {b"abcdef"}


def test_any_sectors_of_what_was_not_synced_may_be_zeros() -> None:
    files = written(b"", b"x" * 1024)
    left = outcomes(files, "sectors")
    assert {b"", b"x" * 512, b"x" * 1024, bytes(512) + b"x" * 512, bytes(1024)} <= left
    assert all(
        data in (b"x", b"\0") for whole in left if whole for data in (whole[600:601] or b"x",)
    )


def test_room_may_be_there_and_may_not_be() -> None:
    files = FaultyFiles({"a": b"abc"})
    files.open("a").resize(6)
    files.open("a").write(3, b"d")
    assert outcomes(files) >= {b"abc", b"abc\0\0\0", b"abcd\0\0", b"abcd"}
    files.open("a").resize(1)
    assert outcomes(files) >= {b"a", b"abc"}


def test_files_that_were_made_renamed_and_deleted_are_so_for_certain() -> None:
    files = FaultyFiles({"a": b"old", "b": b"b"})
    files.create("c")
    files.rename("b", "a")
    files.delete("none")
    assert outcomes(files) == {b"b"}
    assert all(set(files.after_power_cut(0, how).list()) == {"a", "c"} for how in HOW)


def test_a_change_of_the_directory_that_failed_on_its_way_to_the_disk_may_be_lost() -> None:
    files = FaultyFiles({"a": b"old"})
    files.fail(kinds={"create"}, done=True)
    with pytest.raises(OSError, match="No space"):
        files.create("a")
    assert files.contents() == {"a": b""}
    assert outcomes(files) == {b"old", b""}
    assert files.after_kill().after_power_cut(how="all").contents() == {"a": b""}


def test_a_killed_process_loses_nothing() -> None:
    files = written(b"abc", b"def")
    left = files.after_kill()
    assert left.contents() == {"a": b"abcdef"}
    assert outcomes(left, "nothing") == {b"abc"}
    left.open("a").sync()
    assert outcomes(files, "nothing") == {b"abc"}, "they share nothing"


def test_a_sync_that_drops_what_it_had_makes_later_ones_lie() -> None:
    files = written(b"", b"abc")
    files.fail(kinds={"sync"}, code=errno.EIO, drops=True)
    file = files.open("a")
    with pytest.raises(OSError, match="Input/output"):
        file.sync()
    file.write(3, b"d")
    file.sync()
    assert file.read(0, 9) == b"abcd"
    assert outcomes(files) == {b"\0\0\0d"}


def test_a_write_that_fails_has_written_as_much_as_was_asked_for() -> None:
    files = written(b"", b"")
    files.fail(at=1, kinds={"write"}, times=2, part=2)
    file = files.open("a")
    file.write(0, b"abc")
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            file.write(3, b"def")
    assert file.read(0, 9) == b"abcde"
    file.write(3, b"def")
    files.fail(times=None)
    for _ in range(5):
        with pytest.raises(OSError, match="No space"):
            file.resize(0)
    files.heal()
    file.resize(0)


def test_reading_fails_if_asked_for() -> None:
    files = written(b"abc", b"")
    files.fail(kinds={"read", "list"})
    file = files.open("a")
    with pytest.raises(OSError, match="No space"):
        file.read(0, 1)
    assert file.read(0, 1) == b"a"


def test_nothing_works_after_the_power_went_off() -> None:
    files = written(b"abc", b"")
    files.stop_at(files.count + 1)
    file = files.open("a")
    file.write(3, b"d")
    for _ in range(2):
        with pytest.raises(PowerCut):
            file.write(4, b"e")
    for act in (files.list, file.sync, lambda: file.read(0, 1), lambda: files.delete("a")):
        with pytest.raises(PowerCut):
            act()
    assert outcomes(files, "all") == {b"abcde"}
    assert b"abc" in outcomes(files)


def test_misuse_is_noticed() -> None:
    files = FaultyFiles({"a": b"abc"})
    file = files.open("a")
    assert files.opened == [file]
    file.close()
    file.close()
    assert files.opened == []
    for act in (file.sync, lambda: file.read(0, 1), lambda: file.write(0, b"x")):
        with pytest.raises(ValueError, match="a is closed"):
            act()
    for missing in (lambda: files.open("b"), lambda: files.rename("b", "a")):
        with pytest.raises(FileNotFoundError):
            missing()
    assert files.history == ["rename a"]


def test_a_deleted_file_is_still_read_by_whoever_has_it_open() -> None:
    files = FaultyFiles({"a": b"abc"})
    file = files.open("a")
    files.delete("a")
    assert file.read(0, 9) == b"abc"
    assert files.list() == {}
