"""One connection of a program: its operations go out, and what comes is sorted by channel.

It behaves as clients do: it answers a close, and opens its connection and its channels again when
it needs them. Knows neither the other clients nor when everything has come.
"""

from __future__ import annotations

import struct
from typing import Any

from ..wire.amqp import spec
from ..wire.amqp.constants import FRAME_END, METHOD
from ..wire.amqp.methods import encode_method
from .address import Address
from .channel import Arrival, ChannelView
from .events import as_event, method_called, name_of, reply_of
from .link import Incoming, Link
from .names import Names
from .peek import Peek
from .program import Operation
from .typed import encode_properties, encode_table

__all__ = ["Client"]

SPARE_CHANNEL = 1999
"""Opened where there is no other to be asked on."""
PEEK_CHANNEL = 2000
_FRAME = struct.Struct(">BHI")
_GOODBYE = spec.ConnectionClose(200, "done")


class Client:
    """A connection that may be opened many times."""

    def __init__(self, address: Address, names: Names) -> None:
        self.address = address
        self.names = names
        self.link: Link | None = None
        self.closing = False
        """Whether the connection is coming to its end."""
        self.ended = False
        """Whether it came to its end, since this was last set to False."""
        self.channels: dict[int, ChannelView] = {0: ChannelView()}
        self.peek = Peek(PEEK_CHANNEL)
        self.events = 0
        """How many things came that were not asked for to see whether they come."""

    @property
    def busy(self) -> bool:
        """Whether something has to come still."""
        return self.link is not None and (
            self.closing or self.peek.busy or any(each.busy for each in self.channels.values())
        )

    # -- out

    def perform(self, operation: Operation) -> bool:
        """Send what an operation is; False if there is nothing to send."""
        if operation.method == "connection.drop":
            self._drop()
            return True
        link = self._connected()
        if operation.method == "connection.close":
            self.close()
            return True
        view = self.channels.setdefault(operation.channel, ChannelView())
        if not view.open and not operation.raw and operation.method != "channel.open":
            self._open(link, operation.channel, view)
        return self._send(link, view, operation)

    def competing(self) -> list[int]:
        """The channels that consume or hold something, if there are several.

        When their connection ends they end in any order, and may deliver to each other until then.
        """
        found = [
            number
            for number, view in self.channels.items()
            if view.open and (view.consumers or view.unsettled or view.pending)
        ]
        return found if len(found) > 1 and self.link is not None and not self.closing else []

    def close_channel(self, number: int) -> None:
        """Close one channel, without the program saying so."""
        assert self.link is not None
        self.channels[number].awaiting.append("channel.close-ok")
        self.link.send(number, spec.ChannelClose(200, "done"))

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self.link is not None and not self.closing:
            self.closing = True
            self.link.send(0, _GOODBYE)

    def ask(self) -> None:
        """Ask each channel for an answer that comes behind all others."""
        if self.link is None or self.closing:
            return
        if not any(each.open for each in self.channels.values()):
            view = self.channels.setdefault(SPARE_CHANNEL, ChannelView())
            self._open(self.link, SPARE_CHANNEL, view)
        for number, view in self.channels.items():
            if view.open:
                view.barriers += 1
                self.link.send(number, spec.ChannelFlow(active=True))

    def _open(self, link: Link, channel: int, view: ChannelView) -> None:
        """Open a channel without the program saying so."""
        link.send(channel, spec.ChannelOpen())
        view.open = True
        view.opening += 1
        view.awaiting.append("channel.open-ok")

    def give_up(self) -> None:
        """Record what should have come, and wait for it no longer."""
        for view in self.channels.values():
            if view.busy:
                waited = {
                    "replies": list(view.awaiting),
                    "unconfirmed": sorted(view.unconfirmed),
                    "channel.flow-ok": view.barriers,
                }
                view.came.append(Arrival({"method": "nothing came", **waited}))
                view.awaiting, view.barriers = [], 0
                view.unconfirmed.clear()
        if self.closing or self.peek.busy:
            self.channels[0].came.append(Arrival({"method": "no end came"}))
            self._drop()

    def _connected(self) -> Link:
        if self.link is None:
            self.link = Link(self.address)
            self.closing = False
        return self.link

    def _drop(self) -> None:
        if self.link is not None:
            self.link.close()
        self._ended()

    def _ended(self) -> None:
        self.link = None
        self.closing = False
        self.ended = True
        self.peek.reset()
        for view in self.channels.values():
            view.reset()

    def _send(self, link: Link, view: ChannelView, operation: Operation) -> bool:
        fields = self.names.actual(operation.arguments)
        table = fields.pop("arguments", None)
        multiple = bool(fields.get("multiple"))
        if "delivery_tag" in fields:
            tag = view.resolve(fields["delivery_tag"], multiple)
            if tag is None:
                return False
            fields["delivery_tag"] = tag
        method = method_called(operation.method)(**fields)
        self._expect(view, operation, fields)
        if isinstance(method, spec.BasicPublish):
            self._publish(link, view, operation, method)
        elif table is None:
            link.send(operation.channel, method)
        else:
            payload = encode_method(method)[:-4] + encode_table(table)
            head = _FRAME.pack(METHOD, operation.channel, len(payload))
            link.send_bytes(head + payload + bytes((FRAME_END,)))
        return True

    def _publish(
        self, link: Link, view: ChannelView, operation: Operation, method: spec.BasicPublish
    ) -> None:
        properties = encode_properties(self.names.actual(operation.properties))
        for number in range(operation.times):
            body = operation.body if operation.times == 1 else f"{operation.body}{number + 1}"
            view.count_publish()
            link.publish(operation.channel, method, properties, body.encode())

    def _expect(self, view: ChannelView, operation: Operation, fields: dict[str, Any]) -> None:
        """Note what an operation that is being sent will lead to."""
        name = operation.method
        reply = reply_of(name)
        if reply and not fields.get("nowait"):
            view.awaiting.append(reply)
        watched = (str(operation.arguments.get("queue", "")), bool(fields.get("no_ack")))
        if name == "channel.open":
            view.open = True
        elif name == "basic.get":
            view.getting.append(watched)
        elif name == "basic.consume" and fields.get("nowait"):
            view.consumers[str(fields.get("consumer_tag", ""))] = watched
        elif name == "basic.consume":
            view.starting.append(watched)
        elif name in {"basic.ack", "basic.nack", "basic.reject"}:
            view.settle(fields["delivery_tag"], bool(fields.get("multiple")))
        elif name in {"basic.recover", "basic.recover-async"}:
            view.unsettled = []
        else:
            view.note_mode(name)

    # -- in

    def read(self, deadline: float) -> None:
        """Take what came, waiting for it until the deadline."""
        if self.link is not None:
            for incoming in self.link.receive(deadline):
                self._take(incoming)

    def _take(self, incoming: Incoming) -> None:
        method = incoming.method
        if method is None or self.link is None:
            self.channels[0].came.append(Arrival({"method": "end of connection"}))
            self.events += 1
            self._ended()
            return
        if incoming.channel == PEEK_CHANNEL:
            self.peek.take(self.link, method)
            return
        view = self.channels.setdefault(incoming.channel, ChannelView())
        name = name_of(method)
        if name == "channel.flow-ok" and name not in view.awaiting:
            view.barriers -= 1
            return
        if name == "channel.open-ok" and view.opening:
            view.opening -= 1
            view.awaiting.remove(name)
            return
        self.events += 1
        awaited = "basic.get-ok" if name == "basic.get-empty" else name
        if awaited in view.awaiting:
            view.awaiting.remove(awaited)
        self._sort(view, incoming, method)

    def _sort(self, view: ChannelView, incoming: Incoming, method: spec.MethodRecord) -> None:
        event = as_event(method, incoming.properties, incoming.body)
        if isinstance(method, spec.BasicDeliver):
            view.delivered(method, event)
            return
        if isinstance(method, spec.BasicGetOk):
            view.got(method, event)
            return
        if isinstance(method, spec.BasicAck | spec.BasicNack):
            view.confirmed(method)
            return
        view.came.append(Arrival(event))
        if isinstance(method, spec.BasicGetEmpty) and view.getting:
            view.getting.pop(0)
        elif isinstance(method, spec.BasicConsumeOk) and view.starting:
            view.consumers[method.consumer_tag] = view.starting.pop(0)
        elif isinstance(method, spec.BasicCancelOk):
            view.consumers.pop(method.consumer_tag, None)
        else:
            self._close(view, incoming.channel, method)

    def _close(self, view: ChannelView, channel: int, method: spec.MethodRecord) -> None:
        """Answer a close, or take the answer to one."""
        assert self.link is not None
        if isinstance(method, spec.ChannelClose):
            self.link.send(channel, spec.ChannelCloseOk())
            view.reset()
        elif isinstance(method, spec.ChannelCloseOk):
            view.reset()
        elif isinstance(method, spec.ConnectionClose):
            self.link.send(0, spec.ConnectionCloseOk())
            self._silence()
        elif isinstance(method, spec.ConnectionCloseOk):
            self._drop()

    def _silence(self) -> None:
        """Nothing comes any more but the end."""
        self.closing = True
        self.peek.reset()
        for view in self.channels.values():
            view.reset()
