"""Where a broker is."""

from __future__ import annotations

import pytest

from minibroker.differential.address import Address


def test_an_address_has_five_parts() -> None:
    address = Address.parse("amqp://me:p%40ss@[::1]:5673/my%2Fvhost")
    assert address == ("::1", 5673, "me", "p@ss", "my/vhost")


def test_what_is_missing_is_as_rabbitmq_has_it() -> None:
    assert Address.parse("amqp://localhost") == ("localhost", 5672, "guest", "guest", "/")
    assert Address.parse("amqp://localhost/") == ("localhost", 5672, "guest", "guest", "/")


@pytest.mark.parametrize("url", ["http://localhost", "amqp://", "localhost:5672", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not amqp://host"):
        Address.parse(url)
