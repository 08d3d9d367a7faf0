"""A connection to NATS on which many questions are asked at once. Runs in an event loop.

The library's own requests are awaited one by one and do not notice that the connection is lost;
here a whole batch is on its way at once, and ends with the connection.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar

from ...remote.driver import DriverError
from ...remote.transport import needed
from ...transport.dialling import server_name, shown, tls_context

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from typing import TypeAlias

    from ...transport.base import Address

    Question: TypeAlias = "tuple[str, bytes, dict[str, str] | None]"
    """A subject, a body, and headers."""

__all__ = ["PATIENCE", "PORT", "APIError", "Wire", "read", "status_of"]

T = TypeVar("T")
PORT = 4222
PATIENCE = 10.0
"""Seconds without any answer after which the connection is taken for lost."""
PING = 20
"""Seconds between two looks whether the server is there."""
NO_RESPONDERS = "503"
"""The status of the answer to what nobody listens to."""


class APIError(DriverError):
    """JetStream says no."""

    def __init__(self, text: str, code: int, number: int) -> None:
        super().__init__(text)
        self.code = code
        """As in HTTP: 404 is for what is not there."""
        self.number = number
        """NATS's own code of the error."""


class Flight:
    """Questions of one batch that are on their way."""

    __slots__ = ("answers", "done", "left", "timeout")

    def __init__(self, size: int, timeout: asyncio.Timeout) -> None:
        self.answers: list[Any] = [None] * size
        self.left = size
        self.timeout = timeout
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Wire:
    """One connection. Once lost it stays lost. Not thread-safe: used in its loop alone."""

    def __init__(self, client: Any) -> None:
        self.client = client
        """The library's."""
        self._errors: tuple[type[Exception], ...] = (needed("nats.errors", "nats").Error, OSError)
        self.lost: DriverError | None = None
        self.watchers: set[Callable[[], None]] = set()
        """They are told when the connection is lost."""
        self._flights: dict[str, tuple[Flight, int]] = {}
        self._number = 0
        self._inbox = ""
        self._complaint: Exception | None = None

    async def open(self, address: Address) -> None:
        """Connect, and have a place for answers."""
        seconds = address.connect_timeout or PATIENCE
        try:
            async with asyncio.timeout(seconds):
                await self.client.connect(
                    **_servers(address),
                    # What was on its way could not be told from what was not.
                    allow_reconnect=False,
                    # That is about later; the first time it tries so often, and once more.
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=seconds,
                    error_cb=self._complained,
                    closed_cb=self._closed,
                    ping_interval=PING,
                    name="minibroker",
                )
        except TimeoutError:
            text = f"NATS: {shown(address)} does not answer within {seconds} s"
            raise DriverError(text) from None
        except self._errors as error:
            raise DriverError(f"NATS: {shown(address)}{_said(self._complaint or error)}") from error
        self._inbox = self.client.new_inbox()
        # Nothing is ever dropped: as much comes as was asked for.
        await self.client.subscribe(
            f"{self._inbox}.*", cb=self._answered, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def _complained(self, error: Exception) -> None:
        self._complaint = error
        if "permissions violation" in str(error).lower():  # then there will be no answer
            self.lose(str(error))

    async def _closed(self) -> None:
        error = self.client.last_error or self._complaint
        self.lose(f"the connection is lost{_said(error)}")

    def lose(self, text: str) -> DriverError:
        """The connection is lost: end all that waits. The error to raise."""
        if self.lost is None:
            self.lost = DriverError(f"NATS: {text}")
            for flight in {flight for flight, _ in self._flights.values()}:
                if not flight.done.done():
                    flight.done.set_result(None)
            for tell in list(self.watchers):
                tell()
        return self.lost

    def check(self) -> None:
        """`DriverError` when the connection is lost."""
        if self.lost is not None:
            raise self.lost

    async def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Send all, and await all answers: the library's messages, in the same order."""
        self.check()
        if not questions:
            return []
        loop = asyncio.get_running_loop()
        tokens: list[str] = []
        try:
            async with asyncio.timeout_at(loop.time() + PATIENCE) as timeout:
                flight = Flight(len(questions), timeout)
                for place, (subject, body, headers) in enumerate(questions):
                    self._number += 1
                    token = f"{self._inbox}.{self._number}"
                    tokens.append(token)
                    self._flights[token] = flight, place
                    await self.client.publish(subject, body, token, headers)
                await flight.done
        except TimeoutError:
            raise self.lose(f"no answer within {PATIENCE} s{_said(self._complaint)}") from None
        finally:
            for token in tokens:
                self._flights.pop(token, None)
        self.check()
        return flight.answers

    async def _answered(self, message: Any) -> None:
        flight, place = self._flights.pop(message.subject, (None, 0))
        if flight is None or flight.done.done():
            return
        flight.answers[place] = message
        flight.left -= 1
        if flight.left:
            flight.timeout.reschedule(asyncio.get_running_loop().time() + PATIENCE)
        else:
            flight.done.set_result(None)

    async def tell(self, subject: str, body: bytes) -> None:
        """Send something that nobody answers."""
        self.check()
        await self.client.publish(subject, body)

    async def api(self, subject: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask JetStream's API; `APIError` when it says no."""
        data = b"" if body is None else json.dumps(body).encode()
        [answer] = await self.ask([(f"$JS.API.{subject}", data, None)])
        return read(answer, subject)

    async def within(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the library does, ended when the connection is lost."""
        self.check()
        task = asyncio.ensure_future(coroutine)

        def cancel() -> None:
            task.cancel()

        self.watchers.add(cancel)
        try:
            return await asyncio.wait_for(task, PATIENCE)
        except TimeoutError:
            raise self.lose(f"no answer within {PATIENCE} s{_said(self._complaint)}") from None
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            self.watchers.discard(cancel)

    async def close(self) -> None:
        """End it."""
        self.lose("the connection is closed")
        async with asyncio.timeout(PATIENCE / 2):
            await self.client.close()


def status_of(message: Any) -> str:
    """The status of a message that is no message; else nothing."""
    headers = message.headers
    return headers.get("Status", "") if headers and not message.reply else ""


def read(answer: Any, what: str) -> dict[str, Any]:
    """What JetStream answered; `APIError` when that is no."""
    if status_of(answer) == NO_RESPONDERS:
        raise APIError(f"NATS: {what}: nobody answers there, is JetStream on?", 503, 0)
    found: dict[str, Any] = json.loads(answer.data)
    error = found.get("error")
    if error is not None:
        text = f"NATS: {what}: {error.get('description')}"
        raise APIError(text, error.get("code", 0), error.get("err_code", 0))
    return found


def _said(error: Exception | None) -> str:
    if error is None:
        return ""
    text = str(error) or type(error).__name__
    return ": " + text.removeprefix("nats: ").strip("'")


def _servers(address: Address) -> dict[str, Any]:
    host = address.hostname or "localhost"
    if ":" in host:
        host = f"[{host}]"
    options: dict[str, Any] = {"servers": [f"nats://{host}:{address.port or PORT}"]}
    if address.userid is not None and address.password is not None:
        options |= {"user": address.userid, "password": address.password}
    elif address.userid is not None:
        options["token"] = address.userid
    if address.ssl:
        options["tls"] = tls_context(address.ssl)
        options["tls_hostname"] = server_name(address)
    return options
