"""The lines of the command's log."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from minibroker.cli import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def test_a_line_of_text_has_time_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    logging.getLogger("minibroker.server").info("somebody %s", "came")
    logging.getLogger("minibroker.server").debug("unimportant")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("INFO    somebody came")
    assert line[:2] == "20"


def test_a_line_of_json_has_the_fields_of_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("warning", "json")
    logger = logging.getLogger("minibroker.server")
    logger.warning("refused", extra={"fields": {"event": "login refused", "user": "änn"}})
    try:
        raise ValueError("x")
    except ValueError:
        logger.exception("failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["message"], first["level"]) == ("refused", "warning")
    assert (first["event"], first["user"]) == ("login refused", "änn")
    assert first["logger"] == "minibroker.server"
    assert "ValueError: x" in second["traceback"]
