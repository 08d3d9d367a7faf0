"""Logs to look at: made by real brokers, with a bit of everything in them; and damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faulty import FaultyFiles
from minibroker import Broker, ManualClock
from minibroker.access import TopicPermissions
from minibroker.journal import facts
from minibroker.journal.checkpoint import is_checkpoint
from minibroker.properties import Properties
from minibroker.queues import Queue
from minibroker.store import Recovery, record
from minibroker.store.segment import is_segment, parse_header

if TYPE_CHECKING:
    from pathlib import Path

    from minibroker.channel import Channel
    from minibroker.store import FileSystem

PERSISTENT = Properties(delivery_mode=2)


def opened(path: Path, **settings: Any) -> Broker:
    """A broker without threads, with small segments."""
    return Broker(data=path, clock=ManualClock(), **{"segment_size": 4096, **settings})


def publish(channel: Channel, queue: str, count: int, size: int = 100) -> None:
    """Numbered messages for a queue, committed one by one."""
    for number in range(count):
        channel.publish("", queue, b"%06d" % number + b"." * (size - 6), PERSISTENT)
        assert channel.vhost.journal is not None
        channel.vhost.journal.wait()


def settle(channel: Channel, queue: str, count: int) -> None:
    """Take messages out of a queue."""
    for _ in range(count):
        got = channel.get(queue)
        assert got is not None
        channel.ack(got.entry.tag)


def declare_everything(broker: Broker) -> Channel:
    """Queues, exchanges, users and policies of every kind; a channel."""
    broker.add_vhost("other")
    broker.add_user("guest", ["administrator"])
    broker.set_permissions("guest", "/", topics=[TopicPermissions("amq.topic", "a", "b")])
    broker.set_limits("other", queues=10)
    broker.set_policy("short", "^never$", {"max-length": 5})
    channel = broker.connect().channel()
    channel.declare_queue("jobs", durable=True)
    channel.declare_queue("urgent", durable=True, arguments={"x-max-priority": 3})
    channel.declare_queue("votes", durable=True, arguments={"x-queue-type": "quorum"})
    channel.declare_queue("events", durable=True, arguments={"x-queue-type": "stream"})
    channel.declare_exchange(
        "later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"}
    )
    channel.declare_exchange("logs", "topic", durable=True)
    channel.bind_queue("jobs", "later", "jobs")
    channel.bind_queue("jobs", "logs", "job.*")
    channel.bind_queue("votes", "logs", "vote.#")
    return channel


def fill(path: Path, **settings: Any) -> None:
    """A closed log with a bit of everything, and a segment of which hardly anything was needed."""
    with opened(path, **settings) as broker:
        channel = declare_everything(broker)
        publish(channel, "jobs", 60)
        for number in range(6):
            urgent = Properties(delivery_mode=2, priority=number % 4)
            channel.publish("", "urgent", b"u%d" % number, urgent)
            channel.publish("", "votes", b"v%d" % number, PERSISTENT)
            channel.publish("", "events", b"e%d" % number, PERSISTENT)
            held = Properties(delivery_mode=2, headers={"x-delay": 1000})
            channel.publish("later", "jobs", b"l", held)
            channel.publish("logs", "job.x", b"both", PERSISTENT)
            broker.sync()
        settle(channel, "jobs", 30)
        for _ in range(2):
            got = channel.get("votes")
            assert got is not None
            channel.nack(got.entry.tag)
        broker.sync()
        make_checkpoint(broker)
        settle(channel, "jobs", 5)


def make_checkpoint(broker: Broker) -> None:
    """Write a checkpoint, and give up all the space that can be given up."""
    assert broker._durability is not None
    upkeep = broker._durability.upkeep
    upkeep.make_checkpoint()
    for _ in range(20):
        upkeep._next_step = 0.0
        upkeep.tidy()


def contents_of(path: Path) -> dict[str, bytes]:
    """The files of a log, but for its lock."""
    return {
        each.name: each.read_bytes()
        for each in path.iterdir()
        if is_segment(each.name) or is_checkpoint(each.name)
    }


def small_log(vhosts: int) -> dict[str, bytes]:
    """The segments of a log without a checkpoint, in which virtual hosts are added one by one."""
    files = FaultyFiles()
    recovery = Recovery(files)
    list(recovery.frames())
    log = recovery.finish(b"a small log.....", 1024)
    for number in range(vhosts):
        log.append([record.encode(*facts.vhost_added(f"vhost {number}"))])
        log.sync()
    log.roll()
    log.close()
    return files.contents()


def damaged(
    contents: dict[str, bytes], name: str, offset: int, bits: int = 0x10
) -> dict[str, bytes]:
    """The same files, with some bits of one byte the other way round."""
    data = bytearray(contents[name])
    data[offset] ^= bits
    return {**contents, name: bytes(data)}


def checkpoint_of(contents: dict[str, bytes]) -> str:
    """The name of the only checkpoint."""
    (name,) = filter(is_checkpoint, contents)
    return name


def segments_of(contents: dict[str, bytes]) -> list[str]:
    """The names of the segments, in order."""
    return sorted(filter(is_segment, contents))


def sparse_of(contents: dict[str, bytes]) -> str:
    """The name of a sparse segment."""
    (name, *_) = (
        name
        for name in segments_of(contents)
        if parse_header(contents[name], name, len(contents[name]))[0].index is not None
    )
    return name


def counted(data: FileSystem | Path) -> dict[str, int]:
    """How many messages the queues of a log have, told by a broker that reads them all."""
    with Broker(data=data, clock=ManualClock()) as broker:
        broker._check()
        return {
            queue.name: len(list(queue.ready)) if isinstance(queue, Queue) else queue.message_count
            for host in broker.vhosts.values()
            for queue in host.queues.values()
        }


class MemoryArchive:
    """An archive in memory, of a file system in memory."""

    def __init__(self, files: FaultyFiles) -> None:
        self.files = files
        self.kept: dict[str, bytes] = {}
        self.text = ""

    def keep(self, names: list[str]) -> None:
        """See `Archive`."""
        contents = self.files.contents()
        self.kept.update((name, contents[name]) for name in names)

    def report(self, text: str) -> None:
        """See `Archive`."""
        self.text = text
