"""Kombu's envelope in Service Bus."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.servicebus.kombu_envelope import entity_name, unwrapped, wrapped
from minibroker_client.drivers.servicebus.messages import Found
from minibroker_client.remote.driver import Outgoing

from ....interop.needed import needed_module
from ...remote.places import server_of, url_of
from ..kombu_peers import Contract, Peers

if TYPE_CHECKING:
    from collections.abc import Iterator

theirs = needed_module("kombu.transport.azureservicebus")
kombu_json = needed_module("kombu.utils.json")
MESSAGE = Message("x", "k", Properties(content_type="text/plain", headers={"h": 1}), b"\xffbody")


@given(st.text(), st.text())
def test_a_queue_has_the_name_that_kombu_gives_it(name: str, prefix: str) -> None:
    channel: Any = object.__new__(theirs.Channel)
    assert entity_name(name, prefix) == channel.entity_name(prefix + name)


def test_kombu_reads_the_body_of_what_is_sent() -> None:
    sent = wrapped(Outgoing("q", MESSAGE, expires=5, delay=7))
    assert (sent.queue, sent.expires, sent.delay) == ("q", 5, 7)
    assert sent.message.properties == Properties(content_type="application/json")
    with needed_module("kombu").Connection("memory://") as connection:
        read = connection.default_channel.message_to_python(kombu_json.loads(sent.message.body))
    assert (read.body, read.headers, read.content_type) == (b"\xffbody", {"h": 1}, "text/plain")


def test_what_was_wrapped_is_the_same_when_it_was_unwrapped() -> None:
    sent = wrapped(Outgoing("q", MESSAGE, expires=5))
    found = unwrapped(Found(sent.message, 2, None), "q")
    assert (found.message.body, found.message.exchange) == (b"\xffbody", "x")
    assert found.message.properties == MESSAGE.properties
    assert (found.deliveries, found.expires) == (2, 5)
    assert unwrapped(Found(sent.message, 0, 4), "q").expires == 4


def test_another_message_stays_what_it_is() -> None:
    found = Found(MESSAGE, 1, 2)
    assert unwrapped(found, "q") is found


class Management:
    """What Kombu asks over HTTPS, which the stand-in does not have: queues come by themselves."""

    def create_queue(self, **named: Any) -> None:
        pass


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peers]:
    server = server_of("azureservicebus")
    url, channel = url_of(server), theirs.Channel

    def connects(self: Any) -> None:
        self._connection_string = server.url

    monkeypatch.setattr(channel, "_try_parse_connection_string", connects)
    monkeypatch.setattr(channel, "queue_mgmt_service", Management())
    monkeypatch.setattr(channel, "_size", lambda *_: 0)
    prefix = {"queue_name_prefix": f"t{secrets.token_hex(4)}!"}
    options = {**prefix, "wait_time_seconds": 1}
    made = Peers(url, "azureservicebus://test:test@localhost", {**prefix, "lease": 5}, options)
    yield made
    made.close()


@pytest.mark.filterwarnings("default")  # theirs
class TestOnServiceBus(Contract):
    """What holds on each system."""
