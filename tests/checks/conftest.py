"""Small trees of files with something wrong in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """A way to put files into the test's own tree, which is `tmp_path`."""

    def write(name: str, text: str = "") -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write
