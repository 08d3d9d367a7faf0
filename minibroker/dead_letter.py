"""Dead-lettering: what a queue gives up travels on through its dead-letter exchange.

Knows nothing of why an entry was given up, only the name of the reason. Source: RabbitMQ
documentation, "Dead Letter Exchanges"; RabbitMQ's `mc:record_death` and `mc:is_cycle`.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .lettered import Long
from .message import Death, MarkedMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .exchanges import Exchange
    from .fields import FieldValue, Table
    from .message import Message
    from .profile import Profile
    from .queues.base import BaseQueue
    from .routing import Router

__all__ = ["DeadLetters", "death_table", "is_cycle"]


class DeadLetters:
    """Routes what the queues of one virtual host give up.

    What it pushes into other queues may make those give up entries in turn: they wait in line
    here, so that a chain of queues does not become a chain of calls.
    """

    __slots__ = ("exchanges", "line", "now", "profile", "router", "running")

    def __init__(
        self,
        exchanges: Mapping[str, Exchange],
        router: Router,
        profile: Profile,
        now: Callable[[], int],
    ) -> None:
        self.exchanges = exchanges
        self.router = router
        self.profile = profile
        self.now = now
        self.line: deque[tuple[BaseQueue, Message, str]] = deque()
        self.running = False

    def send(self, queue: BaseQueue, message: Message, reason: str) -> None:
        """Route a message that a queue gave up, for `reason`."""
        self.line.append((queue, message, reason))
        if not self.running:
            self._run()

    def deliver(self, message: Message, queues: tuple[BaseQueue, ...]) -> bool:
        """Put a message into each of several queues; what they give up follows behind.

        False if one of them refused it.
        """
        accepted = True
        running, self.running = self.running, True
        try:
            for queue in queues:
                accepted = queue.push(message) and accepted
        finally:
            self.running = running
        if self.line and not running:
            self._run()
        return accepted

    def _run(self) -> None:
        self.running = True
        try:
            while self.line:
                self._route(*self.line.popleft())
        finally:
            self.running = False

    def _route(self, queue: BaseQueue, message: Message, reason: str) -> None:
        name = queue.settings.dead_letter_exchange
        exchange = None if name is None else self.exchanges.get(name)
        if name is None or exchange is None:
            return  # there may be one later; this message is dropped
        key = queue.settings.dead_letter_routing_key
        if self.profile.x_death_as_table:
            headers = self._headers_by_table(message, queue.name, reason)
            deaths = _read_deaths(headers["x-death"])
        else:
            deaths = self._record(message, queue.name, reason)
            headers = self._headers(message, deaths)
        letter = self._letter(message, (name, key), headers, deaths)
        keys = (letter.routing_key, *letter.copies)
        for target in self.router.walk(exchange, letter, keys):
            if not is_cycle(target.name, deaths):
                target.push(letter)

    def _record(self, message: Message, queue: str, reason: str) -> tuple[Death, ...]:
        """The deaths of a message with this one in front."""
        before = message.deaths
        if not before and self.profile.continues_client_x_death:
            before = _read_deaths(message.headers.get("x-death"))
        for death in before:
            if (death.queue, death.reason) == (queue, reason):
                rest = tuple(other for other in before if other is not death)
                return (death.again(), *rest)
        death = Death(
            queue,
            reason,
            message.exchange,
            _routing_keys(message),
            self.now(),
            message.properties.expiration,
        )
        return (death, *before)

    def _headers_by_table(self, message: Message, queue: str, reason: str) -> dict[str, FieldValue]:
        """The headers of a message with one more death, made from its header alone.

        Source: RabbitMQ 3.10's `rabbit_dead_letter` (`update_x_death_header`).
        """
        keys = _routing_keys(message)
        expiration = message.properties.expiration
        death = Death(queue, reason, message.exchange, keys, self.now(), expiration)
        headers = dict(message.headers)
        if "x-death" not in headers:
            _write_death(headers, "first", death, death.exchange)
        headers["x-death"] = _with_row(headers.get("x-death"), death_table(death))
        return headers

    def _headers(self, message: Message, deaths: tuple[Death, ...]) -> dict[str, FieldValue]:
        """The headers of a message with these deaths."""
        headers: dict[str, FieldValue] = dict(message.headers)
        last = deaths[0]
        continued = self.profile.continues_client_x_death and "x-death" in headers
        if not message.deaths and not continued:
            _write_death(headers, "first", last, last.exchange)
        if self.profile.last_death_headers:
            _write_death(headers, "last", last, message.exchange)
        headers["x-death"] = [death_table(death) for death in deaths]
        return headers

    def _letter(
        self,
        message: Message,
        to: tuple[str, str | None],
        headers: dict[str, FieldValue],
        deaths: tuple[Death, ...],
    ) -> MarkedMessage:
        """The message as it travels on: to an exchange, with a key of its own if there is one."""
        exchange, key = to
        copies = message.copies
        if key is not None:
            copies = ()
            if not self.profile.keeps_cc_with_dlrk:
                headers.pop("CC", None)
        return MarkedMessage(
            exchange,
            message.routing_key if key is None else key,
            message.properties.replace(headers=dict(sorted(headers.items())), expiration=None),
            message.body,
            copies=copies,
            deaths=deaths,
        )


def is_cycle(queue: str, deaths: tuple[Death, ...]) -> bool:
    """Whether a message may not enter a queue: it came from there, and nobody rejected it since.

    A loop in which a consumer rejects goes on for ever, as RabbitMQ lets it; one of expiries or
    overflows alone ends (`mc:is_cycle`).
    """
    for death in deaths:
        if death.reason == "rejected":
            return False
        if death.queue == queue:
            return True
    return False


def death_table(death: Death) -> Table:
    """One row of the `x-death` header."""
    row: dict[str, FieldValue] = {
        "count": Long(death.count),
        "reason": death.reason,
        "queue": death.queue,
    }
    if death.time is not None:
        row["time"] = datetime.fromtimestamp(death.time // 1000, UTC)
    row["exchange"] = death.exchange
    row["routing-keys"] = list(death.routing_keys)
    if death.original_expiration is not None:
        row["original-expiration"] = death.original_expiration
    return row


def _with_row(header: FieldValue, row: Table) -> list[FieldValue]:
    """The rows of an `x-death` header with one more, or with the one like it counted up.

    The others change their order where there are several, and rows that are alike become one.
    """
    if not isinstance(header, list):
        return [row]
    rows: list[Table] = []
    rows += (each for each in header if isinstance(each, dict))
    if len(rows) > 1:
        alike: dict[tuple[FieldValue, ...], list[Table]] = {}
        for each in rows:
            alike.setdefault(_row_key(each), []).append(each)
        rows.clear()
        rows += ({"count": Long(len(group)), **group[0]} for group in alike.values())
        rows.reverse()
    key = _row_key(row)
    for each in rows:
        if _row_key(each) == key:
            count = each.get("count")
            row = {**each, "count": Long(count + 1 if isinstance(count, int) else 1)}
    return [dict(sorted(row.items())), *(each for each in rows if _row_key(each) != key)]


def _row_key(row: Table) -> tuple[FieldValue, ...]:
    return row.get("queue"), row.get("reason")


def _write_death(headers: dict[str, FieldValue], which: str, death: Death, exchange: str) -> None:
    for field, value in (
        ("reason", death.reason),
        ("queue", death.queue),
        ("exchange", exchange),
    ):
        headers[f"x-{which}-death-{field}"] = value


def _routing_keys(message: Message) -> tuple[str, ...]:
    """The keys that it was routed by, without those that only BCC had."""
    shown = message.headers.get("CC") if message.copies else None
    if not isinstance(shown, list | tuple):
        return (message.routing_key,)
    return message.routing_key, *(key for key in message.copies if key in shown)


def _read_deaths(header: FieldValue) -> tuple[Death, ...]:
    """The deaths that a client wrote into a message; rows that are none are passed over."""
    if not isinstance(header, list):
        return ()
    return tuple(death for row in header if (death := _read_death(row)) is not None)


def _read_death(row: FieldValue) -> Death | None:
    if not isinstance(row, dict):
        return None
    queue, reason = row.get("queue"), row.get("reason")
    if not isinstance(queue, str) or not isinstance(reason, str):
        return None
    count, time = row.get("count"), row.get("time")
    keys = row.get("routing-keys")
    expiration = row.get("original-expiration")
    return Death(
        queue,
        reason,
        str(row.get("exchange", "")),
        tuple(str(key) for key in keys) if isinstance(keys, list) else (),
        int(time.timestamp() * 1000) if isinstance(time, datetime) else None,
        expiration if isinstance(expiration, str) else None,
        count if isinstance(count, int) else 1,
    )
