"""`minibroker serve`: a broker on sockets, until a signal ends it.

Standard output gets one line, when it accepts connections; logs and errors go to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..broker import Broker
from ..errors import LogError
from ..server import Server, ServerSettings
from ..server.loops import new_event_loop
from ..server.tls import reload_context, server_context
from . import logs
from .accounts import accounts_of, apply_accounts
from .options import LISTEN, OPTIONS, OptionError, collect, environment

if TYPE_CHECKING:
    import ssl

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

__all__ = ["run_serve"]

PATIENCE = 2.5
"""Seconds that clients have to answer when the broker stops: all of it takes less than five."""
LOOPS = {"auto": None, "asyncio": False, "uvloop": True}
logger = logging.getLogger("minibroker.serve")


class _Stop(Exception):
    """It cannot start: one line for standard error."""


def run_serve(given: Mapping[str, Any]) -> int:
    """Serve until a signal comes, and give the exit status. `given` is as for `options.collect`."""
    try:
        values = collect(given, environment())
        settings = ServerSettings(
            channel_max=values["channel-max"],
            frame_max=values["frame-max"],
            heartbeat=values["heartbeat"],
            handshake_timeout=values["handshake-timeout"],
        )
        loop = _loop(values["loop"])
        logs.set_up(values["log-level"], values["log-format"])
        return _with_broker(Process(given, values, settings), loop)
    except (OptionError, _Stop) as error:
        print(f"minibroker: {error}", file=sys.stderr)
        return 2


def _loop(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        loop = new_event_loop(LOOPS[name])
    except ImportError as error:
        raise OptionError(f"--loop: {error}") from None
    return lambda: loop


def _with_broker(process: Process, loop: Callable[[], asyncio.AbstractEventLoop]) -> int:
    with asyncio.Runner(loop_factory=loop) as runner:
        broker = _broker(process.values)
        try:
            process.prepare(broker)
            runner.run(process.serve(broker))
        finally:
            broker.close()
    return 0


def _broker(values: Mapping[str, Any]) -> Broker:
    try:
        return Broker(
            profile=values["profile"],
            memory_limit=values["memory-limit"],
            data=values["data"],
            fsync=values["fsync"],
        )
    except LogError as error:
        hint = f"; `minibroker log check {values['data']}` tells more"
        raise _Stop(f"{error}{hint if type(error).__name__ == 'LogDamaged' else ''}") from None
    except OSError as error:
        raise _Stop(f"{values['data']} cannot be used: {error.strerror or error}") from None


def _spare_the_collector() -> None:
    """Messages make no cycles: looking for some in a million of them takes 0.1 s, and finds none.

    What connections leave behind is still found, only later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


class Process:
    """One run of the command."""

    def __init__(
        self, given: Mapping[str, Any], values: dict[str, Any], settings: ServerSettings
    ) -> None:
        self.given = given
        self.values = values
        self.settings = settings
        self._contexts: list[tuple[ssl.SSLContext, dict[str, Any]]] = []
        self._stopping: asyncio.Event | None = None

    # -- starting

    def prepare(self, broker: Broker) -> None:
        """Virtual hosts, limits and users. Raises OptionError."""
        for name in self.values["vhost"]:
            broker.add_vhost(name)
        queues, connections = self.values["max-queues"], self.values["max-connections"]
        if queues is not None or connections is not None:
            broker.set_limits(None, queues=queues, connections=connections)
        apply_accounts(broker, accounts_of(self.values))

    async def serve(self, broker: Broker) -> None:
        """Listen, say so, and wait for the signal that ends it. Raises _Stop."""
        server = Server(broker, self.settings)
        for place in self._places():
            await self._listen(server, place)
        self._stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload, broker)
        _spare_the_collector()
        print(f"ready {server.url}", flush=True)
        logger.info("ready on %s", ", ".join(server.urls), extra={"fields": {"urls": server.urls}})
        await self._stopping.wait()
        await server.close(PATIENCE)

    def _places(self) -> list[dict[str, Any]]:
        """Where to listen: as the options say, and each table of the file."""
        own = {name: self.values[name] for name in LISTEN}
        places = [{**own, "unix": None}]
        if own["unix"] is not None:
            places.append(own)
        defaults = {option.name: option.default for option in OPTIONS if option.name in LISTEN}
        return places + [{**defaults, **table} for table in self.values["listen"]]

    async def _listen(self, server: Server, place: dict[str, Any]) -> None:
        context = self._context(place)
        where = place["unix"] or f"{place['host']}:{place['port']}"
        try:
            if place["unix"] is not None:
                await server.listen_unix(place["unix"])
            else:
                await server.listen(place["host"], place["port"], tls=context)
        except OSError as error:
            said = error.strerror or str(error)
            hint = " (another program listens there: take another --port, or 0 for a free one)"
            taken = "in use" in said.lower()
            raise _Stop(f"cannot listen on {where}: {said}{hint if taken else ''}") from None

    def _context(self, place: Mapping[str, Any]) -> ssl.SSLContext | None:
        if place["tls-cert"] is None:
            for name in ("tls-key", "tls-ca"):
                if place[name] is not None:
                    raise _Stop(f"--{name} is of no use without --tls-cert")
            return None
        required = place["tls-verify"] == "required"
        try:
            context = server_context(place["tls-cert"], place["tls-key"], place["tls-ca"], required)
        except ValueError as error:
            raise _Stop(str(error)) from None
        self._contexts.append((context, dict(place)))
        return context

    # -- signals

    def _signalled(self, number: signal.Signals) -> None:
        assert self._stopping is not None
        if self._stopping.is_set():
            os._exit(1)  # the second one: at once
        logger.info("%s: stopping", number.name, extra={"fields": {"signal": number.name}})
        self._stopping.set()

    def _reload(self, broker: Broker) -> None:
        """Read certificates and users again; what is wrong is logged, and stays as it was."""
        for context, place in self._contexts:
            try:
                reload_context(context, place["tls-cert"], place["tls-key"])
                logger.info("certificate of %s loaded again", place["tls-cert"])
            except ValueError as error:
                logger.error("%s; the certificate from before is used", error)  # noqa: TRY400 -- it says all
        before = [account.name for account in accounts_of(self.values)]
        try:
            values = collect(self.given, environment())
            apply_accounts(broker, accounts_of(values), before)
        except OptionError as error:
            logger.error("users stay as they were: %s", error)  # noqa: TRY400 -- it says all
            return
        self.values = values
        logger.info("users loaded again")
