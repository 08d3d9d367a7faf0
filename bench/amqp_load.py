"""A load for AMQP brokers: frames that were encoded before, over plain sockets.

What is measured is the broker, not a client: a publisher writes blocks of whole publishes, a
consumer counts bytes, for deliveries of one length need not be read. Knows no broker, no benchmark.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from minibroker import Properties
from minibroker.wire.amqp import decode_method, encode_properties, spec
from minibroker.wire.amqp.frames import content_frames, method_frame

if TYPE_CHECKING:
    from minibroker.wire.amqp.spec import MethodRecord

__all__ = ["BODY", "Line", "Link", "cycle", "latencies"]

BODY = b"x" * 100
BLOCK = 100
"""Publishes in one write, and deliveries for one ack."""
FRAME_MAX = 131_072
PATIENCE = 60
"""Seconds after which a broker is given up."""
TAG = "c"
_names = count(1)


class Link:
    """A connection with channel 1 open."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b"AMQP\x00\x00\x09\x01")
        self.answer()
        start = spec.ConnectionStartOk({}, "PLAIN", b"\0guest\0guest")
        self.send(start, 0)
        self.answer()
        self.send(spec.ConnectionTuneOk(2047, FRAME_MAX, 0), 0)
        self.send(spec.ConnectionOpen("/"), 0)
        self.answer()
        self.call(spec.ChannelOpen())

    def send(self, method: MethodRecord, channel: int = 1) -> None:
        """Send a method."""
        self.socket.sendall(method_frame(channel, method))

    def call(self, method: MethodRecord) -> MethodRecord:
        """Send a method on channel 1, and return the answer."""
        self.send(method)
        return self.answer()

    def answer(self) -> MethodRecord:
        """The next frame, which has to be a method."""
        kind, _, size = struct.unpack(">BHI", self.read(7))
        assert kind == 1, kind
        method = decode_method(self.read(size + 1)[:-1])
        assert not isinstance(method, spec.ConnectionClose | spec.ChannelClose), method
        return method

    def read(self, size: int) -> bytes:
        """So many bytes."""
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, "the broker closed the connection"
            data += more
        return data

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


class Line:
    """A queue with a publisher and, in most cases, a consumer, each on a connection of its own."""

    def __init__(self, port: int, *, durable: bool = False, no_ack: bool = False) -> None:
        self.queue = f"load{next(_names)}-{time.time_ns()}"
        self.publisher, self.consumer = Link(port), Link(port)
        self.no_ack = no_ack
        self.tag = 0
        """Publishes that were confirmed, deliveries that were acked."""
        self.publisher.call(spec.QueueDeclare(self.queue, durable=durable))
        header = encode_properties(Properties(delivery_mode=2 if durable else 1))
        self._one = b"".join(map(bytes, self._content(header)))
        deliver = spec.BasicDeliver(TAG, 1, False, "", self.queue)
        frames = content_frames(1, deliver, header, BODY, FRAME_MAX)
        self._size = sum(map(len, frames))

    def _content(self, header: bytes) -> list[bytes | memoryview]:
        return content_frames(1, spec.BasicPublish("", self.queue), header, BODY, FRAME_MAX)

    def confirm(self) -> None:
        """Turn confirms on."""
        self.publisher.call(spec.ConfirmSelect())

    def consume(self) -> None:
        """Start the consumer: with prefetch 1,000 where it acks."""
        if not self.no_ack:
            self.consumer.call(spec.BasicQos(0, 1000))
        self.consumer.call(spec.BasicConsume(self.queue, TAG, no_ack=self.no_ack))
        self.tag = 0

    def publish(self, number: int) -> None:
        """Publish so many, without waiting for anything."""
        block = self._one * BLOCK
        for _ in range(number // BLOCK):
            self.publisher.socket.sendall(block)
        self.publisher.socket.sendall(self._one * (number % BLOCK))

    def settled(self) -> None:
        """Return when the broker has everything that was published."""
        self.publisher.call(spec.QueueDeclare(self.queue, passive=True))

    def publish_confirmed(self, number: int, outstanding: int = 1000) -> None:
        """Publish so many, with as many outstanding as may be, until all are confirmed."""
        link, sent, confirmed, rest = self.publisher, 0, 0, b""
        first = self.tag
        while confirmed < number:
            while sent < number and sent - confirmed < outstanding:
                some = min(BLOCK, number - sent)
                link.socket.sendall(self._one * some)
                sent += some
            rest += link.socket.recv(65536)
            while len(rest) >= 21:
                tag, multiple = struct.unpack_from(">QB", rest, 11)
                assert rest[7:11] == b"\x00\x3c\x00\x50", rest[:21]
                confirmed = tag - first if multiple & 1 else confirmed + 1
                rest = rest[21:]
        self.tag += number

    def receive(self, number: int) -> None:
        """Take so many deliveries, and ack every hundredth and all before it."""
        wanted, got, acked = number * self._size, 0, 0
        link = self.consumer.socket
        while got < wanted:
            got += len(link.recv(1 << 20))
            whole = got // self._size // BLOCK * BLOCK
            if whole > acked and not self.no_ack:
                acked = whole
                self.consumer.send(spec.BasicAck(self.tag + acked, multiple=True))
        assert got == wanted, f"{got - wanted} bytes more than {number} deliveries have"
        if not self.no_ack and acked < number:
            self.consumer.send(spec.BasicAck(self.tag + number, multiple=True))
        self.tag += number

    def through(self, number: int) -> None:
        """Publish in one thread, and receive in this one."""
        thread = threading.Thread(target=self.publish, args=(number,))
        thread.start()
        self.receive(number)
        thread.join()

    def close(self) -> None:
        """Delete the queue, and close both connections."""
        self.consumer.close()
        self.publisher.send(spec.QueueDelete(self.queue, nowait=True))
        self.publisher.call(spec.BasicQos())
        self.publisher.close()


def latencies(line: Line, number: int, rate: int) -> list[float]:
    """Seconds from publishing to delivery, of so many messages, so many a second."""
    sent: deque[float] = deque()
    times: list[float] = []

    def take() -> None:
        got = 0
        while len(times) < number:
            got += len(line.consumer.socket.recv(1 << 16))
            now = time.perf_counter()
            while len(times) < min(got // line._size, number):
                times.append(now - sent.popleft())

    thread = threading.Thread(target=take)
    thread.start()
    begun = time.perf_counter()
    for each in range(number):
        while (wait := begun + each / rate - time.perf_counter()) > 0:
            time.sleep(wait)
        sent.append(time.perf_counter())
        line.publisher.socket.sendall(line._one)
    thread.join()
    return times


def cycle(port: int, queue: str) -> None:
    """Connect, declare, publish, and close as AMQP wants it."""
    link = Link(port)
    link.call(spec.QueueDeclare(queue))
    header = encode_properties(Properties())
    publish = spec.BasicPublish("", queue)
    link.socket.sendall(b"".join(content_frames(1, publish, header, BODY, FRAME_MAX)))
    link.call(spec.ChannelClose(200, ""))
    link.send(spec.ConnectionClose(200, ""), 0)
    link.answer()
    link.close()
