from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.remote.driver import DriverError

if TYPE_CHECKING:
    from .conftest import Opened


def test_of_two_facts_of_one_key_the_first_stays(opened: Opened) -> None:
    one, other = opened().facts, opened().facts
    assert one.add("k", "first é") == "first é"
    assert other.add("k", "second") == "first é"
    assert one.load() == other.load() == {"k": "first é"}


def test_of_many_who_add_one_fact_at_once_all_are_told_the_same(opened: Opened) -> None:
    facts = [opened().facts for _ in range(4)]
    told: list[str] = []
    start = threading.Barrier(4)

    def add(place: int) -> None:
        start.wait(10)
        told.append(facts[place].add("k", str(place)))

    threads = [threading.Thread(target=add, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert told == [facts[0].load()["k"]] * 4


def test_a_key_may_be_longer_than_an_index_takes(opened: Opened) -> None:
    key = "é" * 3000
    opened().facts.add(key, "v")
    facts = opened().facts
    assert facts.load() == {key: "v"}
    facts.remove([key])
    assert facts.load() == {}


def test_the_version_changes_with_each_change_of_another_and_not_without(opened: Opened) -> None:
    one, other = opened().facts, opened().facts
    versions = [other.version()]
    one.add("k", "v")
    versions.append(other.version())
    one.add("k", "again")
    assert other.version() == versions[-1]
    one.remove(["k", "not there"])
    versions.append(other.version())
    assert len(set(versions)) == 3
    assert other.load() == {}


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
