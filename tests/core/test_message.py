"""What was published, and its history."""

from __future__ import annotations

from minibroker import PLAIN, Message, Properties
from minibroker.message import Death, MarkedMessage


def test_a_message_has_no_mark_unless_the_broker_wrote_one() -> None:
    message = Message("x", "k", PLAIN, b"body")
    assert (message.ttl, message.copies, message.deaths) == (None, (), ())
    marked = MarkedMessage("x", "k", PLAIN, b"body")
    assert (marked.ttl, marked.copies, marked.deaths) == (None, (), ())
    assert isinstance(marked, Message)


def test_the_marks_are_a_time_to_live_further_keys_and_deaths() -> None:
    death = Death("q", "expired", "x", ("k",), 1_000)
    marked = MarkedMessage("x", "k", PLAIN, b"", 5, ("cc",), (death,))
    assert (marked.ttl, marked.copies, marked.deaths) == (5, ("cc",), (death,))


def test_the_headers_of_a_message_without_any_are_an_empty_table() -> None:
    assert Message("x", "k", PLAIN, b"").headers == {}
    assert Message("x", "k", Properties(headers={"n": 1}), b"").headers == {"n": 1}


def test_a_message_with_more_headers_is_another_message() -> None:
    message = Message("x", "k", Properties("text/plain", headers={"n": 1, "m": 1}), b"body")
    more = message.with_headers({"n": 2})
    assert more.headers == {"n": 2, "m": 1}
    assert (more.exchange, more.routing_key, more.body) == ("x", "k", b"body")
    assert more.properties.content_type == "text/plain"
    assert message.headers == {"n": 1, "m": 1}


def test_persistent_is_what_was_published_with_delivery_mode_2() -> None:
    assert Message("", "q", Properties(delivery_mode=2), b"").persistent
    assert not Message("", "q", Properties(delivery_mode=1), b"").persistent
    assert not Message("", "q", PLAIN, b"").persistent


def test_the_text_of_a_message_does_not_show_its_body() -> None:
    message = Message("x", "k", PLAIN, b"secret")
    assert repr(message) == "<Message exchange='x' routing_key='k' 6 bytes>"
    assert repr(MarkedMessage("x", "k", PLAIN, b"")).startswith("<MarkedMessage ")


def test_the_same_death_again_only_counts() -> None:
    death = Death("q", "expired", "x", ("k", "cc"), 1_000, "60", count=2)
    again = death.again()
    assert again.count == 3
    assert death.count == 2
    for name in ("queue", "reason", "exchange", "routing_keys", "time", "original_expiration"):
        assert getattr(again, name) == getattr(death, name)
