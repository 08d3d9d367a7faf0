"""Forks, signals and ends: in processes of their own, as a user meets them."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minibroker import Broker

    from ...interop.servers import AmqpServer
    from .proxy import Proxy

SECONDS = 30.0


def program(text: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python program, with its arguments as `sys.argv[1:]`."""
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", text, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, which is the point
from minibroker_client import Connection
connection = Connection(sys.argv[1], heartbeat=1)
channel = connection.default_channel
channel.declare_queue("q")
child = os.fork()
if child == 0:
    try:
        channel.declare_queue("q")
    except connection.recoverable_connection_errors as error:
        print("child:", "parent process" in str(error), flush=True)
    connection.ensure_connection(max_retries=3)
    channel.publish("", "q", b"child")
    connection.close()
    os._exit(0)
os.waitpid(child, 0)
channel.publish("", "q", b"parent")
print("parent:", channel.declare_queue("q", passive=True).message_count, flush=True)
connection.close()
"""


def test_a_forked_child_makes_its_own_connection(proxy: Proxy, scheme: str) -> None:
    running = program(FORK, proxy.url(scheme))
    out, err = running.communicate(timeout=SECONDS)
    assert (out.split("\n")[:2], err) == (["child: True", "parent: 2"], "")
    assert proxy.accepted == 2


LEAVING = """
import sys
from minibroker_client import Connection
connection = Connection(sys.argv[1])
connection.Producer().publish("one", routing_key="q")
connection.Producer().publish("two", routing_key="q")
kept = connection  # not closed: the end of the process sends what is left
"""


def test_what_was_published_is_sent_when_the_process_ends(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    real_broker.connect().channel().declare_queue("q", durable=True)
    running = subprocess.run(
        [sys.executable, "-c", LEAVING, proxy.url(scheme)], timeout=SECONDS, check=True
    )
    assert running.returncode == 0
    channel = real_broker.connect().channel()
    channel.consume("q")
    got = 0
    while got < 2:
        channel.connection.drain(SECONDS)  # type: ignore[attr-defined]  # a LocalConnection
        got += 1


INTERRUPTED = """
import signal, sys
from minibroker_client import Connection
signal.signal(signal.SIGINT, signal.default_int_handler)  # a program in the background ignores it
how = sys.argv[2]
connection = Connection(sys.argv[1], transport_options={"confirm_publish": how == "confirm"})
channel = connection.default_channel
channel.declare_queue("q")
producer = connection.Producer()
try:
    print("ready", flush=True)
    if how == "drain":
        connection.drain_events()
    while True:
        producer.publish(b"x" * 100, routing_key="q")
except KeyboardInterrupt:
    print("interrupted", flush=True)
try:
    print("count", channel.declare_queue("q", passive=True).message_count >= 0, flush=True)
except connection.connection_errors:
    connection.ensure_connection(max_retries=3)
    print("count", channel.declare_queue("q", passive=True).message_count >= 0, flush=True)
connection.close()
print("closed", flush=True)
"""


@pytest.mark.parametrize("how", ["drain", "publish", "confirm"])
def test_ctrl_c_leaves_nothing_locked(proxy: Proxy, scheme: str, how: str) -> None:
    running = program(INTERRUPTED, proxy.url(scheme), how)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=SECONDS)
    assert (out, err) == ("interrupted\ncount True\nclosed\n", "")
    assert running.returncode == 0


def publish_through_restarts(
    url: str, restart: Callable[[], None], spool: Path | None, times: int
) -> list[bytes]:
    """Publish with a buffer while the broker is killed and started again; what was accepted."""
    from minibroker_client import Connection, Queue  # noqa: PLC0415 -- used here alone

    options = {
        "buffer": {"directory": str(spool)} if spool else True, "interval_start": 0.05,
        "interval_step": 0.05, "interval_max": 0.2,
    }  # fmt: skip
    accepted: list[bytes] = []
    with Connection(url, transport_options=options) as connection:
        producer = connection.Producer()
        queue = Queue("kept", durable=True)
        for turn in range(times):
            for number in range(200):
                body = b"%d-%d" % (turn, number)
                producer.publish(body, routing_key="kept", declare=[queue], delivery_mode=2)
                accepted.append(body)
                if number == 50 + 20 * turn:
                    restart()
        connection.wait_for_confirms(timeout=SECONDS)
    return accepted


@pytest.mark.parametrize("spooled", [False, True])
def test_a_broker_that_is_killed_in_mid_traffic_loses_nothing_that_was_accepted(
    fresh_amqp_server: AmqpServer, scheme: str, tmp_path: Path, spooled: bool
) -> None:
    server = fresh_amqp_server
    url = server.url.replace("amqp", scheme)

    def restart() -> None:
        server.kill()
        server.start()

    spool = tmp_path / "spool" if spooled else None
    accepted = publish_through_restarts(url, restart, spool, 5)
    check(url, accepted)


def test_rabbitmq_that_is_started_again_loses_nothing_that_was_accepted(
    own_rabbitmq: AmqpServer,
) -> None:
    accepted = publish_through_restarts(own_rabbitmq.url, own_rabbitmq.restart, None, 1)
    check(own_rabbitmq.url, accepted)


def check(url: str, accepted: list[bytes]) -> None:
    from minibroker_client import Connection  # noqa: PLC0415 -- used here alone

    ids: dict[bytes, set[str]] = {}
    with Connection(url) as connection:
        channel = connection.default_channel
        while (message := channel.get("kept", no_ack=True)) is not None:
            ids.setdefault(message.body, set()).add(message.properties["message_id"])
    assert set(ids) == set(accepted)
    assert all(len(each) == 1 for each in ids.values())
