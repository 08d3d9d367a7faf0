"""A directory with a log on a disk: its lock, and where what is removed goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import LogLocked
from minibroker.inspection import DiskArchive, NotALog, open_directory

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2030, 5, 17, 12, 0, 5, tzinfo=UTC)


def test_a_directory_is_locked_while_it_is_open(tmp_path: Path) -> None:
    (tmp_path / "00000000000000000000.segment").write_bytes(b"x")
    with open_directory(str(tmp_path)) as files:
        assert files.list()["00000000000000000000.segment"] == 1
        with pytest.raises(LogLocked), open_directory(str(tmp_path)):
            pass
    with open_directory(str(tmp_path)):
        pass


@pytest.mark.parametrize("name", ["1.checkpoint", "2.segment", "lock"])
def test_a_log_is_known_by_any_of_its_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotALog, match="no segment and no checkpoint"):
        open_directory(str(tmp_path)).__enter__()
    (tmp_path / name).write_bytes(b"")
    with open_directory(str(tmp_path)) as files:
        assert name in files.list()


def test_an_archive_is_made_when_something_is_to_be_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    archive = DiskArchive(str(tmp_path), NOON)
    removed = tmp_path / "removed-20300517T120005Z"
    assert archive.name == str(removed)
    assert not removed.exists()
    archive.keep(["a"])
    archive.report("what was done\n")
    (tmp_path / "a").unlink()
    assert {each.name: each.read_bytes() for each in removed.iterdir()} == {
        "a": b"1",
        "report.txt": b"what was done\n",
    }


def test_a_second_archive_of_the_same_second_has_another_name(tmp_path: Path) -> None:
    first, second = (DiskArchive(str(tmp_path), NOON) for _ in range(2))
    first.report("once")
    second.report("again")
    assert second.name == str(tmp_path / "removed-20300517T120005Z-2")


def test_files_are_copied_where_the_disk_has_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.hardlink_to", no_links)
    (tmp_path / "a").write_bytes(bytes(range(256)) * 5000)
    archive = DiskArchive(str(tmp_path), NOON)
    archive.keep(["a"])
    assert (tmp_path / archive.name / "a").read_bytes() == (tmp_path / "a").read_bytes()
