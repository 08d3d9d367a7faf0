"""`minibroker bridge`: its arguments, and what it tells. The rest is in the client's `bridge`."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minibroker_client.bridge import Bridge, BridgeLink, Health

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

__all__ = ["Progress", "add_bridge"]

STOPPED, HURRIED, WRONG = 0, 1, 2
LIVE = 0.5
"""Seconds between two looks, and so between two states of the line on a terminal."""
REPORT_EVERY = 10.0
"""Seconds between two lines of the log about each link, where no terminal shows them."""
logger = logging.getLogger("minibroker.bridge")
_DESCRIPTION = (
    "Store and forward: takes messages from a queue on one broker, publishes them to an exchange "
    "on another, and deletes each only when that one has confirmed it. What cannot go now "
    "stays in the queue, whose own arguments (x-max-length-bytes, x-overflow) bound it. URLs are "
    "those of any transport: file:///directory, minibroker://, amqp:// and so on."
)
_EPILOG = (
    "A terminal shows one line that stays up to date; elsewhere there is a line for each link "
    f"every {REPORT_EVERY:g} seconds, and one for whatever changes. SIGTERM and SIGINT end it, "
    "after the confirms of what is under way; a second one ends it at once. Exit status: 0 after "
    "a signal, 1 after a second one or when a link has failed, 2 for settings that cannot be used."
)


def add_bridge(commands: Commands) -> None:
    """Add the command `bridge`."""
    parser = commands.add_parser(
        "bridge",
        help="store and forward: from a queue to another broker",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add("--from", metavar="URL", help="the broker that messages are taken from")
    add("--queue", metavar="Q", help="the queue there")
    add("--to", metavar="URL", help="the broker that they are published to")
    add("--exchange", metavar="E", help="the exchange there; '' is the default exchange")
    add("--routing-key", metavar="K", help="for all messages (default: each keeps its own)")
    add("--name", metavar="NAME", help="of the link, in logs and in the header that prevents loops")
    add("--rate", type=float, metavar="N", help="at most so many messages per second")
    add(
        "--confirm-window", type=int, metavar="N",
        help="so many may wait for their confirm (default: 1000)",
    )  # fmt: skip
    for option, what in (
        ("--unroutable", "a message that no queue takes there"),
        ("--unfit", "a message that can never pass, such as one that is too large"),
    ):
        add(
            option, choices=["retry", "drop", "dead-letter"],
            help=f"what becomes of {what} (default: retry)",
        )  # fmt: skip
    add("--config", metavar="FILE.toml", help="several links, with more settings: [[link]] tables")
    parser.set_defaults(run=_run)


# What it takes is imported when it runs: other commands start without it.


def _run(options: argparse.Namespace) -> int:
    from minibroker_client.bridge import Bridge, LinkError  # noqa: PLC0415 -- see above

    from . import logs  # noqa: PLC0415 -- see above

    try:
        bridge = Bridge(*_links(vars(options)))
    except (LinkError, OSError) as error:
        print(f"minibroker: {error}", file=sys.stderr)
        return WRONG
    logs.set_up("info", "text")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(HURRIED) if stopping.is_set() else stopping.set())
    progress = Progress(sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(progress.make_way)
    return _watch(bridge, progress, stopping)


def _links(given: dict[str, Any]) -> Iterable[BridgeLink]:
    from minibroker_client.bridge import LinkError, read_links  # noqa: PLC0415 -- see above
    from minibroker_client.bridge.config import link_from  # noqa: PLC0415 -- see above

    config = given["config"]
    table = {
        name: value
        for name, value in given.items()
        if name not in {"config", "run"} and value is not None
    }
    links = [] if config is None else read_links(config)
    if table or config is None:
        for name in ("from", "queue", "to", "exchange"):
            if name not in table:
                more = "" if config is None else "; the settings of --config are in its file"
                raise LinkError(f"--{name} is missing{more}")
        links.append(link_from(table))
    return links


def _watch(bridge: Bridge, progress: Progress, stopping: threading.Event) -> int:
    """Run it until a signal comes, or until there is nothing left that runs."""
    bridge.start()
    while not stopping.wait(LIVE) and not bridge.join(0):
        progress.show(bridge.health().values())
    bridge.stop()
    progress.close(bridge.health().values())
    failed = any(each.state == "failed" for each in bridge.health().values())
    return HURRIED if failed else STOPPED


class Progress:
    """Tells how the links are doing: one live line on a terminal, now and then a line elsewhere."""

    def __init__(self, stream: TextIO, now: float | None = None) -> None:
        """`now` is the monotonic time, for tests."""
        self._stream = stream
        self._live = stream.isatty()
        self._at = time.monotonic() if now is None else now
        self._told = self._at
        self._before: dict[str, int] = {}
        self._width = 0
        self._lock = threading.RLock()  # links log in threads of their own

    def show(self, healths: Iterable[Health], now: float | None = None) -> None:
        """Bring the line up to date, or log it if it is time to."""
        now = time.monotonic() if now is None else now
        if self._live:
            line = " | ".join(self._texts(healths, now))
            line = line[: shutil.get_terminal_size().columns - 1]
            with self._lock:
                self._stream.write(f"\r{line.ljust(self._width)}")
                self._stream.flush()
                self._width = len(line)
        elif now - self._told >= REPORT_EVERY:
            self._told = now
            for text in self._texts(healths, now):
                logger.info("%s", text)

    def _texts(self, healths: Iterable[Health], now: float) -> list[str]:
        seconds = max(now - self._at, 1e-9)
        self._at = now
        texts = []
        for health in healths:
            rate = (health.forwarded - self._before.get(health.name, 0)) / seconds
            self._before[health.name] = health.forwarded
            texts.append(f"{health}, {rate:,.0f}/s")
        return texts

    def make_way(self, _: object) -> bool:
        """Take the live line away, for a line of the log: a filter that lets all pass."""
        with self._lock:
            if self._width:
                self._stream.write(f"\r{' ' * self._width}\r")
                self._stream.flush()
                self._width = 0
        return True

    def close(self, healths: Iterable[Health]) -> None:
        """The last word: a line of its own for each link."""
        self.make_way(None)
        for health in healths:
            self._stream.write(f"{health}\n")
        self._stream.flush()
