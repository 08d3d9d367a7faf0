from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from minibroker_client.drivers.sqs.tags import LONGEST, ROOM

if TYPE_CHECKING:
    from minibroker_client.drivers.sqs import SQSDriver

    from .conftest import Opened


def fact_queues(driver: SQSDriver) -> list[str]:
    answer = driver.client.list_queues(QueueNamePrefix=f"{driver.prefix}minibroker-facts")
    return sorted(url.rpartition("/")[2] for url in answer.get("QueueUrls", ()))


def test_of_two_facts_of_one_key_the_first_stays(opened: Opened) -> None:
    one, other = opened().facts, opened().facts
    assert one.add('["q","é"]', "first") == "first"
    assert other.add('["q","é"]', "second") == "first"
    assert one.load() == other.load() == {'["q","é"]': "first"}


def test_a_fact_that_is_removed_is_gone_and_others_are_not(opened: Opened) -> None:
    one, other = opened().facts, opened().facts
    for key in "abc":
        one.add(key, key.upper())
    other.remove(["a", "c", "not there"])
    assert one.load() == {"b": "B"}
    assert one.add("a", "again") == "again"


def test_there_is_no_queue_for_facts_before_the_first_one(opened: Opened) -> None:
    driver = opened()
    assert driver.facts.load() == {}
    driver.facts.remove(["k"])
    assert fact_queues(driver) == []
    assert driver.facts.version() is None


def test_a_long_fact_is_several_tags(opened: Opened) -> None:
    driver = opened()
    value = secrets.token_hex(LONGEST)  # which cannot be compressed to one tag
    driver.facts.add("k", value)
    [name] = fact_queues(driver)
    url = driver.client.get_queue_url(QueueName=name)["QueueUrl"]
    tags = driver.client.list_queue_tags(QueueUrl=url)["Tags"]
    assert len(tags) > 1
    assert all(len(part) <= LONGEST for part in tags.values())
    assert driver.facts.load() == {"k": value}
    driver.facts.remove(["k"])
    assert driver.facts.load() == {}


def test_more_facts_than_a_queue_has_room_for_are_in_several(opened: Opened) -> None:
    driver = opened()
    expected = {f"key {number}": f"value {number}" for number in range(ROOM + 3)}
    for key, value in expected.items():
        driver.facts.add(key, value)
    assert len(fact_queues(driver)) == 2
    assert driver.facts.load() == expected
    driver.facts.remove(["key 7"])
    driver.facts.add("new", "takes its place")
    assert len(fact_queues(driver)) == 2


def test_tags_of_others_are_passed_over(opened: Opened) -> None:
    driver = opened()
    driver.facts.add("k", "v")
    [name] = fact_queues(driver)
    url = driver.client.get_queue_url(QueueName=name)["QueueUrl"]
    tags = {"team": "billing", "half.0": "eJw", "mark.1": "no base64", "aws.x": "1"}
    driver.client.tag_queue(QueueUrl=url, Tags=tags)
    assert driver.facts.load() == {"k": "v"}


def test_places_with_different_prefixes_do_not_see_each_other(opened: Opened) -> None:
    one = opened()
    other = opened(prefix=f"{one.prefix}more")
    one.facts.add("k", "v")
    other.facts.add("k", "other")
    assert one.facts.load() == {"k": "v"}
    assert other.facts.load() == {"k": "other"}
