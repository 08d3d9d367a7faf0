"""A stand-in for Azure Service Bus on AMQP 1.0, for tests: queues with locks, dead letters, delays
and receive-and-delete, as the unmodified azure-servicebus uses them with
`UseDevelopmentEmulator=true`. No sessions, transactions, deferred receive, topics, rules, and no
HTTP management.

The nodes: `$cbs` takes any token; `QUEUE`, `QUEUE/$DeadLetterQueue`, and `$management` of each.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from typing import Any

from .azure_management import MESSAGE_LOCK_LOST, answer, outgoing
from .azure_queues import Entry, Namespace, Queue, QueueNotFound

# Taken as they come: python-qpid-proton is not among what the checks install.
proton: Any = importlib.import_module("proton")
handlers: Any = importlib.import_module("proton.handlers")
reactor: Any = importlib.import_module("proton.reactor")

CBS = "$cbs"
MANAGEMENT = "/$management"
MAX_MESSAGE_SIZE = 262144
MESSAGE_TOO_LARGE = "amqp:link:message-size-exceeded"
TICK = 0.05
CREDIT = 100

DATA = 0x75
# How a section of a message starts: as a described type, with the small code of a section.
SECTIONS = tuple(bytes([0, 0x53, code]) for code in (0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x77))


def sections(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The sections of an encoded message: code and content (amqp 3.2)."""
    at = 0
    while at < len(raw):
        if raw[at + 1] == 0x53:
            code, at = raw[at + 2], at + 3
        else:
            code, at = int.from_bytes(raw[at + 2 : at + 10], "big"), at + 10
        # amqp 1.6: the upper half of a constructor tells how the size is written.
        match raw[at] >> 4:
            case 0xA | 0xC:
                head, size = 2, raw[at + 1]
            case 0xB | 0xD:
                head, size = 5, int.from_bytes(raw[at + 1 : at + 5], "big")
            case _:
                head, size = 1, 0
                if raw[at] != 0x45:
                    return  # a value of another kind, which is the last section
        yield code, raw[at + head : at + head + size]
        at += head + size


def messages_in(raw: bytes) -> list[Any]:
    """A message, or those that a batch of the service has as its data sections."""
    parts = [content for code, content in sections(raw) if code == DATA]
    if not parts or not all(part.startswith(SECTIONS) for part in parts):
        parts = [raw]
    found = []
    for part in parts:
        message = proton.Message()
        message.decode(part)
        found.append(message)
    return found


class Incoming(handlers.IncomingMessageHandler):  # type: ignore[misc]  # it has no types here
    """Hands out the bytes: proton decodes only the first data section."""

    def on_delivery(self, event: Any) -> None:
        delivery = event.delivery
        link = delivery.link
        if not link.is_receiver:
            return
        if delivery.aborted:
            delivery.settle()
        elif delivery.readable and not delivery.partial:
            raw = bytes(link.recv(delivery.pending))
            link.advance()
            if link.state & proton.Endpoint.LOCAL_ACTIVE:
                self.delegate.on_transfer(delivery, raw)


