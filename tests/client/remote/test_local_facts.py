from __future__ import annotations

import secrets

from minibroker_client.remote.local_facts import LocalFacts


def new() -> LocalFacts:
    return LocalFacts.of(secrets.token_hex(8))


def test_all_who_name_a_place_have_the_same_facts_and_others_do_not() -> None:
    place = secrets.token_hex(8)
    LocalFacts.of(place).add("k", "v")
    assert LocalFacts.of(place).load() == {"k": "v"}
    assert new().load() == {}


def test_a_fact_is_not_replaced() -> None:
    facts = new()
    assert facts.add("k", "first") == "first"
    assert facts.add("k", "second") == "first"
    assert facts.load() == {"k": "first"}


def test_the_version_changes_with_the_facts_and_only_with_them() -> None:
    facts = new()
    versions = [facts.version()]
    facts.add("k", "v")
    versions.append(facts.version())
    facts.add("k", "other")
    facts.load()["k"] = "mine alone"
    assert facts.version() == versions[-1]
    facts.remove(["k", "not there"])
    versions.append(facts.version())
    assert len(set(versions)) == 3
    assert facts.load() == {}
