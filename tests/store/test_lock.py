"""A directory has one owner, whose death gives it free."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minibroker.errors import LogLocked
from minibroker.store import DirectoryLock
from minibroker.store.lock import LOCK_FILE

HOLDER = """
import sys
from minibroker.store import DirectoryLock
lock = DirectoryLock(sys.argv[1])
print("taken", flush=True)
sys.stdin.read()
"""
TAKER = """
import sys
from minibroker.errors import LogLocked
from minibroker.store import DirectoryLock
try:
    DirectoryLock(sys.argv[1])
except LogLocked as error:
    print(error)
"""


def start(program: str, directory: Path) -> subprocess.Popen[str]:
    """Another process, which finds the modules where this one does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_who_has_the_lock_is_written_in_the_file(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_a_second_opener_in_this_process_is_refused_with_its_process_id(tmp_path: Path) -> None:
    lock = DirectoryLock(str(tmp_path))
    for _ in range(2):
        with pytest.raises(LogLocked) as caught:
            DirectoryLock(tmp_path)
        assert str(caught.value) == f"{tmp_path} is open in this process ({os.getpid()})"
    lock.release()
    DirectoryLock(tmp_path).release()


def test_another_process_is_refused_with_the_id_of_this_one(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path), start(TAKER, tmp_path) as taker:
        said, _ = taker.communicate()
    assert said == f"{tmp_path} is open in process {os.getpid()}\n"
    with start(TAKER, tmp_path) as taker:
        assert taker.communicate()[0] == ""


def test_the_lock_of_a_process_that_was_killed_can_be_taken(tmp_path: Path) -> None:
    with start(HOLDER, tmp_path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(LogLocked, match=f"is open in process {holder.pid}$"):
            DirectoryLock(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with DirectoryLock(tmp_path):
            assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_a_copy_of_a_directory_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with DirectoryLock(tmp_path / "one"):
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        with DirectoryLock(tmp_path / "two"):
            pass


def test_letting_go_twice_does_nothing_and_takes_nothing_from_the_next_owner(
    tmp_path: Path,
) -> None:
    lock = DirectoryLock(tmp_path)
    lock.release()
    with DirectoryLock(tmp_path):
        lock.release()
        with pytest.raises(LogLocked):
            DirectoryLock(tmp_path)


def test_an_owner_that_has_not_said_yet_who_it_is_is_another_process(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / LOCK_FILE, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(LogLocked, match="is open in another process$"):
        DirectoryLock(tmp_path)
    os.close(descriptor)


def test_a_longer_process_id_of_the_owner_before_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("12345678901234567890\n")
    with DirectoryLock(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_a_directory_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DirectoryLock(tmp_path / "none")


def test_a_full_disk_leaves_the_directory_unlocked(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # SIGXFSZ is ignored by Python
    try:
        with pytest.raises(OSError, match="File too large"):
            DirectoryLock(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    DirectoryLock(tmp_path).release()
