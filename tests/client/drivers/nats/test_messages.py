from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from minibroker_client.drivers.nats.messages import headers_of, leased_of, size_of
from minibroker_client.remote.driver import Outgoing

from .conftest import message

REPLY = "$JS.ACK.x+q.minibroker.3.17.20.1795765895313087052.1"


def found(headers: dict[str, str] | None, body: bytes = b"hello", reply: str = REPLY) -> Any:
    return SimpleNamespace(headers=headers, data=body, reply=reply)


def test_plain_properties_are_plain_headers() -> None:
    properties: dict[str, Any] = {"content_type": "text/plain", "priority": 3, "headers": {"a": 1}}
    headers = headers_of(Outgoing("q", message(**properties)), None)
    assert headers == {
        "routing_key": "q",
        "content_type": "text/plain",
        "priority": "3",
        "headers": '{"a": 1}',
    }


def test_times_are_headers_of_their_own() -> None:
    headers = headers_of(Outgoing("q", message(), expires=5), 7)
    assert (headers["expires"], headers["due"]) == ("5", "7")
    leased = leased_of("q", found(headers), 1.0)
    assert (leased.expires, leased.due) == (5, 7)


def test_a_value_that_is_no_line_of_ascii_is_encoded_under_a_name_with_an_asterisk() -> None:
    headers = headers_of(Outgoing("q", message(type="caf\u00e9\r\nx: y")), None)
    assert headers["type*"] == "UTF-8''caf%C3%A9%0D%0Ax%3A%20y"
    assert "type" not in headers


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_comes_back(text: str) -> None:
    sent = message(type=text, headers={text: text}, queue=text)
    headers = headers_of(Outgoing("q", sent), None)
    assert all(value == value.strip() and value.isprintable() for value in headers.values())
    leased = leased_of("q", found(headers), 1.0)
    assert leased.message.properties == sent.properties
    assert leased.message.routing_key == text


def test_the_place_and_the_count_are_those_of_the_reply_subject() -> None:
    leased = leased_of("q", found({"routing_key": "q"}), 1.5)
    token = leased.token
    assert (leased.deliveries, token.number, token.reply, token.until) == (2, 17, REPLY, 1.5)


def test_a_reply_subject_of_another_version_is_read_by_the_library() -> None:
    metadata = SimpleNamespace(num_delivered=2, sequence=SimpleNamespace(stream=9))
    other = found(None, reply="$JS.ACK.domain.account.x+q.minibroker.2.9.3.4.0.random")
    other.metadata = metadata
    leased = leased_of("q", other, 1.0)
    assert (leased.deliveries, leased.token.number) == (1, 9)


def test_a_foreign_message_has_its_headers_and_no_properties_but_the_known_ones() -> None:
    headers = {"Content-Type": "text/csv", "Nats-Msg-Id": "7", "Nats-Other": "x", "colour": "red"}
    read = leased_of("q", found(headers), 1.0).message
    assert (read.exchange, read.routing_key, read.body) == ("", "q", b"hello")
    properties = read.properties
    assert (properties.content_type, properties.message_id) == ("text/csv", "7")
    assert properties.headers == {"colour": "red"}


def test_a_foreign_message_without_headers_is_a_body() -> None:
    read = leased_of("q", found(None), 1.0).message
    assert (read.body, read.properties.headers) == (b"hello", None)


def test_times_that_are_not_readable_are_none() -> None:
    leased = leased_of("q", found({"routing_key": "q", "expires": "soon"}), 1.0)
    assert leased.expires is None


def test_the_size_is_that_of_the_lines_and_the_body() -> None:
    assert size_of({"a": "bc"}, b"body") == len(b"NATS/1.0\r\na: bc\r\n\r\nbody")
