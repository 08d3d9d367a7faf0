"""A TCP proxy that loses connections in every way there is."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Self

__all__ = ["Proxy", "answering"]


class Proxy:
    """Passes bytes on between clients and one port on loopback; `with` ends it."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self.accepted = 0
        self.deaf = False
        """Whether bytes are swallowed instead of passed on, both ways."""
        self.cut_after: int | None = None
        """Bytes from clients after which their connection is reset: within a frame, most often."""
        self.cut_back_after: int | None = None
        """The same for bytes from the broker."""
        self.refusing = False
        """Whether connections are closed as soon as they are made."""
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, scheme: str = "amqp") -> str:
        """Where a client reaches it."""
        return f"{scheme}://127.0.0.1:{self.port}/"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            for source, sink, back in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pass_on, args=(source, sink, back, (client, server)), daemon=True
                ).start()

    def _pass_on(
        self,
        source: socket.socket,
        sink: socket.socket,
        back: bool,
        pair: tuple[socket.socket, socket.socket],
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if self.deaf:
                    continue
                left = self.cut_back_after if back else self.cut_after
                if left is not None and len(data) >= left:
                    sink.sendall(data[:left])
                    self.cut_after = self.cut_back_after = None
                    self._reset(pair)
                    return
                if left is not None:
                    if back:
                        self.cut_back_after = left - len(data)
                    else:
                        self.cut_after = left - len(data)
                sink.sendall(data)
        if not self.deaf:
            self._close(pair)

    def _reset(self, pair: tuple[socket.socket, socket.socket]) -> None:
        for each in pair:
            with suppress(OSError):  # closed meanwhile
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._close(pair)

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        for each in pair:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def cut(self) -> None:
        """Reset all connections."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            self._reset(pair)

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answering(answer: bytes) -> tuple[socket.socket, int]:
    """A listener whose first client gets these bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(100)
            client.sendall(answer)
            client.recv(100)

    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]
