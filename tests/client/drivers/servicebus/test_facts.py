from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker_client.drivers.servicebus import facts
from minibroker_client.drivers.servicebus.facts import Record, fold, needed_records
from minibroker_client.remote.driver import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker_client.drivers.servicebus import ServiceBusDriver

    from .conftest import Place

KEYS = st.sampled_from("abc")
CHANGES = st.one_of(
    st.tuples(KEYS, st.sampled_from("12")),
    st.lists(KEYS, min_size=1, max_size=2).map(tuple).map(lambda keys: (None, keys)),
)


@given(st.lists(CHANGES, max_size=12), st.data())
def test_any_records_with_those_that_are_needed_make_the_same_facts(
    changes: list[tuple[Any, Any]], data: st.DataObject
) -> None:
    records = [
        Record(place, None, removed=value) if key is None else Record(place, key, value)
        for place, (key, value) in enumerate(changes, 1)
    ]
    needed = needed_records(records)
    some = data.draw(st.lists(st.sampled_from(records))) if records else []
    assert fold(needed) == fold(records) == fold([*some, *needed])
    assert len(needed) <= 6


def test_facts_are_seen_by_all_and_the_first_one_of_a_key_wins(place: Place) -> None:
    first, second = place.driver(), place.driver()
    assert first.add("k", "1") == "1"
    assert second.add("k", "2") == "1"
    assert first.load() == second.load() == {"k": "1"}
    before = first.version()
    assert first.version() == before
    second.remove(["k", "nothing"])
    second.remove(["nothing"])
    assert first.version() != before
    assert first.load() == second.load() == {}
    assert second.add("k", "2") == "2"
    assert first.add("k", "3") == "2"


def test_of_two_that_add_at_once_the_first_in_the_log_wins(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = place.driver(), place.driver()
    read = second.facts._read
    reads: list[None] = []

    def late_read() -> None:
        reads.append(None)
        read()
        if len(reads) == 1:
            first.add("k", "1")

    monkeypatch.setattr(second.facts, "_read", late_read)
    assert second.add("k", "2") == "1"


def test_a_fact_that_is_not_seen_is_an_error(
    driver: ServiceBusDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver.facts, "_read", lambda: None)
    monkeypatch.setattr(facts, "PATIENCE", 0.01)
    with pytest.raises(DriverError, match="does not show"):
        driver.add("k", "1")


def log_of(place: Place) -> list[Any]:
    """What lies in the log."""
    found: list[Any] = place.foreign("minibroker-facts").peek_messages(250)
    return found


def test_the_log_is_made_shorter_and_says_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "SPARE", 5)
    driver, other = place.driver(), place.driver()
    driver.add("stays", "1")
    for number in range(8):
        driver.add(f"k{number}", "1")
    driver.remove([f"k{number}" for number in range(8)])
    other.version()
    assert len(log_of(place)) == 10
    assert driver.load() == {"stays": "1"}
    assert len(log_of(place)) == 2  # a removal stays as long as what it removed is there
    assert driver.load() == {"stays": "1"} == other.load() == place.driver().load()
    driver.remove(["stays"])
    assert other.load() == place.driver().load() == {}


def test_compaction_by_two_at_once_loses_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "AT_MOST", 4)
    first, second = place.driver(), place.driver()
    for number in range(6):
        first.add(f"k{number}", str(number))
    first.remove(["k0", "k5"])
    second.add("k0", "again")
    expected = {**{f"k{number}": str(number) for number in range(1, 5)}, "k0": "again"}
    for _ in range(4):
        first.facts.compact()
        second.facts.compact()
        assert first.load() == second.load() == place.driver().load() == expected
    assert len(log_of(place)) <= 6


def test_what_another_program_puts_among_the_facts_is_passed_over(place: Place) -> None:
    bus = pytest.importorskip("azure.servicebus")
    texts = ["{", "[]", "{}", '{"remove": 1}']
    place.send(*map(bus.ServiceBusMessage, texts), queue="minibroker-facts")
    driver = place.driver()
    assert driver.load() == {}
    driver.add("k", "1")
    assert place.driver().load() == {"k": "1"}


def test_a_fact_that_is_too_large_is_an_error(driver: ServiceBusDriver) -> None:
    with pytest.raises(DriverError, match="was refused"):
        driver.add("k", "x" * 300_000)


def test_without_the_queue_for_facts_it_is_said_what_to_do(
    own_place: Callable[..., Place],
) -> None:
    driver = own_place(queues=["other"]).driver()
    for call in (driver.version, lambda: driver.add("k", "1")):
        with pytest.raises(DriverError, match=r"minibroker-facts.*create=False"):
            call()
