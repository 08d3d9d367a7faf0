"""An answer that is still to come. Knows neither who waits for it nor how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pending"]


class Pending:
    """One answer: `done` once there is a value or an error."""

    __slots__ = ("callback", "convert", "done", "error", "method", "value")

    def __init__(self, method: str, convert: Callable[[Any], Any] | None = None) -> None:
        self.method = method
        """What is answered, by its name in AMQP."""
        self.convert = convert
        """Makes the value of the answer, as soon as that is read: what comes behind it in the same
        bytes may depend on it."""
        self.done = False
        self.value: Any = None
        self.error: Exception | None = None
        self.callback: Callable[[], None] | None = None
        """Called once when it is done."""

    def succeed(self, answer: Any) -> None:
        """The answer is there."""
        self.value = answer if self.convert is None else self.convert(answer)
        self._finish()

    def fail(self, error: Exception) -> None:
        """There will be none, because of an error."""
        if not self.done:
            self.error = error
            self._finish()

    def _finish(self) -> None:
        self.done = True
        if self.callback is not None:
            self.callback()

    def result(self) -> Any:
        """The value, once it is done. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.value
