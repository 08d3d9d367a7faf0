"""Which event loop a server of its own gets."""

from __future__ import annotations

import asyncio
import sys

import pytest

from minibroker.server.loops import new_event_loop


def kind(uvloop: bool | None) -> str:
    """The module of a new loop's class."""
    loop = new_event_loop(uvloop)
    try:
        return type(loop).__module__.partition(".")[0]
    finally:
        loop.close()


def test_asyncios_own_loop_is_there_for_who_asks_for_it() -> None:
    assert kind(uvloop=False) == "asyncio"


@pytest.mark.parametrize("asked", [True, None])
def test_uvloops_is_taken_where_it_is_installed(asked: bool | None) -> None:
    pytest.importorskip("uvloop")
    assert kind(uvloop=asked) == "uvloop"


def test_without_uvloop_asyncios_loop_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert kind(uvloop=None) == "asyncio"


def test_who_insists_on_uvloop_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(ImportError, match=r"pip install 'minibroker\[speed\]'"):
        new_event_loop(uvloop=True)


def test_a_new_loop_runs() -> None:
    loop = new_event_loop()
    try:
        assert loop.run_until_complete(asyncio.sleep(0, "done")) == "done"
    finally:
        loop.close()
