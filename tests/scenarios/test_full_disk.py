"""A real disk that is really full: a small file system in memory, a limit on the size of files."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, Properties
from minibroker.errors import PublisherBlocked
from minibroker.events import Confirmed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from minibroker.local import LocalConnection

PERSISTENT = Properties(delivery_mode=2)
BODY = bytes(range(256)) * 16


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def publish_until_full(broker: Broker) -> int:
    """Publish with confirms until the disk is full; how many messages were confirmed."""
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("q", durable=True)
    channel.confirm_select()
    confirmed = 0
    while True:
        try:
            channel.publish("", "q", BODY, PERSISTENT, timeout=0)
        except PublisherBlocked as error:
            assert "low on disk" in str(error)
            assert "No space left on device" in str(error)
            return confirmed
        confirmed += next_confirm(connection)


def next_confirm(connection: LocalConnection) -> bool:
    """Whether the next confirm is one: what else the connection is told is passed over."""
    while True:
        event = connection.drain(5)
        if isinstance(event, Confirmed):
            return event.ok


def test_a_full_disk_blocks_publishers_until_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    with Broker(data=small_disk / "log", segment_size=1 << 16) as broker:
        confirmed = publish_until_full(broker)
        assert confirmed > 100
        ballast.unlink()  # from here on it is the broker that tries again
        connection = broker.connect()
        channel = connection.channel()
        channel.confirm_select()
        channel.publish("", "q", b"there is room", PERSISTENT, timeout=10)
        assert next_confirm(connection)
        there = broker.vhosts["/"].queues["q"].message_count
        assert there > confirmed
    with Broker(data=small_disk / "log") as broker:
        assert broker.vhosts["/"].queues["q"].message_count == there


def test_consuming_makes_room_on_a_full_disk(small_disk: Path) -> None:
    with Broker(data=small_disk / "log", segment_size=1 << 16) as broker:
        confirmed = publish_until_full(broker)
        connection = broker.connect()
        channel = connection.channel()
        for number in range(confirmed):
            got = channel.get("q")
            assert got is not None
            channel.ack(got.entry.tag)
            if number % 10 == 0:
                broker.sync()
        channel.confirm_select()
        channel.publish("", "q", BODY, PERSISTENT, timeout=10)  # publishing goes on by itself
        assert next_confirm(connection)
    with Broker(data=small_disk / "log") as broker:
        assert broker.vhosts["/"].queues["q"].message_count == 1


LIMITED = """
import resource, signal, sys
from minibroker import Broker, Properties
from minibroker.errors import LogError, PublisherBlocked
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
broker = Broker(data=sys.argv[1])
connection = broker.connect()
channel = connection.channel()
channel.declare_queue("q", durable=True)
channel.confirm_select()
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
def confirm():
    while not hasattr(event := connection.drain(5), "ok"):
        pass
    return event.ok
confirmed = 0
while True:
    try:
        channel.publish("", "q", bytes(5000), Properties(delivery_mode=2), timeout=0)
    except PublisherBlocked as error:
        assert "File too large" in str(error), error
        break
    confirmed += confirm()
print(confirmed)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
channel.publish("", "q", b"last", Properties(delivery_mode=2), timeout=10)
assert confirm()
broker.close()
"""


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(tmp_path: Path) -> None:
    writer = [sys.executable, "-c", LIMITED, str(tmp_path)]
    done = subprocess.run(writer, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    confirmed = int(done.stdout)
    assert confirmed > 10
    with Broker(data=tmp_path) as broker:
        assert broker.vhosts["/"].queues["q"].message_count >= confirmed + 1
