"""The files of logs that brokers left behind, for tests to damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .logs import contents_of, fill, opened, publish, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a closed log with a bit of everything."""
    path = tmp_path_factory.mktemp("whole") / "log"
    fill(path)
    return contents_of(path)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a log whose broker was killed some time after the last checkpoint."""
    path = tmp_path_factory.mktemp("running") / "log"
    fill(path)
    with opened(path) as broker:
        channel = broker.connect().channel()
        channel.declare_queue("new", durable=True)
        publish(channel, "new", 40)
        settle(channel, "jobs", 3)
        broker.sync()
        return contents_of(path)


@pytest.fixture
def make_log(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """`make_log(contents)`: a directory with these files."""

    def make(contents: dict[str, bytes]) -> Path:
        path = tmp_path / "log"
        path.mkdir()
        for name, data in contents.items():
            (path / name).write_bytes(data)
        return path

    return make
