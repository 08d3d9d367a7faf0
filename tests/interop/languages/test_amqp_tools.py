"""The commands of Debian's amqp-tools, which are written in C with rabbitmq-c."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from ..needed import needed_command
from ..servers import AmqpServer

Name = Callable[[str], str]
Tool = Callable[..., "subprocess.CompletedProcess[bytes]"]

PATIENCE = 30
LONG = bytes(range(251)) * 5180
"""1.3 MB: ten frames, and a piece."""


@pytest.fixture
def tool(amqp_server: AmqpServer) -> Tool:
    """`tool("get", "-q", "q")`: run amqp-get, whatever it ends with."""

    def run(
        name: str, *arguments: str, body: bytes = b"", password: str = "guest"
    ) -> subprocess.CompletedProcess[bytes]:
        command = needed_command(f"amqp-{name}")
        # To rabbitmq-c a last slash means a virtual host without a name.
        url = amqp_server.url.removesuffix("/").replace(":guest@", f":{password}@")
        return subprocess.run(
            [command, f"--url={url}", *arguments],
            input=body,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )

    return run


@pytest.fixture
def queue(tool: Tool, name: Name) -> Iterator[str]:
    """A queue, which is deleted at the end."""
    queue = name("q")
    declared = tool("declare-queue", "-q", queue)
    assert (declared.returncode, declared.stdout.decode()) == (0, f"{queue}\n")
    yield queue
    tool("delete-queue", "-q", queue)


def got(tool: Tool, queue: str) -> bytes:
    answer = tool("get", "-q", queue)
    assert answer.returncode == 0, answer.stderr
    return bytes(answer.stdout)


def test_what_is_published_as_an_argument_or_as_input_is_got(tool: Tool, queue: str) -> None:
    assert tool("publish", "-r", queue, "-b", "argument").returncode == 0
    assert tool("publish", "-r", queue, "-p", "-C", "text/plain", body=b"input").returncode == 0
    assert got(tool, queue) == b"argument"
    assert got(tool, queue) == b"input"


def test_each_line_may_be_a_message(tool: Tool, queue: str) -> None:
    assert tool("publish", "-r", queue, "-l", body=b"one\ntwo\n").returncode == 0
    assert [got(tool, queue).strip(), got(tool, queue).strip()] == [b"one", b"two"]


def test_getting_from_an_empty_queue_ends_with_2(tool: Tool, queue: str) -> None:
    answer = tool("get", "-q", queue)
    assert (answer.returncode, answer.stdout) == (2, b"")


def test_a_body_of_many_frames_is_carried(tool: Tool, queue: str) -> None:
    assert tool("publish", "-r", queue, body=LONG).returncode == 0
    assert got(tool, queue) == LONG


def test_a_command_is_run_for_each_message_until_there_were_enough(tool: Tool, queue: str) -> None:
    for body in ("one", "two", "three"):
        tool("publish", "-r", queue, "-b", body)
    consumed = tool("consume", "-q", queue, "-c", "2", "-p", "1", "sed", "s/$/;/")
    assert consumed.returncode == 0, consumed.stderr
    assert consumed.stdout.replace(b"\n", b"") == b"one;two;"
    assert got(tool, queue) == b"three"


def test_deleting_a_queue_tells_how_many_messages_it_had(tool: Tool, name: Name) -> None:
    queue = name("gone")
    tool("declare-queue", "-q", queue, "-d")
    tool("publish", "-r", queue, "-b", "m")
    kept = tool("delete-queue", "-q", queue, "-e")
    assert kept.returncode != 0
    assert f"queue '{queue}' in vhost '/' not empty".encode() in kept.stderr
    deleted = tool("delete-queue", "-q", queue)
    assert (deleted.returncode, deleted.stdout) == (0, b"1\n")


def test_what_is_refused_is_shown_with_code_and_text(tool: Tool, name: Name) -> None:
    missing = name("missing")
    answer = tool("get", "-q", missing)
    assert answer.returncode == 1
    assert f"404, message: NOT_FOUND - no queue '{missing}' in vhost '/'".encode() in answer.stderr


def test_a_wrong_password_is_refused(tool: Tool, queue: str) -> None:
    answer = tool("get", "-q", queue, password="wrong")
    assert answer.returncode == 1
    assert b"403, message: ACCESS_REFUSED - Login was refused" in answer.stderr
