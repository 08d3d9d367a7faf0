"""The type of the fixture `plant`, for tests that put something wrong into a small tree."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Plant"]


class Plant(Protocol):
    """Writes one file of the test's tree, with its folders."""

    def __call__(self, name: str, text: str = "") -> None:
        """The name is a path from the root of the tree."""
