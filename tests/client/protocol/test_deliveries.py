from __future__ import annotations

from minibroker import Properties
from minibroker_client.protocol.deliveries import Delivered, Route, Subscription


def test_properties_are_decoded_once_when_somebody_looks() -> None:
    decoded: list[bytes] = []

    def decode(data: bytes) -> Properties:
        decoded.append(data)
        return Properties(type="x")

    route = Route("e", "k", b"raw", decode)
    delivered = Delivered(7, True, route, b"body", Subscription("t", print))
    assert decoded == []
    assert delivered.properties.type == "x"
    assert delivered.properties is route.properties
    assert decoded == [b"raw"]


def test_a_delivery_is_its_own_message() -> None:
    delivered = Delivered(7, False, Route("e", "k", b"", lambda _: Properties()), b"body")
    assert delivered.message is delivered
    assert (delivered.exchange, delivered.routing_key, delivered.body) == ("e", "k", b"body")
    assert delivered.consumer is None
