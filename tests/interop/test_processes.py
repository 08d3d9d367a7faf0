"""Servers that tests start are waited for, and never outlive the tests."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import ServerProcess

ROOT = Path(__file__).parents[2]

# Starts a server with a child, says both process numbers, and is killed.
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.interop.processes import ServerProcess
server = ServerProcess(["sh", "-c", "sleep 600 & echo child $!; wait"], Path(sys.argv[1]))
print(server.pid, server.wait_for(r"child (\\d+)", 10)[1], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def started(directory: Path, script: str) -> ServerProcess:
    return ServerProcess(["sh", "-c", script], directory / "errors.log")


def test_a_line_that_matches_is_waited_for(tmp_path: Path) -> None:
    server = started(tmp_path, "echo starting; echo ready on 7; exec sleep 600")
    assert server.wait_for(r"ready on (\d)", 10)[1] == "7"
    assert server.stop() == -signal.SIGTERM


def test_a_server_that_ends_too_early_is_an_error_with_its_words(tmp_path: Path) -> None:
    server = started(tmp_path, "echo half; echo failed >&2")
    with pytest.raises(RuntimeError, match="(?s)ended before it was ready: half.*failed"):
        server.wait_for("ready", 10)
    assert server.kill() == 0


def test_a_server_that_says_nothing_is_an_error_in_time(tmp_path: Path) -> None:
    server = started(tmp_path, "exec sleep 600")
    with pytest.raises(RuntimeError, match=r"not ready after 0\.01 s"):
        server.wait_for("ready", 0.01)
    server.kill()


def test_a_server_that_does_not_listen_is_killed_with_its_children(tmp_path: Path) -> None:
    server = started(tmp_path, "trap '' TERM; sleep 600 & echo child $!; wait; wait")
    child = os.pidfd_open(int(server.wait_for(r"child (\d+)", 10)[1]))
    assert server.stop(timeout=0.1) == -signal.SIGKILL
    assert has_ended(child)


def test_servers_end_when_the_tests_are_killed(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "errors.log")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for pid in killed.stdout.split():
        try:
            process = os.pidfd_open(int(pid))
        except ProcessLookupError:
            continue
        assert has_ended(process)


def has_ended(process: int) -> bool:
    """Whether it ends soon."""
    try:
        return bool(select.select([process], [], [], 10)[0])
    finally:
        os.close(process)
