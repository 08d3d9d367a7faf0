"""The side of a channel that publishes: checks, routing, confirms, returns, transactions.

Knows nothing of what queues do with a message. Source: RabbitMQ's `rabbit_channel` for the order
of the checks, RabbitMQ documentation, "Publisher Confirms" and "Sender-selected Distribution".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import parse_expiration, sender_selected
from ..declare import check_name
from ..direct_reply import PSEUDO_QUEUE
from ..errors import (
    AccessRefused,
    NoRoute,
    NotImplementedByBroker,
    PreconditionFailed,
)
from ..events import Confirmed, Returned
from ..message import MarkedMessage, Message
from ..properties import PLAIN, USUAL_MODES
from ..routing import HELD
from .state import ChannelState, Publication, Transaction

if TYPE_CHECKING:
    from ..properties import Properties
    from ..queues import BaseQueue

__all__ = ["Publishing"]


class Publishing(ChannelState):
    """Publishing, confirms and transactions. Thread-safe."""

    __slots__ = ()

    def publish(  # noqa: PLR0913 -- the fields of basic.publish
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties = PLAIN,
        mandatory: bool = False,
        timeout: float | None = None,
        immediate: bool = False,
    ) -> int:
        """Publish a message (`basic.publish`); its sequence number in confirm mode, else 0.

        Args:
            exchange: its name; empty for the default exchange.
            routing_key: at most 255 bytes of UTF-8.
            body: bytes, at most `Profile.max_message_size`.
            properties: shared with the message, so not to be changed any more.
            mandatory: a message that no queue takes comes back as a `Returned` event.
            timeout: seconds to wait while over the memory limit; None: as `blocked_timeout` says.
            immediate: refused, as RabbitMQ does.

        Raises:
            NotFound: no such exchange.
            AccessRefused: internal exchange, or no permission.
            PreconditionFailed: too large, invalid expiration, CC or user_id.
            PublisherBlocked: over the memory limit for the whole timeout; nothing was published.
        """
        self.acquire()
        try:
            if (
                not self.plain
                or self.gate.on
                or properties.inspect
                or immediate
                or type(body) is not bytes
                or len(body) > self.max_message_size
            ):
                return self._publish_by_rules(
                    exchange, routing_key, body, properties, mandatory, timeout, immediate
                )
            if properties.encoded is None and self.journal is not None:
                self.journal.prepare(properties)
            message = Message(exchange, routing_key, properties, body)
            try:
                queues = self.exchanges[exchange].memo[routing_key]
            except KeyError:
                queues = self._route(message)
            if self.confirms:
                return self._publish_confirmed(message, queues, mandatory)
            if len(queues) == 1:
                queues[0].push(message)
            else:
                self._put_elsewhere(message, queues, mandatory)
            return 0
        finally:
            self.release()

    def _publish_confirmed(
        self, message: Message, queues: tuple[BaseQueue, ...], mandatory: bool
    ) -> int:
        """Put a message into its queues, and confirm it: at once, or when it is on the disk."""
        self.published = tag = self.published + 1
        if len(queues) == 1:
            accepted = queues[0].push(message)
        else:
            accepted = self._put_elsewhere(message, queues, mandatory)
        journal = self.journal
        if journal is not None and accepted and (message.position or _is_kept(queues)):
            first = not journal.confirms
            journal.confirms[self] = tag
            if first:
                journal.awaited()
        else:
            connection = self.connection  # as its `send`, without a call for each message
            connection.outbox.append(Confirmed(self, tag, False, accepted))
            if connection.wake is not None:
                connection.wake()
        return tag

    def _publish_by_rules(  # noqa: PLR0913 -- as publish
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties,
        mandatory: bool,
        timeout: float | None,
        immediate: bool,
    ) -> int:
        self.ensure_open()
        if self.gate.on:
            self.gate.wait(timeout, lambda: self.closed)
            self.ensure_open()  # waiting lets go of the lock
        if not isinstance(body, bytes | bytearray | memoryview):
            raise TypeError(f"body must be bytes, not {type(body).__name__}")
        if immediate:
            raise NotImplementedByBroker("immediate=true")
        message = self._checked(exchange, routing_key, properties, bytes(body))
        if self.journal is not None:
            self.journal.prepare(message.properties)
        if self.transaction is not None:
            self.transaction.published.append(self._planned(message, mandatory))
            return 0
        queues = self.vhost.router.route(self.exchanges[exchange], message)
        if self.confirms:
            return self._publish_confirmed(message, queues, mandatory)
        self._put_elsewhere(message, queues, mandatory)
        return 0

    def _put_elsewhere(
        self, message: Message, queues: tuple[BaseQueue, ...], mandatory: bool
    ) -> bool:
        """Put a message into any number of queues, or return it; False if one refused it."""
        if mandatory and not queues:
            self._return_unroutable(message, queues)
        return self.vhost.dead_letters.deliver(message, queues)

    def _route(self, message: Message) -> tuple[BaseQueue, ...]:
        """The queues of a message that is not remembered, and so not checked either."""
        check_name("routing key", message.routing_key)
        self._check_exchange(message.exchange)
        return self.vhost.router.route(self.exchanges[message.exchange], message)

    def _planned(self, message: Message, mandatory: bool) -> Publication:
        route = self.vhost.router.plan(self.exchanges[message.exchange], message)
        for reply in route.replies:
            reply.push(message)
        return Publication(message, route, mandatory)

    def _return_unroutable(self, message: Message, queues: tuple[BaseQueue, ...]) -> None:
        if queues is not HELD:
            self.connection.send(Returned(self, message, NoRoute.reply_code, NoRoute.reply_name))

    # -- checks, in RabbitMQ's order

    def _checked(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes
    ) -> Message:
        """What is to be published, if it may be."""
        check_name("routing key", routing_key)
        self._check_size(body)
        self._check_exchange(exchange)
        first = self.vhost.profile.sender_checked_first
        if first:
            self._check_topic(exchange, routing_key)
        properties = self._addressed(properties)
        if first:
            self._check_user(properties)
        message = self._inspected(exchange, routing_key, properties, body)
        if not first:
            self._check_topic(exchange, routing_key)
            self._check_user(properties)
        self._check_mode(properties)
        return message

    def _check_size(self, body: bytes) -> None:
        if len(body) > self.max_message_size:
            raise PreconditionFailed(
                f"message size {len(body)} is larger than configured max size "
                f"{self.max_message_size}"
            )

    def _check_exchange(self, name: str) -> None:
        self.connection.access.check_write("exchange", name)
        if self.vhost.declarations.exchange(name).internal:
            raise AccessRefused(
                f"cannot publish to internal exchange '{name}' in vhost '{self.vhost.name}'"
            )

    def _addressed(self, properties: Properties) -> Properties:
        """The properties with the channel's own address, where they ask for a direct reply."""
        if properties.reply_to != PSEUDO_QUEUE:
            return properties
        if self.reply is None:
            raise PreconditionFailed("fast reply consumer does not exist")
        return properties.replace(reply_to=self.reply.name)

    def _inspected(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes
    ) -> Message:
        """The message with what the broker reads out of its properties."""
        if not properties.inspect:
            return Message(exchange, routing_key, properties, body)
        ttl = None if properties.expiration is None else parse_expiration(properties.expiration)
        if not properties.headers:
            return MarkedMessage(exchange, routing_key, properties, body, ttl)
        cc, bcc = sender_selected(properties.headers)
        if "BCC" in properties.headers:
            headers = {name: v for name, v in properties.headers.items() if name != "BCC"}
            properties = properties.replace(headers=headers)
        if ttl is None and not cc and not bcc:
            return Message(exchange, routing_key, properties, body)
        return MarkedMessage(exchange, routing_key, properties, body, ttl, (*cc, *bcc))

    def _check_topic(self, exchange: str, routing_key: str) -> None:
        access = self.connection.access
        if access.restricted and self.exchanges[exchange].type == "topic":
            access.check_topic("write", exchange, routing_key)

    def _check_user(self, properties: Properties) -> None:
        user = properties.user_id
        if user not in {None, self.connection.user} and not self.connection.impersonates:
            raise PreconditionFailed(
                f"user_id property set to '{user}' but authenticated user was "
                f"'{self.connection.user}'"
            )

    def _check_mode(self, properties: Properties) -> None:
        mode = properties.delivery_mode
        if mode not in USUAL_MODES and not self.vhost.profile.delivery_mode_above_2:
            raise PreconditionFailed(f"invalid message: {{delivery_mode_unknown,{mode}}}")

    # -- modes

    def confirm_select(self) -> None:
        """Turn on publisher confirms: every publish from now on is confirmed by an event.

        Raises PreconditionFailed on a transactional channel (`confirm.select`).
        """
        with self.guard:
            self.ensure_open()
            if self.transaction is not None:
                raise PreconditionFailed("cannot switch from tx to confirm mode")
            self.confirms = True
            self.choose_path()

    def tx_select(self) -> None:
        """Turn on transactions: publishes and acks wait for `tx_commit`.

        Raises PreconditionFailed on a channel in confirm mode (`tx.select`).
        """
        with self.guard:
            self.ensure_open()
            if self.confirms:
                raise PreconditionFailed("cannot switch from confirm to tx mode")
            if self.transaction is None:
                self.transaction = Transaction()
            self.choose_path()

    def begin_transaction(self) -> Transaction:
        """The transaction that ends now; the next one has begun.

        Raises PreconditionFailed on a channel that is not transactional.
        """
        ended = self.transaction
        if ended is None:
            raise PreconditionFailed("channel is not transactional")
        self.transaction = Transaction()
        return ended

    def publish_all(self, transaction: Transaction) -> bool:
        """Publish what a transaction held, where it was routed then; what went meanwhile takes
        nothing. False if a queue refused one.
        """
        accepted = True
        for each in transaction.published:
            message, route = each.message, each.route
            for holder in route.holders:
                if self.exchanges.get(holder.name) is holder:
                    holder.hold(message)
            there = tuple(queue for queue in route.queues if not queue.deleted)
            accepted = self.vhost.dead_letters.deliver(message, there) and accepted
            if each.mandatory and not route.holders and not route.queues:
                self._return_unroutable(message, ())
        return accepted


def _is_kept(queues: tuple[BaseQueue, ...]) -> bool:
    """Whether a queue keeps also what was not published to outlive the broker."""
    return any(queue.place is not None and queue.place.keeps_all for queue in queues)
