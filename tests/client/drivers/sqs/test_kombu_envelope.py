"""SQS shared with programs that use Kombu."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.transport.SQS import Channel

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.sqs.kombu_envelope import KombuForm, envelope_at
from minibroker_client.drivers.sqs.messages import leased_of
from minibroker_client.remote.driver import Outgoing
from minibroker_client.remote.kombu import envelope_of

from ...remote.places import server_of, url_of
from ..kombu_peers import Contract, Peers, next_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("default")  # theirs
FORM = KombuForm()


@pytest.fixture
def peers() -> Iterator[Peers]:
    url = url_of(server_of("moto"))
    prefix = {"queue_name_prefix": f"t{secrets.token_hex(4)}.", "region": "us-east-1"}
    # Without pauses: a visibility timeout of Kombu's is not waited for.
    made = Peers(url, url, prefix, {**prefix, "wait_time_seconds": 1, "polling_interval": 0})
    yield made
    made.close()


class TestOnSQS(Contract):
    """What holds on each system."""

    def test_kombu_may_write_the_envelope_without_base64(self, peers: Peers) -> None:
        side = peers.side()
        peers.theirs["sqs_base64_encoding"] = False
        peers.kombu_sends("plain")
        delivery = next_of(side, peers.queue)
        assert (delivery.message.body, delivery.message.routing_key) == (b"plain", peers.queue)
        side.channel.ack(delivery.tag)
        plain = peers.side(sqs_base64_encoding=False)
        plain.publish(peers.queue, b"back", content_type="text/plain")
        plain.connection.close()
        assert peers.kombu_gets().payload == "back"

    def test_a_queue_hides_messages_from_kombu_as_long_as_kombu_asks_for(
        self, peers: Peers
    ) -> None:
        side: Any = peers.side(lease=2)
        driver = side.connection.remote.driver.driver  # below the levels
        url = driver.urls[peers.queue]
        asked = {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]}
        found = driver.client.get_queue_attributes(**asked)["Attributes"]
        assert found == {"VisibilityTimeout": "1800"}
        assert url.endswith(f"{peers.ours['queue_name_prefix'].replace('.', '-')}{peers.queue}")


@given(st.text(min_size=1) | st.text(min_size=1).map(lambda text: f"{text}.fifo"), st.text())
def test_a_queue_has_the_name_that_kombu_gives_it(name: str, prefix: str) -> None:
    channel: Any = object.__new__(Channel)
    channel.__dict__["queue_name_prefix"] = prefix
    assert FORM.queue_name(name, prefix) == channel.canonical_queue_name(name)


def outgoing(queue: str, delay: int = 0) -> Outgoing:
    return Outgoing(queue, Message("x", "k", Properties(), b"body"), delay=delay)


def received(text: str) -> dict[str, Any]:
    return {"ReceiptHandle": "r", "Body": text, "MessageId": "m"}


def test_a_long_delay_is_in_the_envelope_also() -> None:
    entry = FORM.entry_of(outgoing("q", 901_000), 1_000)
    assert entry["DelaySeconds"] == 900
    lease = leased_of("q", received(entry["MessageBody"]))
    assert (lease.due, lease.message.body) == (902_000, b"body")
    assert FORM.entry_of(outgoing("q", 1_500), 0)["DelaySeconds"] == 2


def test_a_fifo_queue_has_groups_and_no_delay_of_its_own() -> None:
    entry = FORM.entry_of(outgoing("q.fifo", 1_000), 1_000)
    assert "DelaySeconds" not in entry
    assert entry["MessageGroupId"] == "default"
    assert leased_of("q.fifo", received(entry["MessageBody"])).due == 2_000


def test_an_envelope_is_read_without_the_option_too() -> None:
    raw = json.loads(envelope_of(Message("x", "k", Properties(), b"body"), expires=5))
    raw["properties"]["delivery_info"]["redelivered"] = True
    lease = leased_of("q", received(base64.b64encode(json.dumps(raw).encode()).decode()))
    assert (lease.message.exchange, lease.deliveries, lease.expires) == ("x", 1, 5)


@pytest.mark.parametrize("text", ["ey", "eyJ hello", "text", '{"a": 1}', "eyJhIjogMX0="])
def test_another_text_stays_what_it_is(text: str) -> None:
    assert envelope_at(text, "q") is None
    assert leased_of("q", received(text)).message.body == text.encode()


def test_the_form_is_that_of_the_options() -> None:
    assert KombuForm.asked_for({}) is None
    assert KombuForm.asked_for({"envelope": "kombu"}) == KombuForm(True)
    options = {"envelope": "kombu", "sqs_base64_encoding": False}
    assert KombuForm.asked_for(options) == KombuForm(False)
    assert KombuForm.asked_for({"envelope": "kombu", "visibility_timeout": 60}) == KombuForm(
        True, 60
    )
