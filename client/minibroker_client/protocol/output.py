"""What a connection has to send. The one part that several threads may touch, under a guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minibroker.wire.native import BULK, grouped

if TYPE_CHECKING:
    from collections import deque

    from minibroker.wire.amqp.spec import MethodRecord

    from .pending import Pending
    from .shell import Shell

__all__ = ["Output"]


class Output:
    """Collects bytes until the shell takes them."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.guard = shell.guard
        self.out: list[bytes | memoryview] = []
        """What is to be sent."""
        self.size = 0
        """Bytes of it, about."""

    def encode(self, number: int, method: MethodRecord) -> bytes:
        """A method as bytes. Raises ValueError or TypeError for what cannot be carried."""
        raise NotImplementedError

    def heartbeat_frame(self) -> bytes:
        """A heartbeat as bytes."""
        raise NotImplementedError

    def settle(self) -> None:
        """Put what was held back to be sent together into `out`. Under the guard."""
        raise NotImplementedError

    def send(
        self,
        number: int,
        method: MethodRecord,
        pending: Pending | None = None,
        waiting: deque[Pending] | None = None,
    ) -> None:
        """Put a method into `out`, and its answer into those that are waited for."""
        data = self.encode(number, method)
        with self.guard:
            self.settle()
            if pending is not None and waiting is not None:
                waiting.append(pending)
            self.out.append(data)
            self.size += len(data)

    def beat(self) -> None:
        """Put a heartbeat into `out`."""
        with self.guard:
            self.settle()
            self.out.append(self.heartbeat_frame())
            self.size += 8

    def take(self) -> bytes:
        """All that is to be sent. Under the guard."""
        return b"".join(self.take_pieces())

    def take_pieces(self) -> list[bytes | memoryview]:
        """The same, in few pieces: large bodies are not copied. Under the guard."""
        self.settle()
        out, self.out = self.out, []
        size, self.size = self.size, 0
        return [b"".join(out)] if size < BULK else list(grouped(out))

    @property
    def idle(self) -> bool:
        """Whether nothing is to be sent."""
        return not self.size
