from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from minibroker_client.drivers.nats.names import bucket_name

if TYPE_CHECKING:
    from .conftest import Opened, Stranger


def test_of_two_facts_of_one_key_the_first_stays(opened: Opened) -> None:
    one, other = opened().facts, opened().facts
    assert one.add("k", "first") == "first"
    assert other.add("k", "second") == "first"
    assert one.load() == other.load() == {"k": "first"}


def test_what_was_declared_before_is_there_in_a_new_connection(opened: Opened) -> None:
    long = "é" * 3000
    opened().facts.add(long, "x" * 100_000)
    assert opened().facts.load() == {long: "x" * 100_000}


def test_the_version_changes_with_each_change_of_another_and_not_without(opened: Opened) -> None:
    one, other = opened().facts, opened().facts
    versions = [other.version()]
    one.add("k", "v")
    versions.append(other.version())
    assert other.load() == {"k": "v"}
    one.remove(["k", "not there"])
    versions.append(other.version())
    assert other.load() == {}
    assert len(set(versions)) == 3
    assert other.version() == versions[-1]


def test_put_tells_the_version(opened: Opened) -> None:
    driver = opened()
    driver.facts.add("k", "v")
    assert driver.put([]).version == driver.facts.version()


def test_a_removed_fact_can_be_added_again(opened: Opened) -> None:
    one, other = opened().facts, opened().facts
    one.add("k", "v")
    other.version()
    other.remove(["k"])
    other.remove([])
    assert one.add("k", "w") == "w"
    other.version()
    assert other.load() == {"k": "w"}


def test_what_is_no_fact_is_passed_over(opened: Opened, stranger: Stranger, address: Any) -> None:
    driver = opened()
    before = driver.facts.version()
    bucket = bucket_name(address.options["prefix"])
    stranger.publish(f"$KV.{bucket}.strange", b"text")
    stranger.publish(f"$KV.{bucket}.stranger", json.dumps(["k", "v"]).encode())
    assert driver.facts.version() != before
    assert driver.facts.load() == {"k": "v"}
