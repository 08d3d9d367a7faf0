from __future__ import annotations

import pytest

from minibroker_client import parse_url
from minibroker_client.parameters import Parameters


class Embedded:
    def connect(self, vhost: str = "/", user: str = "guest") -> None:
        """A stand-in: it is only named here."""


def test_a_url_has_kombus_parts() -> None:
    assert parse_url("amqp://me:s%20ecret@Host:5673/v%2Fhost?heartbeat=2.5&connect_timeout=1") == {
        "transport": "amqp", "hostname": "Host", "port": 5673, "userid": "me",
        "password": "s ecret", "virtual_host": "v/host", "heartbeat": 2.5, "connect_timeout": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "virtual_host"),
    [("memory://a", None), ("memory://a/", None), ("memory://a//", "/"), ("memory://a/b", "b")],
)
def test_the_path_without_its_first_slash_is_the_virtual_host(
    url: str, virtual_host: str | None
) -> None:
    assert parse_url(url)["virtual_host"] == virtual_host


def test_names_keep_their_case_and_addresses_their_colons() -> None:
    assert parse_url("memory://MyName")["hostname"] == "MyName"
    assert parse_url("memory://")["hostname"] == ""
    assert parse_url("amqp://[::1]:5672/")["hostname"] == "::1"


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="'colour' in broker URL; there is: connect_timeout"):
        parse_url("memory://?colour=red")
    with pytest.raises(ValueError, match="heartbeat of broker URL is not a number: 'often'"):
        parse_url("memory://?heartbeat=often")


def test_a_url_wins_over_what_was_there() -> None:
    given = Parameters("a", "me", "secret", "v", 1)
    changed = given.with_url("memory://you@b/w")
    assert changed == Parameters("b", "you", "secret", "w", 1, transport="memory")
    assert given.with_url("c") == Parameters("c", "me", "secret", "v", 1)


def test_a_password_may_be_asked_for() -> None:
    passwords = iter(["one", "two", "three"])
    parameters = Parameters("a", "me", lambda: next(passwords), transport="memory")
    assert parameters.address({}).password == "one"
    assert parameters.address({"x": 1}).password == "two"
    assert parameters.as_uri() == "memory://me:**@a//"
    assert parameters.as_uri(include_password=True) == "memory://me:three@a//"


def test_a_url_comes_back_from_its_parts() -> None:
    for url in ("amqp://me:p%2Fw@host:5672/v", "memory://a//", "memory:////", "amqp://me@h/v%20w"):
        assert Parameters().with_url(url).as_uri(include_password=True) == url
    assert Parameters(None).as_uri() == "amqp:////"
    assert Parameters("a", None, "p").as_uri(mask="x") == "amqp://:x@a//"
    assert (
        Parameters(None, transport="memory", broker=Embedded()).as_uri() == "memory://<Embedded>//"
    )


def test_what_leads_to_the_same_place_has_the_same_identity() -> None:
    broker, other = Embedded(), Embedded()
    assert Parameters("a").identity() == Parameters("a", heartbeat=5).identity()
    assert Parameters("a").identity() != Parameters("b").identity()
    assert Parameters(broker=broker).identity() == Parameters(broker=broker).identity()
    assert Parameters(broker=broker).identity() != Parameters(broker=other).identity()
