from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.drivers.nats import NatsDriver
from minibroker_client.drivers.nats.wire import APIError
from minibroker_client.parameters import Parameters
from minibroker_client.remote.driver import DriverError

from ....external.servers import NatsServer
from .conftest import declare, outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import trustme

    from minibroker_client.transport.base import Address
else:
    trustme = pytest.importorskip("trustme")


class ConfiguredServer(NatsServer):
    """A server with a file of settings."""

    def configure(self, **settings: Any) -> None:
        # Its format is a superset of JSON.
        (self.directory / "nats.conf").write_text(json.dumps(settings), encoding="utf-8")

    def _command(self) -> list[Any]:
        return [*super()._command(), "-c", self.directory / "nats.conf"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConfiguredServer]:
    server = ConfiguredServer(tmp_path)
    if server.service:
        pytest.skip("a real service has settings of its own")
    yield server
    server.close()


def address_at(port: int, user: str = "") -> Address:
    return Parameters().with_url(f"nats://{user}127.0.0.1:{port}/").address({})


def test_where_nobody_listens_there_is_a_driver_error_at_once() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(DriverError, match=rf"nats://127.0.0.1:{port}.*refused|failed"):
            NatsDriver(address_at(port))


def test_a_server_that_is_silent_is_waited_for_as_long_as_is_allowed() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        address = replace(address_at(bound.getsockname()[1]), connect_timeout=0.2)
        with pytest.raises(DriverError, match="does not answer within 0.2 s"):
            NatsDriver(address)


def test_user_and_password_are_those_of_the_url(server: ConfiguredServer) -> None:
    server.configure(authorization={"user": "me", "password": "secret"})
    server.start()
    for user in ("", "me:wrong@", "token@"):
        with pytest.raises(DriverError, match="Authorization Violation"):
            NatsDriver(address_at(server.port, user))
    NatsDriver(address_at(server.port, "me:secret@")).close()


def test_a_user_without_password_is_a_token(server: ConfiguredServer) -> None:
    server.configure(authorization={"token": "secret"})
    server.start()
    NatsDriver(address_at(server.port, "secret@")).close()


def test_what_is_not_permitted_is_told_at_once(server: ConfiguredServer) -> None:
    allowed = ["$JS.API.>", "$KV.>", "$JS.ACK.>"]
    user = {"user": "me", "password": "secret", "permissions": {"publish": allowed}}
    server.configure(authorization={"users": [user]})
    server.start()
    driver = NatsDriver(address_at(server.port, "me:secret@"))
    declare(driver, "q")
    with pytest.raises(DriverError, match=r"permissions violation for publish to .*minibroker\.q"):
        driver.put([outgoing()])
    driver.close()


def test_tls_checks_the_certificate(server: ConfiguredServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    pem = str(tmp_path / "server.pem")
    server.configure(tls={"cert_file": pem, "key_file": pem})
    server.start()
    plain = address_at(server.port)
    NatsDriver(replace(plain, ssl={"ca_certs": str(tmp_path / "ca.pem")})).close()
    with pytest.raises(DriverError, match="certificate verify failed"):
        NatsDriver(replace(plain, ssl=True))


def test_without_jetstream_it_says_so(tmp_path: Path) -> None:
    class PlainServer(NatsServer):
        def _command(self) -> list[Any]:
            return list(super()._command())[:5]

    server = PlainServer(tmp_path)
    if server.service:
        pytest.skip("a real service has settings of its own")
    server.start()
    try:
        with pytest.raises(APIError, match="is JetStream on"):
            NatsDriver(address_at(server.port))
    finally:
        server.close()


def test_a_message_over_the_servers_limit_is_refused_and_the_others_are_not(
    server: ConfiguredServer,
) -> None:
    server.configure(max_payload=1000)
    server.start()
    driver = NatsDriver(address_at(server.port))
    declare(driver, "q")
    assert driver.features.max_message_size == 1000
    answer = driver.put([outgoing(b"1"), outgoing(b"2" * 990), outgoing(b"3")])
    [refused] = answer.refused
    assert refused[0] == 1
    assert "NATS takes 1000" in refused.reason
    assert [each.message.body for each in driver.lease([("q", 5)], 0)] == [b"1", b"3"]
    driver.close()
