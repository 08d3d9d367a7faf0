from __future__ import annotations

import pytest

from minibroker import Properties
from minibroker.errors import SyntaxInvalid
from minibroker.properties import PLAIN
from minibroker.server.native.remembered import MOST, SHORT, Remembered
from minibroker.wire.native import pack_properties


def test_the_same_bytes_are_the_same_properties() -> None:
    remembered = Remembered()
    data = pack_properties(Properties(type="x"))
    assert remembered.properties(data) is remembered.properties(bytes(bytearray(data)))
    assert remembered.properties(b"") is PLAIN


def test_long_ones_are_not_remembered_and_many_start_anew() -> None:
    remembered = Remembered()
    long = pack_properties(Properties(headers={"h": "x" * SHORT}))
    assert remembered.properties(long) is not remembered.properties(long)
    first = pack_properties(Properties(type="first"))
    known = remembered.properties(first)
    for number in range(MOST):
        remembered.properties(pack_properties(Properties(type=str(number))))
    assert remembered.properties(first) is not known


def test_what_are_no_properties_is_refused() -> None:
    with pytest.raises(SyntaxInvalid):
        Remembered().properties(b"\xc1")
