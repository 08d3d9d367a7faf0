"""The arguments that every exchange has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.arguments import parse_exchange
from minibroker.errors import PreconditionFailed

if TYPE_CHECKING:
    from minibroker.fields import FieldValue


def test_an_alternate_exchange_is_a_name() -> None:
    assert parse_exchange("x", {}) is None
    assert parse_exchange("x", {"x-mine": 5}) is None
    assert parse_exchange("x", {"alternate-exchange": "other"}) == "other"


@pytest.mark.parametrize(("value", "kind"), [(5, "signedint"), (None, "void"), ([], "array")])
def test_an_alternate_exchange_of_another_type_is_refused(value: FieldValue, kind: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        parse_exchange("x", {"alternate-exchange": value}, "v")
    assert str(caught.value) == (
        f"invalid type '{kind}' for arg 'alternate-exchange' in exchange 'x' in vhost 'v'"
    )
