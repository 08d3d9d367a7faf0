"""Everything before `connection.open-ok`: version, login, tuning, virtual host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker.server import ServerSettings
from minibroker.server.amqp.handshake import CAPABILITIES, server_properties
from minibroker.server.amqp.states import CLOSED, CLOSING
from minibroker.server.sasl import Peer
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import PROTOCOL_HEADER

from ..pair import Client, raw_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.wire.amqp.spec import MethodRecord

AMQP_1_SASL = b"AMQP\x03\x01\x00\x00"


def refused(client: Client, method: MethodRecord, code: int, text: str, *ids: int) -> None:
    """The method is answered with `connection.close`, and nothing more is heard."""
    close = client.ask(0, method, spec.ConnectionClose)
    assert close == spec.ConnectionClose(code, text, *ids)
    assert client.server.state is CLOSING


# -- the protocol header


@pytest.mark.semantics(1)
@pytest.mark.parametrize(
    "header", [PROTOCOL_HEADER, b"AMQP\x01\x01\x00\x09", b"AMQP\x01\x01\x09\x01"]
)
def test_each_way_to_ask_for_0_9_1_is_understood(broker: Broker, header: bytes) -> None:
    client = Client(broker)
    (said,) = client.feed(header)
    assert isinstance(said.method, spec.ConnectionStart)
    assert (said.method.version_major, said.method.version_minor) == (0, 9)
    assert said.method.mechanisms == b"PLAIN AMQPLAIN"
    assert said.method.locales == b"en_US"


OTHERS = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",  # TLS
    b"AMQP\x00\x01\x00\x00",
    b"AMQP\x02\x01\x00\x00",
    b"AMQP\x01\x01\x64\x03",
    b"AMQP\x00\x00\x08\x00",
]


@pytest.mark.semantics(1)
@pytest.mark.parametrize("header", OTHERS)
@pytest.mark.parametrize(
    ("profile", "spoken"), [("rabbitmq-3.10", PROTOCOL_HEADER), ("rabbitmq-4.2", AMQP_1_SASL)]
)
def test_any_other_header_is_answered_with_the_one_that_is_spoken_and_the_end(
    make_broker: Callable[..., Broker], header: bytes, profile: str, spoken: bytes
) -> None:
    client = Client(make_broker(profile=profile))
    client.server.receive(header)
    assert client.raw() == spoken
    assert client.server.ending
    assert not client.server.aborted
    assert client.feed(b"anything more") == []
    assert client.outlet.events == [
        ("closed", {"reason": f"it speaks another protocol: {header[:8]!r}", "user": ""})
    ]


@pytest.mark.semantics(1)
def test_a_later_revision_of_0_9_is_told_0_9_1_by_newer_versions_too(
    make_broker: Callable[..., Broker],
) -> None:
    client = Client(make_broker(profile="rabbitmq-4.2"))
    client.server.receive(b"AMQP\x00\x00\x0a\x00")
    assert client.raw() == PROTOCOL_HEADER
    assert client.server.ending


def test_the_header_may_come_byte_by_byte_and_with_what_follows(broker: Broker) -> None:
    slow = Client(broker)
    for at in range(7):
        assert slow.feed(PROTOCOL_HEADER[at : at + 1]) == []
    assert len(slow.feed(PROTOCOL_HEADER[7:])) == 1

    eager = Client(broker)
    start_ok = raw_method(0, 10, 11, b"\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US")
    said = eager.feed(PROTOCOL_HEADER + start_ok)
    assert [type(each.method) for each in said] == [spec.ConnectionStart, spec.ConnectionTune]


# -- what the server says of itself


@pytest.mark.semantics(13)
@pytest.mark.parametrize("profile", ["rabbitmq-3.10", "rabbitmq-3.13", "rabbitmq-4.2"])
def test_product_and_version_are_those_of_the_profile(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    broker = make_broker(profile=profile)
    said = Client(broker).greet().server_properties
    assert said["product"] == "RabbitMQ"
    assert str(said["version"]).startswith(profile.removeprefix("rabbitmq-"))
    assert said == server_properties(broker.profile)
    assert set(said) >= {"platform", "copyright", "information", "cluster_name"}


@pytest.mark.semantics(13)
def test_every_capability_of_rabbitmq_is_announced(broker: Broker) -> None:
    capabilities: Any = Client(broker).greet().server_properties["capabilities"]
    assert capabilities == dict.fromkeys(CAPABILITIES, True)
    assert set(capabilities) == {
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    }


def test_a_client_with_a_certificate_may_use_it(broker: Broker) -> None:
    peer = Peer(loopback=False, certificate={"subject": ((("commonName", "guest"),),)})
    assert Client(broker, peer=peer).greet().mechanisms == b"PLAIN AMQPLAIN EXTERNAL"


# -- login


@pytest.mark.semantics(10)
@pytest.mark.parametrize("mechanism", ["PLAIN", "AMQPLAIN"])
def test_both_usual_mechanisms_log_in(broker: Broker, mechanism: str) -> None:
    response = {
        "PLAIN": b"\0guest\0guest",
        "AMQPLAIN": b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest",
    }[mechanism]
    client = Client(broker)
    client.greet()
    client.ask(0, spec.ConnectionStartOk({}, mechanism, response), spec.ConnectionTune)
    assert client.server.user == "guest"


@pytest.mark.semantics(10)
def test_a_refused_login_is_told_to_who_understands_that(broker: Broker) -> None:
    client = Client(broker)
    client.greet()
    wrong = client.start_ok()._replace(response=b"\0guest\0wrong")
    text = (
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
        "For details see the broker logfile."
    )
    refused(client, wrong, 403, text, 0, 0)
    assert ("login refused", {"user": "guest", "reason": "wrong password"}) in client.outlet.events
    assert client.send(0, spec.ConnectionCloseOk()) == []
    assert client.server.ending


@pytest.mark.semantics(10)
def test_a_refused_login_is_silence_for_others_and_the_end_after_a_pause(
    broker: Broker, clock: ManualClock
) -> None:
    client = Client(broker, capabilities=())
    client.greet()
    assert client.send(0, client.start_ok()._replace(response=b"\0guest\0wrong")) == []
    clock.advance("2.9s")
    assert client.send(0, spec.ConnectionTuneOk(0, 131_072, 0)) == []
    assert not client.server.ending
    clock.advance("0.1s")
    assert client.server.aborted
    assert client.raw() == b""
    assert client.server.state is CLOSED


@pytest.mark.semantics(11)
def test_guest_does_not_log_in_from_another_machine(broker: Broker) -> None:
    client = Client(broker, peer=Peer(loopback=False))
    client.greet()
    close = client.ask(0, client.start_ok(), spec.ConnectionClose)
    assert close.reply_code == 403


@pytest.mark.semantics(8)
def test_an_unknown_mechanism_is_a_command_that_does_not_exist(broker: Broker) -> None:
    client = Client(broker)
    client.greet()
    text = "COMMAND_INVALID - unknown authentication mechanism 'CRAM-MD5'"
    refused(client, client.start_ok()._replace(mechanism="CRAM-MD5"), 503, text, 10, 11)


@pytest.mark.parametrize("said", [{}, {"capabilities": True}, {"capabilities": {"basic.nack": 1}}])
def test_a_client_understands_only_what_it_says_is_true(broker: Broker, said: Any) -> None:
    client = Client(broker)
    client.greet()
    client.ask(0, client.start_ok(said), spec.ConnectionTune)
    assert client.server.capabilities == frozenset()
    assert client.server.client_properties == said


# -- tuning


@pytest.mark.semantics(4)
def test_what_is_offered(broker: Broker) -> None:
    assert Client(broker).login() == spec.ConnectionTune(2047, 131_072, 60)


@pytest.mark.semantics(4)
def test_the_settings_say_what_is_offered(broker: Broker) -> None:
    settings = ServerSettings(channel_max=0, frame_max=0, heartbeat=7)
    assert Client(broker, settings).login() == spec.ConnectionTune(0, 0, 7)


TOO_MUCH = [
    ((2048, 131_072), "channel_max = 2048 is higher than the maximum allowed value (2047)"),
    ((0, 131_072), "channel_max = 0 is higher than the maximum allowed value (2047)"),
    ((2047, 131_073), "frame_max = 131073 is higher than the maximum allowed value (131072)"),
    ((2047, 0), "frame_max = 0 is higher than the maximum allowed value (131072)"),
    ((2047, 4095), "frame_max = 4095 is lower than the minimum allowed value (4096)"),
    ((2047, 100), "frame_max = 100 is lower than the minimum allowed value (4096)"),
]


@pytest.mark.semantics(5)
@pytest.mark.parametrize(("chosen", "text"), TOO_MUCH)
def test_choosing_what_was_not_offered_is_not_allowed(
    broker: Broker, chosen: tuple[int, int], text: str
) -> None:
    client = Client(broker)
    client.login()
    refused(
        client, spec.ConnectionTuneOk(*chosen, 0), 530, f"NOT_ALLOWED - negotiated {text}", 10, 31
    )


@pytest.mark.semantics(5)
def test_the_least_frame_is_8192_bytes_in_newer_versions(
    make_broker: Callable[..., Broker],
) -> None:
    client = Client(make_broker(profile="rabbitmq-4.2"))
    client.login()
    close = client.ask(0, spec.ConnectionTuneOk(2047, 8191, 0), spec.ConnectionClose)
    assert close.reply_code == 530
    Client(make_broker(profile="rabbitmq-4.2")).open(frame_max=8192)


@pytest.mark.semantics(5)
def test_where_nothing_is_limited_anything_may_be_chosen(broker: Broker) -> None:
    settings = ServerSettings(channel_max=0, frame_max=0)
    for channel_max, frame_max in ((0, 0), (1, 4096), (65535, 2**32 - 1)):
        client = Client(broker, settings).open(1, channel_max=channel_max, frame_max=frame_max)
        client.declare(1, "q")


@pytest.mark.semantics(3)
@pytest.mark.parametrize(("profile", "most"), [("rabbitmq-3.10", 4096), ("rabbitmq-4.2", 8192)])
def test_before_tuning_frames_are_as_short_as_everybody_takes_them(
    make_broker: Callable[..., Broker], profile: str, most: int
) -> None:
    client = Client(make_broker(profile=profile))
    client.greet()
    response = b"\0guest\0guest"
    left = most - 4 - 4 - 6 - 4 - len(response) - 6
    table = b"\x01kS" + (left - 7).to_bytes(4, "big") + bytes(left - 7)
    fields = left.to_bytes(4, "big") + table + b"\x05PLAIN"
    fields += len(response).to_bytes(4, "big") + response + b"\x05en_US"
    whole = raw_method(0, 10, 11, fields)
    assert len(whole) == most + 8
    longer = Client(make_broker(profile=profile))
    longer.greet()
    (said,) = longer.feed(b"\x01\x00\x00" + (most + 1).to_bytes(4, "big") + b"\0\0")
    assert said.method == spec.ConnectionClose(
        501,
        f"FRAME_ERROR - type 1, all octets = <<>>: {{frame_too_large,{most + 1},{most - 8}}}",
        0,
        0,
    )
    (said,) = client.feed(whole)
    assert isinstance(said.method, spec.ConnectionTune)


# -- the virtual host


@pytest.mark.semantics(12)
def test_an_unknown_virtual_host_is_not_allowed(broker: Broker) -> None:
    client = Client(broker)
    client.login()
    client.send(0, spec.ConnectionTuneOk(2047, 131_072, 0))
    refused(
        client, spec.ConnectionOpen("nowhere"), 530, "NOT_ALLOWED - vhost nowhere not found", 10, 40
    )


@pytest.mark.semantics(12)
def test_a_virtual_host_without_permissions_is_not_allowed(broker: Broker) -> None:
    broker.add_vhost("theirs")
    broker.add_user("guest", password="guest")
    broker.set_permissions("guest", "/")
    client = Client(broker)
    client.login()
    client.send(0, spec.ConnectionTuneOk(2047, 131_072, 0))
    text = "NOT_ALLOWED - access to vhost 'theirs' refused for user 'guest'"
    refused(client, spec.ConnectionOpen("theirs"), 530, text, 10, 40)


def test_connecting_to_a_virtual_host_is_told_to_the_log(client: Client, broker: Broker) -> None:
    assert client.outlet.events == [("connected", {"user": "guest", "vhost": "/"})]
    assert len(broker.vhosts["/"].connections) == 1
