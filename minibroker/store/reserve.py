"""Room on the disk that is kept free of everything else, for when there is no other.

A log that cannot be written cannot even say that a message was consumed, so a full disk would stay
full. Giving this room back lets it. Knows nothing of what is written then.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .filesystem import FileSystem

__all__ = ["RESERVE_FILE", "Reserve"]

RESERVE_FILE = "reserve"


class Reserve:
    """A file of so many bytes, which means nothing."""

    __slots__ = ("_files", "error", "held", "size")

    def __init__(self, files: FileSystem, size: int) -> None:
        self._files = files
        self.size = size
        self.held = False
        """Whether the room is taken, and can be given back."""
        self.error: OSError | None = None
        """Why it could not be taken the last time."""

    def hold(self) -> bool:
        """Take the room, if there is that much: whether it is held now."""
        if not self.held:
            try:
                file = self._files.create(RESERVE_FILE)
                try:
                    file.resize(self.size)
                finally:
                    file.close()
            except OSError as error:
                self.error = error
                with suppress(OSError):
                    self._files.delete(RESERVE_FILE)
            else:
                self.held = True
        return self.held

    def release(self) -> None:
        """Give the room back. Raises OSError."""
        self.held = False
        self._files.delete(RESERVE_FILE)
