"""`minibroker serve`: a broker on sockets, until a signal ends it.

Standard output gets one line, when it accepts connections; logs and errors go to standard error.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ..broker import Broker
from ..errors import LogDamaged, LogError, LogLocked
from ..server import Server, ServerSettings
from ..server.loops import new_event_loop
from . import logs
from .accounts import Account, accounts_of, apply_accounts
from .listeners import Listeners
from .options import OptionError, collect, environment

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
        process = Process(given, values, settings)
        process.watch_start()
        return _with_broker(process, loop)
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
            whole = _close(broker)
    return 0 if whole else 1


def _close(broker: Broker) -> bool:
    try:
        broker.close()
    except LogError as error:
        logger.error("what is durable could not be written: %s", error)  # noqa: TRY400 -- it says all
        return False
    return True


def _broker(values: Mapping[str, Any]) -> Broker:
    try:
        return Broker(
            profile=values["profile"],
            memory_limit=values["memory-limit"],
            data=values["data"],
            fsync=values["fsync"],
        )
    except LogLocked as error:
        raise _Stop(f"{error}; end that one first, or take another --data") from None
    except LogDamaged as error:
        look = f"`minibroker log check {values['data']}` tells more, `repair` mends it"
        raise _Stop(f"{values['data']} is damaged: {error}; {look}") from None
    except LogError as error:
        raise _Stop(f"{values['data']}: {error}") from None
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
        self._listeners = Listeners(values)
        self._stopping: asyncio.Event | None = None
        self._reload_asked = False
        """Whether SIGHUP came before there was anything to reload."""

    # -- starting

    def watch_start(self) -> None:
        """Until it is ready a signal ends it at once: it has promised nothing yet."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os._exit(0))
        signal.signal(signal.SIGHUP, self._ask_reload)

    def _ask_reload(self, *_: object) -> None:
        self._reload_asked = True

    def prepare(self, broker: Broker) -> None:
        """Virtual hosts, limits and users. Raises OptionError."""
        for name in self.values["vhost"]:
            broker.add_vhost(name)
        # Also when there are none: a log has those of the run before.
        limits = broker.host.limits
        queues, connections = self.values["max-queues"], self.values["max-connections"]
        if (queues, connections) != (limits.queues, limits.connections):
            broker.set_limits(
                None, queues=queues, exchanges=limits.exchanges, connections=connections
            )
        accounts = accounts_of(self.values)
        apply_accounts(broker, accounts)
        self._name_kept_users(broker, accounts)

    def _name_kept_users(self, broker: Broker, accounts: list[Account]) -> None:
        kept = sorted(set(broker.users.by_name) - {account.name for account in accounts})
        if kept:
            level = logging.WARNING if accounts else logging.INFO
            names = ", ".join(map(repr, kept))
            said = "users of an earlier run, in %s, may log in as before: %s"
            logger.log(level, said, self.values["data"], names, extra={"fields": {"users": kept}})

    async def serve(self, broker: Broker) -> None:
        """Listen, say so, and wait for the signal that ends it. Raises OptionError."""
        server = Server(broker, self.settings)
        await self._listeners.open(server)
        self._stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload, broker)
        if self._reload_asked:
            self._reload(broker)
        _spare_the_collector()
        print(f"ready {server.url}", flush=True)
        logger.info("ready on %s", ", ".join(server.urls), extra={"fields": {"urls": server.urls}})
        await self._stopping.wait()
        await server.close(PATIENCE)

    # -- signals

    def _signalled(self, number: signal.Signals) -> None:
        assert self._stopping is not None
        if self._stopping.is_set():
            os._exit(1)  # both came in one turn of the loop
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            # The loop would not hear a second one while what is durable is written.
            loop.remove_signal_handler(each)
            signal.signal(each, lambda *_: os._exit(1))
        logger.info("%s: stopping", number.name, extra={"fields": {"signal": number.name}})
        self._stopping.set()

    def _reload(self, broker: Broker) -> None:
        """Read certificates and users again; what is wrong is logged, and stays as it was."""
        self._listeners.reload()
        before = [account.name for account in accounts_of(self.values)]
        try:
            values = collect(self.given, environment())
            apply_accounts(broker, accounts_of(values), before)
        except OptionError as error:
            logger.error("users stay as they were: %s", error)  # noqa: TRY400 -- it says all
            return
        self.values = values
        logger.info("users loaded again")
