"""rabbitpy, by its adapter with AMQP's methods and its messages; it reads in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any
from urllib.parse import urlsplit

from ...needed import needed_module
from .asyncio_loop import from_pamqp, to_pamqp
from .base import Channel, ChannelClosed, Connection, ConnectionLost, Declared, Received, Returned

__all__ = ["connect"]

rabbitpy = needed_module("rabbitpy")
exceptions = needed_module("rabbitpy.exceptions")
commands = needed_module("pamqp.commands")


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""
    parts = urlsplit(url)
    # The library takes a path of one slash for the virtual host without a name.
    return _Connection(url if len(parts.path) > 1 else f"{url}%2f")


def _translated(error: Exception) -> Exception:
    if isinstance(error, exceptions.AMQPException):
        frame = error.args[0]
        code, text = frame.reply_code, frame.reply_text
        if isinstance(frame, commands.Channel.Close):
            return ChannelClosed(code, text)
        return ConnectionLost(code, text)
    if isinstance(error, exceptions.RemoteClosedException):
        return ConnectionLost(*error.args)
    return ConnectionLost(0, str(error))


def _do(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return function(*arguments, **named)
    except (
        exceptions.AMQPException,
        exceptions.ConnectionException,
        exceptions.RemoteClosedException,
    ) as error:
        raise _translated(error) from error


class _Connection(Connection):
    def __init__(self, url: str) -> None:
        self.channels: list[_Channel] = []
        self.inner = _do(rabbitpy.Connection, url)

    def open_channel(self) -> Channel:
        self.channels.append(_Channel(self, _do(self.inner.channel)))
        return self.channels[-1]

    def pump(self, timeout: float) -> None:
        consuming = [channel for channel in self.channels if channel.consuming]
        for channel in consuming or self.channels[-1:]:
            channel.read()

    def close(self) -> None:
        _do(self.inner.close)
