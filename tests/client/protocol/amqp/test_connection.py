from __future__ import annotations

import pytest

from minibroker import Broker
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import PROTOCOL_HEADER
from minibroker.wire.amqp.frames import method_frame
from minibroker_client.exceptions import NotImplementedByBroker
from minibroker_client.protocol.amqp.connection import FRAME_MAX, client_properties, sasl_response
from minibroker_client.transport.base import Address

from ..pair import Pair


def test_the_protocol_header_comes_first(broker: Broker) -> None:
    assert Pair(broker).client.take() == PROTOCOL_HEADER


def test_responses_are_those_of_the_mechanisms() -> None:
    plain = Address("amqp", userid="me", password="pw")
    assert sasl_response(plain) == ("PLAIN", b"\0me\0pw")
    assert sasl_response(Address("amqp")) == ("PLAIN", b"\0guest\0guest")
    external = Address("amqp", options={"login_method": "EXTERNAL"})
    assert sasl_response(external) == ("EXTERNAL", b"")
    _, table = sasl_response(Address("amqp", options={"login_method": "AMQPLAIN"}))
    assert b"LOGIN" in table


def test_the_capabilities_are_said() -> None:
    capabilities = client_properties(Address("amqp"))["capabilities"]
    assert capabilities["authentication_failure_close"]
    assert "connection_name" not in client_properties(Address("amqp"))


def test_a_broker_without_limits_gets_ours(broker: Broker) -> None:
    pair = Pair(broker)
    pair.client.receive(method_frame(0, spec.ConnectionStart()))
    pair.client.receive(method_frame(0, spec.ConnectionTune(0, 0, 0)))
    assert pair.client.channel_max == 0xFFFF
    assert pair.client.heartbeat == 0
    assert FRAME_MAX.to_bytes(4, "big") in pair.client.take()


def test_a_mechanism_that_wants_more_is_not_done(broker: Broker) -> None:
    pair = Pair(broker)
    pair.client.receive(method_frame(0, spec.ConnectionSecure(b"?")))
    with pytest.raises(NotImplementedByBroker, match="PLAIN wants more"):
        pair.client.opened.result()