class ServiceBus(handlers.MessagingHandler):  # type: ignore[misc]  # it has no types here
    """The links of all connections to the queues of one namespace."""

    def __init__(self, port: int, namespace: Namespace) -> None:
        super().__init__(prefetch=0, auto_accept=False, auto_settle=False)
        self.handlers[:] = [
            Incoming(False, self) if isinstance(each, handlers.IncomingMessageHandler) else each
            for each in self.handlers
        ]
        self.port = port
        self.namespace = namespace
        self.receivers: dict[Queue, list[Any]] = {}
        """The links to those who receive from a queue; whose turn it is comes first."""
        self.answering: list[Any] = []
        """The links on which `$cbs` and `$management` answer."""
        self.delivered: dict[bytes, tuple[Any, Queue, Entry]] = {}
        self.container: Any = None

    def on_start(self, event: Any) -> None:
        self.container = event.container
        self.container.listen(f"amqp://127.0.0.1:{self.port}")
        self.container.schedule(TICK, self)
        print("listening", flush=True)  # noqa: T201 -- it tells the test that it is ready

    def on_timer_task(self, event: Any) -> None:
        self.namespace.tick()
        for queue in list(self.receivers):
            self.pump(queue)
        self.container.schedule(TICK, self)

    # Links, seen from here: a sender is the link of somebody who receives.

    def on_link_opening(self, event: Any) -> None:
        link = event.link
        # Both, even of one that is refused: the library does not wait for the reason otherwise.
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        try:
            queue = self._queue_of(_address(link))
        except QueueNotFound:
            return
        if link.is_receiver:
            link.max_message_size = MAX_MESSAGE_SIZE
            return
        link.rcv_settle_mode = link.remote_rcv_settle_mode
        link.snd_settle_mode = link.remote_snd_settle_mode
        if queue is None or _address(link).endswith(MANAGEMENT):
            self.answering.append(link)
        else:
            self.receivers.setdefault(queue, []).append(link)

    def on_link_opened(self, event: Any) -> None:
        try:
            self._queue_of(_address(event.link))
        except QueueNotFound as error:
            event.link.condition = proton.Condition("amqp:not-found", str(error))
            event.link.close()
        else:
            if event.link.is_receiver:
                event.link.flow(CREDIT)

    def on_link_closing(self, event: Any) -> None:
        # Its locks stay until they expire, as in the service.
        self._forget([link for link in self._outgoing_links() if link == event.link])

    def on_connection_closing(self, event: Any) -> None:
        self._forget_connection(event.connection)

    def on_disconnected(self, event: Any) -> None:
        self._forget_connection(event.connection)

    def on_link_flow(self, event: Any) -> None:
        for queue, links in self.receivers.items():
            if event.link in links:
                self.pump(queue)
                return

    def on_sendable(self, event: Any) -> None:
        self.on_link_flow(event)

    # Transfers to here.

    def on_transfer(self, delivery: Any, raw: bytes) -> None:
        """Called with each transfer that is complete."""
        address = _address(delivery.link)
        try:
            queue = self._queue_of(address)
        except QueueNotFound:
            return  # its link is being closed
        is_too_large = len(raw) > MAX_MESSAGE_SIZE
        if is_too_large:
            words = f"The received message (size:{len(raw)}) exceeds {MAX_MESSAGE_SIZE} bytes."
            delivery.local.condition = proton.Condition(
                MESSAGE_TOO_LARGE, words, {"size": len(raw)}
            )
        delivery.update(proton.Delivery.REJECTED if is_too_large else proton.Delivery.ACCEPTED)
        delivery.settle()
        delivery.link.flow(1)
        if is_too_large:
            return
        for message in messages_in(raw):
            if queue is None:
                self._reply(delivery.link, message, self._judge(message), None)
            elif address.endswith(MANAGEMENT):
                operation = str((message.properties or {}).get("operation"))
                found = answer(self.namespace, queue, operation, message.body)
                self._reply(delivery.link, message, found.properties, found.body)
            else:
                self.namespace.enqueue(queue, message)
        if queue is not None:
            self.pump(queue)

    def _judge(self, request: Any) -> dict[str, Any]:
        """What `$cbs` says to a token: any will do, but the queue has to be there."""
        try:
            self.namespace.find(str((request.properties or {}).get("name")))
        except QueueNotFound as error:
            return {"status-code": proton.int32(404), "status-description": str(error)}
        return {"status-code": proton.int32(202), "status-description": "Accepted"}

    def _reply(self, asked_on: Any, request: Any, properties: Any, body: Any) -> None:
        node = _address(asked_on)
        links = [
            link
            for link in self.answering
            if link.connection == asked_on.connection and _address(link) == node
        ]
        named = [link for link in links if link.remote_target.address == request.reply_to]
        for link in (named or links)[-1:]:
            link.send(proton.Message(body=body, correlation_id=request.id, properties=properties))

    # Transfers from here.

    def pump(self, queue: Queue) -> None:
        """Deal what is ready to those who have credit, in turn."""
        links = self.receivers.get(queue, [])
        while link := next((link for link in links if link.credit > 0 and _is_open(link)), None):
            settled = link.snd_settle_mode == link.SND_SETTLED  # receive-and-delete
            entry = self.namespace.take(queue, lock=not settled)
            if entry is None:
                break
            links.remove(link)
            links.append(link)
            # The token of the lock is the tag of the delivery, as in the service.
            tag = entry.token.bytes_le if entry.token is not None else link.delivery_tag()
            delivery = link.delivery(tag)
            link.stream(outgoing(entry))
            link.advance()
            if settled:
                delivery.settle()
            else:
                self.delivered[tag] = (link, queue, entry)
        for link in links:
            if link.drain_mode and link.credit:
                link.drained()

    def _on_outcome(self, event: Any) -> None:
        delivery = event.delivery
        if not delivery.link.is_sender or not (delivery.remote_state or delivery.settled):
            return
        tag = delivery.tag.encode()
        if tag not in self.delivered:
            return
        _, queue, entry = self.delivered.pop(tag)
        if entry.token is None or entry.token.bytes_le != tag:
            lost = proton.Condition(MESSAGE_LOCK_LOST, "The lock supplied is invalid.")
            delivery.local.condition = lost
            delivery.update(proton.Delivery.REJECTED)
        else:
            self._settle(delivery, queue, entry)
        delivery.settle()
        self.pump(queue)

    on_accepted = on_rejected = on_released = on_modified = on_settled = _on_outcome

    def _settle(self, delivery: Any, queue: Queue, entry: Entry) -> None:
        kinds, state = proton.Delivery, delivery.remote_state
        if state == kinds.ACCEPTED:
            self.namespace.settle(queue, entry, "completed")
        elif state == kinds.MODIFIED:
            deferred = delivery.remote.undeliverable
            self.namespace.settle(queue, entry, "defered" if deferred else "abandoned")
            delivery.local.failed = True
            delivery.local.undeliverable = deferred
        elif state == kinds.REJECTED:
            condition = delivery.remote.condition
            why = {str(key): value for key, value in ((condition and condition.info) or {}).items()}
            words = why.get("DeadLetterReason"), why.get("DeadLetterErrorDescription")
            self.namespace.settle(queue, entry, "suspended", *words)
        else:
            self.namespace.settle(queue, entry, "released")
            state = kinds.RELEASED
        delivery.update(state)

    def _queue_of(self, address: str) -> Queue | None:
        """The queue of a node; none for `$cbs`. Raises QueueNotFound."""
        return None if address == CBS else self.namespace.find(address.removesuffix(MANAGEMENT))

    def _outgoing_links(self) -> list[Any]:
        return [*self.answering, *(link for links in self.receivers.values() for link in links)]

    def _forget_connection(self, connection: Any) -> None:
        self._forget([link for link in self._outgoing_links() if link.connection == connection])

    def _forget(self, gone: list[Any]) -> None:
        for links in (self.answering, *self.receivers.values()):
            links[:] = [link for link in links if link not in gone]
        self.delivered = {
            tag: delivered for tag, delivered in self.delivered.items() if delivered[0] not in gone
        }


def _address(link: Any) -> str:
    """The node that a link is about."""
    node = link.remote_source if link.is_sender else link.remote_target
    return str(node.address or "")


def _is_open(link: Any) -> bool:
    return bool(link.state & proton.Endpoint.LOCAL_ACTIVE)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description="a stand-in for Azure Service Bus, for tests")
    parser.add_argument("port", type=int)
    parser.add_argument("--lock", type=float, default=5, help="seconds that a lock holds")
    parser.add_argument("--max-deliveries", type=int, default=10)
    parser.add_argument("--queue", action="append", default=[], help="the name of a queue")
    parser.add_argument("--create", action="store_true", help="make queues on their first use")
    parser.add_argument("--file", default=":memory:", help="where messages are kept")
    given = parser.parse_args()
    namespace = Namespace(
        given.file,
        names=given.queue,
        create=given.create,
        lock=given.lock,
        max_deliveries=given.max_deliveries,
    )
    reactor.Container(ServiceBus(given.port, namespace)).run()


if __name__ == "__main__":
    main()
