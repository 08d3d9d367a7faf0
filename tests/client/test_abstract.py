from __future__ import annotations

import pytest

from minibroker_client import Connection, Exchange, Queue
from minibroker_client.abstract import Entity
from minibroker_client.exceptions import NotBoundError


class Named(Entity):
    attrs = ("name", "parts")
    parts: tuple[Exchange, ...] = (Exchange("a"),)


def test_binding_makes_a_bound_copy(connection: Connection) -> None:
    exchange = Exchange("e")
    channel = connection.channel()
    bound = exchange(channel)
    assert bound is not exchange
    assert not exchange.is_bound
    assert bound.channel is channel
    assert bound.bind(connection).channel is connection.default_channel


def test_an_entity_is_bound_once_only(connection: Connection) -> None:
    one, two = connection.channel(), connection.channel()
    exchange = Exchange("e", channel=one)
    assert exchange.maybe_bind(two) is exchange
    assert exchange.channel is one
    assert not Exchange("e").maybe_bind(None).is_bound


def test_reviving_moves_a_bound_entity_to_another_channel(connection: Connection) -> None:
    one, two = connection.channel(), connection.channel()
    queue, unbound = Queue("q", Exchange("e"), channel=one), Queue("q")
    queue.revive(two)
    unbound.revive(two)
    assert queue.channel is two
    assert queue.exchange is not None
    assert queue.exchange.channel is two
    assert not unbound.is_bound


def test_an_unbound_entity_has_no_channel() -> None:
    with pytest.raises(NotBoundError, match="is not bound to a channel"):
        _ = Queue("q").channel


def test_a_dict_of_it_goes_as_deep_as_asked() -> None:
    named = Named()
    assert named.as_dict() == {"name": "", "parts": (Exchange("a"),)}
    assert named.as_dict(recurse=True)["parts"][0]["name"] == "a"


def test_bound_to_a_connection_it_shows_that(connection: Connection) -> None:
    assert "bound to <Connection: memory://" in repr(Exchange("e")(connection))
