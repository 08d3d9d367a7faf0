"""What facts are in every system that adds one in a step of its own: a base of test classes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["FactsContract"]

Opened: TypeAlias = "Callable[..., Any]"
"""Makes drivers in one place: a fixture of each system's tests."""


class FactsContract:
    """For a class `Test...` beside a fixture `opened`."""

    def test_of_two_facts_of_one_key_the_first_stays(self, opened: Opened) -> None:
        one, other = opened().facts, opened().facts
        assert one.add("k", "first é") == "first é"
        assert other.add("k", "second") == "first é"
        assert one.load() == other.load() == {"k": "first é"}

    def test_of_many_who_add_one_fact_at_once_all_are_told_the_same(self, opened: Opened) -> None:
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

    def test_the_version_changes_with_each_change_of_another_and_not_without(
        self, opened: Opened
    ) -> None:
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
