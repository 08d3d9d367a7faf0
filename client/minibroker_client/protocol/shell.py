"""Who owns the socket of a protocol, and how one waits there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .pending import Pending

__all__ = ["Shell"]


class Shell(Protocol):
    """What a protocol asks of the owner of its socket."""

    @property
    def guard(self) -> AbstractContextManager[Any]:
        """A lock around what is written, if several threads may write."""
        ...

    def perform(self, pending: Pending, timeout: float | None = None) -> Any:
        """Wait for an answer: it, or what gives it when it is awaited. `timeout` is in seconds.

        Raises the error of the answer, and TimeoutError.
        """
        ...

    def written(self) -> None:
        """There is something to send: now, or together with what follows soon."""
        ...
