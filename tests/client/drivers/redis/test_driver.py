from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import redis

from minibroker_client import Connection, exceptions
from minibroker_client.drivers.redis import FEATURES, RedisDriver, transport
from minibroker_client.remote.driver import DriverError
from minibroker_client.transport import get_transport

from ....interop.servers import free_ports
from ...remote.places import server_of
from .conftest import bodies, declare, lease, outgoing, put

if TYPE_CHECKING:
    from minibroker_client.transport.base import Address

    from .conftest import Opened


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What redis-py is told; it does not connect."""
    told: dict[str, Any] = {}

    class Recorder(redis.Redis):
        def __init__(self, **named: Any) -> None:
            told.update(named)
            super().__init__(**named)

        def ping(self, **_: Any) -> Any:
            return True

    monkeypatch.setattr(redis, "Redis", Recorder)
    return told


def test_both_schemes_are_this_transport() -> None:
    assert get_transport("redis") is transport
    assert get_transport("rediss") is transport
    assert transport.default_port == 6379


@pytest.mark.parametrize(("virtual_host", "number"), [("/", 0), ("", 0), ("3", 3), ("/3", 3)])
def test_the_virtual_host_is_the_number_of_the_database(
    address: Address, said: dict[str, Any], virtual_host: str, number: int
) -> None:
    RedisDriver(replace(address, virtual_host=virtual_host)).close()
    assert said["db"] == number


@pytest.mark.parametrize("name", ["orders", "-1", "1.5"])
def test_a_virtual_host_that_is_no_number_is_refused_by_name(address: Address, name: str) -> None:
    with pytest.raises(ValueError, match=f"number of a database, .* not '{name}'"):
        RedisDriver(replace(address, virtual_host=name))


def test_databases_are_apart(address: Address, opened: Opened) -> None:
    first = opened()
    declare(first)
    other = RedisDriver(replace(address, virtual_host="1"))
    declare(other)
    put(other, b"in 1")
    assert lease(first) == []
    assert bodies(lease(other)) == [b"in 1"]
    other.client.flushdb()
    other.close()


def test_who_logs_in_and_how_long_connecting_takes_are_passed_on(
    address: Address, said: dict[str, Any]
) -> None:
    RedisDriver(replace(address, userid="me", password="secret", connect_timeout=7)).close()
    assert (said["username"], said["password"]) == ("me", "secret")
    assert said["socket_connect_timeout"] == 7
    assert "ssl" not in said


@pytest.mark.parametrize(
    ("scheme", "ssl", "expected"),
    [
        ("rediss", False, {"ssl": True}),
        ("valkeys", False, {"ssl": True}),
        ("valkey", False, {}),
        ("redis", True, {"ssl": True}),
        (
            "rediss",
            {"ca_certs": "ca.pem", "ssl_check_hostname": False},
            {"ssl": True, "ssl_ca_certs": "ca.pem", "ssl_check_hostname": False},
        ),
    ],
)
def test_tls_is_asked_for_by_the_scheme_or_the_option_and_may_have_settings(
    address: Address, said: dict[str, Any], scheme: str, ssl: Any, expected: dict[str, Any]
) -> None:
    RedisDriver(replace(address, transport=scheme, ssl=ssl)).close()
    assert {name: value for name, value in said.items() if name.startswith("ssl")} == expected


def test_a_lease_and_a_prefix_are_options(opened: Opened) -> None:
    driver = opened(lease="2.5")
    assert driver.lease_seconds == 2.5
    assert opened().lease_seconds == 30
    declare(driver)
    assert driver.client.exists(f"{driver.prefix}:{{q}}")


def test_an_argument_that_is_not_known_leaves_no_queue(address: Address) -> None:
    link = get_transport("redis").connect(address)
    channel: Any = link.channel(None)  # type: ignore[arg-type]  # nothing is reported
    with pytest.raises(ValueError, match="x-redis-layout"):
        channel.declare_queue("q", arguments={"x-redis-layout": "list"})
    with pytest.raises(exceptions.NotFound):
        channel.declare_queue("q", passive=True)
    link.close()


def test_a_server_that_is_not_there_is_a_driver_error(address: Address) -> None:
    nowhere = replace(address, port=free_ports(1)[0])
    with pytest.raises(DriverError, match="^Redis: "):
        RedisDriver(nowhere)
    url = f"redis://127.0.0.1:{nowhere.port}/0"
    with pytest.raises(exceptions.ConnectionForced, match="Redis"), Connection(url) as connection:
        connection.connect()


def test_a_key_of_another_type_is_a_driver_error(opened: Opened) -> None:
    driver = opened()
    driver.client.set(f"{driver.prefix}:{{q}}", "of another program")
    with pytest.raises(DriverError, match="WRONGTYPE"):
        declare(driver)


def test_a_script_that_the_server_forgot_is_sent_again(opened: Opened) -> None:
    driver = opened()
    declare(driver)
    put(driver, b"1")
    lease(driver)
    driver.client.script_flush()
    driver.put([outgoing(b"2"), outgoing(b"later", 1), outgoing(b"3")])
    assert bodies(lease(driver, 1)) == [b"2"]


def test_queues_are_leased_from_together(opened: Opened) -> None:
    driver = opened()
    declare(driver, "q")
    declare(driver, "r")
    one = outgoing(b"1")
    driver.put([one, one._replace(queue="r")])
    leased = driver.lease([("q", 5), ("not known", 5), ("r", 5)], 0)
    assert [each.queue for each in leased] == ["q", "r"]
    assert driver.ack(leased) == []


def test_settling_what_was_in_a_deleted_queue_does_nothing(opened: Opened) -> None:
    driver = opened()
    declare(driver)
    put(driver, b"1")
    leased = lease(driver)
    driver.delete("q")
    driver.delete("q")
    assert driver.ack(leased) == []
    assert driver.lease([("q", 1)], 60) == []


def test_a_large_body_of_any_bytes_travels(opened: Opened) -> None:
    driver = opened()
    declare(driver)
    body = bytes(range(256)) * 4096 * 8
    driver.put([outgoing(body)])
    assert bodies(lease(driver)) == [body]
    assert FEATURES.max_message_size > len(body)


def test_what_was_leased_still_is_after_a_restart_of_the_server(opened: Opened) -> None:
    driver = opened()
    declare(driver)
    put(driver, b"held", b"ready")
    leased = lease(driver, 1)
    server_of("redis").restart()
    assert bodies(lease(driver)) == [b"ready"]
    assert driver.ack(leased) == []
