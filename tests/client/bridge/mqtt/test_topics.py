from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker_client.bridge.mqtt.topics import filter_of, key_of, topic_of

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="+#\0"), min_size=1)
prefixes = st.sampled_from(["", "site/7", "a.b"])


def test_dots_and_slashes_change_places() -> None:
    assert topic_of("sensors.7.temp") == "sensors/7/temp"
    assert key_of("sensors/7/temp") == "sensors.7.temp"
    assert key_of("a/b.c/d") == "a.b/c.d"
    assert topic_of("a.b/c.d") == "a/b.c/d"


@given(texts, prefixes)
def test_a_topic_is_the_same_after_it_was_a_key(topic: str, prefix: str) -> None:
    below = f"{prefix}/{topic}" if prefix else topic
    assert topic_of(key_of(below, prefix), prefix) == below


@given(st.one_of(st.just(""), texts), prefixes)
def test_a_key_is_the_same_after_it_was_a_topic(key: str, prefix: str) -> None:
    if key or prefix:
        assert key_of(topic_of(key, prefix), prefix) == key


def test_what_is_not_below_the_prefix_is_taken_as_a_whole() -> None:
    assert key_of("site/70/x", "site/7") == "site.70.x"
    assert key_of("site/7", "site/7") == ""


@pytest.mark.parametrize("key", ["", "c++", "a.#", "a\0b", "x" * 65536])
def test_a_key_that_is_no_topic_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="topic of MQTT"):
        topic_of(key)


@pytest.mark.parametrize("queue", ["#", "+", "a/+/c", "a/#", "+/+/#", "$SYS/#", "a b/c.d"])
def test_a_filter_is_taken_as_it_is_below_the_prefix(queue: str) -> None:
    assert filter_of(queue) == queue
    assert filter_of(queue, "site/7") == f"site/7/{queue}"


@pytest.mark.parametrize("queue", ["", "#/a", "a#", "a/+b", "a\0", "$share/group/a"])
def test_a_wrong_filter_and_a_shared_one_are_refused(queue: str) -> None:
    with pytest.raises(ValueError, match="topic filter"):
        filter_of(queue)
