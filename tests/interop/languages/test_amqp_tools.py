"""The commands of Debian's amqp-tools, which are written in C with rabbitmq-c."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from ..needed import needed_command, needed_module
from ..processes import ServerProcess
from ..servers import AmqpServer

Name = Callable[[str], str]
Tool = Callable[..., "subprocess.CompletedProcess[bytes]"]

PATIENCE = 30
LONG = bytes(range(251)) * 5180
"""1.3 MB: nine whole frames, and a piece."""


def command(name: str, url: str, *arguments: str) -> list[str]:
    # To rabbitmq-c a last slash means a virtual host without a name.
    return [needed_command(f"amqp-{name}"), f"--url={url.removesuffix('/')}", *arguments]


@pytest.fixture
def tool(amqp_server: AmqpServer) -> Tool:
    """`tool("get", "-q", "q")`: run amqp-get, whatever it ends with."""

    def run(
        name: str, *arguments: str, body: bytes = b"", password: str = "guest"
    ) -> subprocess.CompletedProcess[bytes]:
        url = amqp_server.url.replace(":guest@", f":{password}@")
        return subprocess.run(
            command(name, url, *arguments),
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


def got_whole(server: AmqpServer, queue: str) -> Any:
    """The properties of the next message: amqp-get shows none of them."""
    pika = needed_module("pika")
    with pika.BlockingConnection(pika.URLParameters(server.url)) as connection:
        _, properties, _ = connection.channel().basic_get(queue, auto_ack=True)
    return properties


def test_a_queue_without_a_name_is_given_one_by_the_server(tool: Tool) -> None:
    declared = tool("declare-queue", "-q", "")
    assert declared.returncode == 0, declared.stderr
    queue = declared.stdout.decode().strip()
    assert queue.startswith("amq.gen-")
    deleted = tool("delete-queue", "-q", queue)
    assert (deleted.returncode, deleted.stdout) == (0, b"0\n")


def test_what_is_published_as_an_argument_or_as_input_is_got(tool: Tool, queue: str) -> None:
    assert tool("publish", "-r", queue, "-b", "argument").returncode == 0
    assert tool("publish", "-r", queue, body=b"input").returncode == 0
    assert got(tool, queue) == b"argument"
    assert got(tool, queue) == b"input"


def test_each_line_may_be_a_message(tool: Tool, queue: str) -> None:
    assert tool("publish", "-r", queue, "-l", body=b"one\ntwo\n").returncode == 0
    assert [got(tool, queue).strip(), got(tool, queue).strip()] == [b"one", b"two"]


def test_properties_are_carried(tool: Tool, amqp_server: AmqpServer, queue: str) -> None:
    options = ["-p", "-C", "text/plain", "-E", "utf-8", "-t", "back", "-H", "kind: order"]
    assert tool("publish", "-r", queue, *options, "-b", "m").returncode == 0
    properties = got_whole(amqp_server, queue)
    assert properties.delivery_mode == 2
    assert properties.content_type == "text/plain"
    assert properties.content_encoding == "utf-8"
    assert properties.reply_to == "back"
    assert properties.headers == {"kind": "order"}


def test_a_message_is_not_persistent_by_itself(
    tool: Tool, amqp_server: AmqpServer, queue: str
) -> None:
    assert tool("publish", "-r", queue, "-b", "m").returncode == 0
    properties = got_whole(amqp_server, queue)
    assert (properties.delivery_mode, properties.content_type) == (1, None)


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


def test_a_message_whose_command_fails_is_kept(tool: Tool, queue: str) -> None:
    tool("publish", "-r", queue, "-b", "kept")
    # One that ended without reading the message would end the tool with SIGPIPE, if it was fast.
    assert tool("consume", "-q", queue, "-c", "1", "grep", "absent").returncode == 0
    assert got(tool, queue) == b"kept"


def test_a_consumer_gets_what_an_exchange_routes_to_it(
    tool: Tool, amqp_server: AmqpServer, name: Name, tmp_path: Path
) -> None:
    key = name("key")
    options = ["-e", "amq.topic", "-r", f"{key}.*", "-c", "1", "cat"]
    started = command("consume", amqp_server.url, *options)
    consumer = ServerProcess(started, tmp_path / "errors.log")
    try:
        # It does not tell when it has bound its queue: what comes too early is dropped.
        deadline = monotonic() + PATIENCE
        while consumer.process.poll() is None and monotonic() < deadline:
            tool("publish", "-e", "amq.topic", "-r", f"{key}.a.b", "-b", "other\n")
            tool("publish", "-e", "amq.topic", "-r", f"{key}.a", "-b", "routed\n")
        assert consumer.wait_for(".", 5).string == "routed\n"
        assert consumer.process.wait(5) == 0
    finally:
        consumer.kill()


def test_deleting_a_queue_tells_how_many_messages_it_had(tool: Tool, name: Name) -> None:
    queue = name("gone")
    tool("declare-queue", "-q", queue, "-d")
    tool("publish", "-r", queue, "-b", "m")
    kept = tool("delete-queue", "-q", queue, "-e")
    assert kept.returncode != 0
    assert f"queue '{queue}' in vhost '/' not empty".encode() in kept.stderr
    deleted = tool("delete-queue", "-q", queue)
    assert (deleted.returncode, deleted.stdout) == (0, b"1\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("get -q {missing}", "404, message: NOT_FOUND - no queue '{missing}' in vhost '/'"),
        ("consume -q {missing} cat", "404, message: NOT_FOUND - no queue '{missing}' in vhost '/'"),
        (
            "publish -e {missing} -r k -b m",
            "404, message: NOT_FOUND - no exchange '{missing}' in vhost '/'",
        ),
        (
            "consume -e {missing} -r k cat",
            "404, message: NOT_FOUND - no exchange '{missing}' in vhost '/'",
        ),
        (
            "declare-queue -d -q {queue}",
            "406, message: PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{queue}'"
            " in vhost '/': received 'true' but current is 'false'",
        ),
    ],
    ids=["get", "consume", "publish", "bind", "declare"],
)
def test_what_is_refused_is_shown_with_code_and_text(
    tool: Tool, queue: str, name: Name, arguments: str, error: str
) -> None:
    names = {"queue": queue, "missing": name("missing")}
    answer = tool(*arguments.format(**names).split())
    assert answer.returncode == 1
    assert error.format(**names) in answer.stderr.decode()


def test_a_wrong_password_is_refused(tool: Tool, queue: str) -> None:
    answer = tool("get", "-q", queue, password="wrong")
    assert answer.returncode == 1
    assert b"403, message: ACCESS_REFUSED - Login was refused" in answer.stderr
