from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker_client.buffering.kept import Kept
from minibroker_client.buffering.spool import SpoolStore
from minibroker_client.exceptions import OperationalError

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {
    "message_id": "1", "headers": {"a": [1, {"b": None}]}, "priority": 3, "expiration": "5",
    "timestamp": datetime(2020, 1, 1, tzinfo=UTC),
}  # fmt: skip


def test_what_is_kept_is_there_again_and_what_is_done_is_not(tmp_path: Path) -> None:
    directory = str(tmp_path / "spool")
    store = SpoolStore(directory)
    messages = [Kept("e", "k", b"%d" % number, VALUES, mandatory=True) for number in range(4)]
    keys = [store.add(each) for each in messages]
    store.done(keys[1])
    assert (len(store), store.size) == (3, 3)
    store.close()
    again = SpoolStore(directory)
    assert [each for _, each in again.pending()] == [messages[0], *messages[2:]]
    again.add(messages[1])
    assert [each.body for _, each in again.pending()] == [b"0", b"2", b"3", b"1"]
    again.close()


def test_a_directory_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(OperationalError, match="spool"):
        SpoolStore(str(tmp_path / "spool"))
