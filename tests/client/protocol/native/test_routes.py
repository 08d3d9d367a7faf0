from __future__ import annotations

import pytest

from minibroker import Properties
from minibroker.wire.native import pack_properties
from minibroker_client.exceptions import SyntaxInvalid
from minibroker_client.protocol.native.routes import REMEMBERED, SHORT, Routes, decoded


def test_the_same_three_fields_are_the_same_route() -> None:
    routes = Routes()
    route = routes.of(["e", "k", b"", False])
    assert routes.of(["e", "k", b"", True]) is route
    assert routes.of(["e", "l", b"", False]) is not route
    assert route.properties == Properties()


def test_long_ones_are_not_remembered_and_many_start_anew() -> None:
    routes = Routes()
    long = pack_properties(Properties(headers={"h": "x" * SHORT}))
    assert routes.of(["e", "k", long]) is not routes.of(["e", "k", long])
    first = routes.of(["first", "k", b""])
    for number in range(REMEMBERED):
        routes.of(["e", str(number), b""])
    assert routes.of(["first", "k", b""]) is not first


def test_what_are_no_properties_is_refused_when_somebody_looks() -> None:
    route = Routes().of(["e", "k", b"\xc1"])
    with pytest.raises(SyntaxInvalid):
        _ = route.properties
    with pytest.raises(SyntaxInvalid):
        decoded(b"\xc1")
