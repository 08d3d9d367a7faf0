from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.remote.driver import DriverError

from ..facts_contract import FactsContract

if TYPE_CHECKING:
    from .conftest import Opened


class TestFactsInMongoDB(FactsContract):
    """Those of the contract."""


def test_a_key_may_be_longer_than_an_index_takes(opened: Opened) -> None:
    key = "é" * 3000
    opened().facts.add(key, "v")
    facts = opened().facts
    assert facts.load() == {key: "v"}
    facts.remove([key])
    assert facts.load() == {}


def test_a_fact_that_was_removed_while_it_was_added_again_is_added(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = opened().facts, opened().facts
    one.add("k", "old")
    collection: Any = other._collection  # type: ignore[attr-defined]  # MongoDB's own
    find = collection.find_one

    def removed_first(*arguments: Any, **named: Any) -> Any:
        monkeypatch.undo()
        one.remove(["k"])
        return find(*arguments, **named)

    monkeypatch.setattr(collection, "find_one", removed_first)
    assert other.add("k", "new") == "new"
    assert one.load() == {"k": "new"}


def test_a_client_that_is_closed_is_a_driver_error(opened: Opened) -> None:
    driver = opened()
    driver.close()
    for attempt in (driver.facts.load, lambda: driver.facts.add("k", "v")):
        with pytest.raises(DriverError, match="^MongoDB: "):
            attempt()
