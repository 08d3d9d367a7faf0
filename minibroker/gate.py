"""Whether publishers have to wait, and why. Knows nothing of what is short, or of how to wait.

Source: RabbitMQ documentation, "Memory and Disk Alarms", "Blocked Connection Notifications".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BEHIND", "DISK", "MEMORY", "Gate"]

MEMORY = "memory"
DISK = "disk"
BEHIND = "log"
"""The log writes more slowly than publishers publish: they wait, and no connection is told."""
ANNOUNCED = (MEMORY, DISK)


class Gate:
    """The one gate of a broker, before everything that is published. Not thread-safe.

    `on` says that publishers have to wait. `changed` is called when what connections are told
    changes, with the words for it or None; `wait` by a publisher, with its timeout in seconds and
    the question whether its channel is closed: it returns when publishing may go on or the channel
    is closed, or raises PublisherBlocked. `interrupt` makes those who wait ask again.
    """

    __slots__ = ("_reasons", "_waiting", "changed", "interrupt", "on", "wait")

    def __init__(self) -> None:
        self.on = False
        self._reasons: dict[str, Callable[[], str]] = {}
        self._waiting: dict[Callable[[], None], None] = {}
        self.changed: Callable[[str | None], None] = lambda _: None
        self.wait: Callable[[float | None, Callable[[], bool]], None] = lambda *_: None
        self.interrupt: Callable[[], None] = lambda: None

    def shut(self, reason: str, detail: Callable[[], str]) -> None:
        """There is one reason more to wait; `detail` tells more of it to those who ask."""
        before = self.words
        self._reasons[reason] = detail
        self.on = True
        if self.words != before:
            self.changed(self.words)

    def open(self, reason: str) -> None:
        """One reason less. One that there is not is ignored."""
        if self._reasons.pop(reason, None) is None:
            return
        self.on = bool(self._reasons)
        if reason in ANNOUNCED:
            self.changed(self.words)
        if not self.on:
            self.interrupt()
            waiting, self._waiting = self._waiting, {}
            for each in waiting:
                each()

    def when_open(self, callback: Callable[[], None]) -> None:
        """Call back once when publishing may go on, for those who cannot wait in a thread."""
        self._waiting[callback] = None

    def forget(self, callback: Callable[[], None]) -> None:
        """Do not call back any more."""
        self._waiting.pop(callback, None)

    @property
    def words(self) -> str | None:
        """What connections are told, as RabbitMQ says it; None when there is nothing to tell."""
        short = [reason for reason in ANNOUNCED if reason in self._reasons]
        return f"low on {' & '.join(short)}" if short else None

    @property
    def detail(self) -> str:
        """Everything there is to say about why publishers wait."""
        said = "; ".join(detail() for detail in self._reasons.values())
        return f"{self.words}: {said}" if self.words else said

    def _check(self) -> None:
        assert self.on == bool(self._reasons), "the gate is wrong"
