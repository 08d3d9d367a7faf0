"""The files of a directory do what the log expects of them."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles
from minibroker.store import DiskFileSystem, copy_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> DiskFileSystem:
    return DiskFileSystem(tmp_path / "deep" / "log")


@contextmanager
def limited(what: int, most: int) -> Iterator[None]:
    """The system allows this process only so much; Python ignores SIGXFSZ."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def next_descriptor() -> int:
    descriptor = os.open("/", os.O_RDONLY)
    os.close(descriptor)
    return descriptor


def test_the_directory_is_made_with_those_above_it(files: DiskFileSystem) -> None:
    assert files.directory.is_dir()
    assert files.list() == {}
    DiskFileSystem(str(files.directory))


def test_files_are_listed_with_their_sizes_and_directories_are_not(files: DiskFileSystem) -> None:
    files.create("a").write(0, b"12345")
    files.create("b").close()
    (files.directory / "c").mkdir()
    assert files.list() == {"a": 5, "b": 0}


def test_what_was_written_is_read_back_up_to_the_end_of_the_file(files: DiskFileSystem) -> None:
    file = files.create("a")
    file.write(3, b"defg")
    file.write(0, b"abc")
    file.sync()
    assert file.read(0, 7) == b"abcdefg"
    assert file.read(2, 3) == b"cde"
    assert file.read(5, 100) == b"fg"
    assert file.read(7, 1) == b""
    assert file.read(0, 0) == b""
    file.close()
    again = files.open("a")
    assert again.read(0, 100) == b"abcdefg"
    again.close()


def test_more_room_reads_as_zeros_and_less_cuts(files: DiskFileSystem) -> None:
    file = files.create("a")
    file.write(0, b"abc")
    file.resize(10)
    assert file.read(0, 20) == b"abc" + bytes(7)
    file.resize(10)
    file.resize(2)
    assert file.read(0, 20) == b"ab"
    assert files.list() == {"a": 2}
    file.close()


def test_closing_twice_does_nothing(files: DiskFileSystem) -> None:
    file = files.create("a")
    file.close()
    taken = files.create("b")
    file.close()
    taken.write(0, b"still open")
    taken.close()


def test_a_file_that_is_not_there_cannot_be_opened(files: DiskFileSystem) -> None:
    with pytest.raises(FileNotFoundError):
        files.open("none")


def test_creating_makes_another_file_in_place_of_the_old_one(files: DiskFileSystem) -> None:
    old = files.create("a")
    old.write(0, b"old")
    new = files.create("a")
    new.write(0, b"n")
    assert (old.read(0, 9), new.read(0, 9)) == (b"old", b"n")
    old.close()
    new.close()


def test_a_file_can_take_the_place_of_another_one(files: DiskFileSystem) -> None:
    files.create("a").write(0, b"a")
    kept = files.create("b")
    kept.write(0, b"bb")
    files.rename("a", "b")
    assert files.list() == {"b": 1}
    assert kept.read(0, 9) == b"bb"
    kept.close()
    with pytest.raises(FileNotFoundError):
        files.rename("a", "b")


def test_deleting_a_file_that_is_not_there_is_no_error(files: DiskFileSystem) -> None:
    files.create("a").close()
    files.delete("a")
    files.delete("a")
    assert files.list() == {}


def test_a_write_that_the_system_did_in_part_goes_on_and_says_what_stopped_it(
    files: DiskFileSystem,
) -> None:
    file = files.create("a")
    with limited(resource.RLIMIT_FSIZE, 10), pytest.raises(OSError, match="File too large"):
        file.write(4, b"x" * 20)
    assert file.read(0, 100) == bytes(4) + b"x" * 6
    file.close()


def test_room_that_the_system_does_not_have_is_refused_before_anything_is_written(
    files: DiskFileSystem,
) -> None:
    file = files.create("a")
    with limited(resource.RLIMIT_FSIZE, 10), pytest.raises(OSError, match="File too large"):
        file.resize(20)
    assert files.list() == {"a": 0}
    file.close()


def test_no_file_stays_open_when_its_directory_cannot_be_synced(files: DiskFileSystem) -> None:
    free = next_descriptor()
    with limited(resource.RLIMIT_NOFILE, free + 1), pytest.raises(OSError, match="Too many open"):
        files.create("a")
    assert next_descriptor() == free
    assert files.list() == {"a": 0}, "it was made, and may be gone after a power cut"
    files.create("a").close()


def test_a_directory_whose_parent_cannot_be_read_is_used_all_the_same(tmp_path: Path) -> None:
    parent = tmp_path / "passed through"
    parent.mkdir()
    parent.chmod(0o300)
    try:
        DiskFileSystem(parent / "log").create("a").close()
    finally:
        parent.chmod(0o700)
    assert (parent / "log" / "a").exists()


def test_a_copy_is_on_the_disk_when_it_is_done() -> None:
    files = FaultyFiles({"old": bytes(range(256)) * 9000})
    source, target = files.open("old"), files.create("new")
    copy_file(source, target, 256 * 9000 - 1)
    source.close()
    target.close()
    assert files.after_power_cut(how="nothing").contents()["new"] == files.contents()["old"][:-1]
