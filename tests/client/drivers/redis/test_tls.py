"""`rediss://` with a real handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme

from minibroker_client import Connection
from minibroker_client.exceptions import ConnectionForced

from ....external.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class SecureRedis(RedisServer):
    """Redis that speaks TLS alone, with a certificate of an authority of its own."""

    def _command(self) -> Sequence[str | Path]:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.directory / "ca.pem"))
        authority.issue_cert(self.host).private_key_and_cert_chain_pem.write_to_path(
            str(self.directory / "server.pem")
        )
        own = self.directory / "server.pem"
        files: list[str | Path] = ["--tls-cert-file", own, "--tls-key-file", own]
        authorities = self.directory / "ca.pem"
        checks: list[str | Path] = ["--tls-ca-cert-file", authorities, "--tls-auth-clients", "no"]
        plain = [*super()._command()]
        return [*plain, "--port", "0", "--tls-port", str(self.port), *files, *checks]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SecureRedis]:
    server = SecureRedis(tmp_path)
    if server.service:
        pytest.skip("a real service has its own certificate")
    server.start()
    yield server
    server.close()


def test_messages_travel_when_the_authority_is_known(server: SecureRedis) -> None:
    url = f"rediss://{server.host}:{server.port}/0"
    with Connection(url, ssl={"ca_certs": str(server.directory / "ca.pem")}) as connection:
        queue = connection.SimpleQueue("q")
        queue.put("secret")
        message = queue.get(timeout=10)
        assert message.payload == "secret"
        message.ack()


def test_a_server_of_an_unknown_authority_is_refused(server: SecureRedis) -> None:
    connection = Connection(f"rediss://{server.host}:{server.port}/0")
    with pytest.raises(ConnectionForced, match="certificate verify failed"):
        connection.connect()
