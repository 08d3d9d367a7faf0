"""Where the command listens: ports, Unix sockets, and TLS with its certificates."""

from __future__ import annotations

import signal
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.cli.listeners import Listeners
from minibroker.cli.options import OptionError, collect
from minibroker.wire.amqp import spec

from .served import Client, Served, code_of, refused

if TYPE_CHECKING:
    from pathlib import Path

    import trustme
else:
    trustme = pytest.importorskip("trustme")


def places(**values: Any) -> list[tuple[str | None, int | None, str | None, str | None]]:
    listeners = Listeners({**collect({}, {}), **values})
    return [
        (each["host"], each["port"], each["unix"], each["tls-cert"]) for each in listeners.places
    ]


def test_each_place_is_listened_at_and_a_unix_socket_without_tls() -> None:
    default = ("localhost", 5672, None, None)
    assert places() == [default]
    assert places(unix="u", **{"tls-cert": "c"}) == [
        ("localhost", 5672, None, "c"),
        ("localhost", 5672, "u", None),
    ]
    assert places(listen=[{"host": "*", "port": 1}, {"unix": "v"}]) == [
        default,
        ("*", 1, None, None),
        ("localhost", 5672, "v", None),
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"host": "*"}, "a port or unix is wanted"),
        ({}, "a port or unix is wanted"),
        ({"unix": "u", "tls-cert": "c"}, "with unix no other key is of use"),
    ],
)
def test_a_table_that_is_no_place_is_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        places(listen=[table])


def test_a_place_that_cannot_be_listened_at_is_one_line(tmp_path: Path) -> None:
    assert "a..b:0: that is no name of a host" in refused("--port", "0", "--host", "a..b")
    missing = str(tmp_path / "nowhere" / "s")
    assert f"{missing}: No such file" in refused("--port", "0", "--unix", missing)
    path = str(tmp_path / "s")
    with Served("--unix", path):
        said = refused("--port", "0", "--unix", path)
    assert said == (
        f"minibroker: cannot listen on {path}: Address already in use (another program listens "
        "there: take another path)\n"
    )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if name is not None:
        authority.issue_cert("client@localhost", common_name=name).configure_cert(context)
    return context


def test_with_a_certificate_it_speaks_tls_and_reloads_it_on_sighup(
    authority: trustme.CA, tmp_path: Path
) -> None:
    pem, users = tmp_path / "server.pem", tmp_path / "users.toml"
    first, second = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    first.private_key_and_cert_chain_pem.write_to_path(pem)
    users.write_text("[[users]]\nname = 'ann'\npassword = 'a'")
    with Served("--tls-cert", str(pem), "--config", str(users)) as served:
        assert served.url == f"amqps://127.0.0.1:{served.port}/"
        with Client(served.port, user="ann", password="a", tls=trusting(authority)) as before:
            serial = serial_of(before)
            second.private_key_and_cert_chain_pem.write_to_path(pem)
            users.write_text("[[users]]\nname = 'bob'\npassword = 'b'")
            served.process.send_signal(signal.SIGHUP)
            served.line("users loaded again")
            assert code_of(before.next()) == 320  # ann is gone
        with Client(served.port, user="bob", password="b", tls=trusting(authority)) as after:
            assert serial_of(after) != serial
            assert isinstance(after.call(spec.QueueDeclare("q")), spec.QueueDeclareOk)
        pem.write_text("broken")
        users.write_text("users = 5")
        served.process.send_signal(signal.SIGHUP)
        assert "the certificate from before is used" in served.line("certificate from before")
        assert "users stay as they were" in served.line("users stay")
        with Client(served.port, user="bob", password="b", tls=trusting(authority)) as still:
            assert isinstance(still.opened, spec.ConnectionOpenOk)


def serial_of(client: Client) -> str:
    assert isinstance(client.socket, ssl.SSLSocket)
    certificate = client.socket.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


def test_a_client_logs_in_with_its_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    pem, ca = tmp_path / "server.pem", tmp_path / "ca.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    authority.cert_pem.write_to_path(ca)
    arguments = ["--tls-cert", str(pem), "--tls-ca", str(ca), "--user", "ann:a"]
    with Served(*arguments) as served:
        with Client(served.port, mechanism="EXTERNAL", tls=trusting(authority, "ann")) as ann:
            assert isinstance(ann.opened, spec.ConnectionOpenOk)
        with Client(served.port, mechanism="EXTERNAL", tls=trusting(authority, "eve")) as eve:
            assert code_of(eve.opened) == 403
        with pytest.raises((OSError, EOFError)):
            Client(served.port, user="ann", password="a", tls=trusting(authority))
    with (
        Served(*arguments, "--tls-verify", "optional") as served,
        Client(served.port, user="ann", password="a", tls=trusting(authority)) as ann,
    ):
        assert isinstance(ann.opened, spec.ConnectionOpenOk)


def test_plain_bytes_on_a_tls_port_harm_nobody(authority: trustme.CA, tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    with Served("--tls-cert", str(pem)) as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as plain:
            plain.sendall(b"AMQP\x00\x00\x09\x01")
            with suppress(ConnectionError):
                plain.recv(100)
        with Client(served.port, tls=trusting(authority)) as client:
            assert isinstance(client.opened, spec.ConnectionOpenOk)
        _, log = served.end()
        assert "TLS handshake failed reason=" in log
        assert "Traceback" not in log


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_authority_that_is_taken_away_lets_nobody_in_any_more(
    authority: trustme.CA, tmp_path: Path, loop: str
) -> None:
    pytest.importorskip(loop)
    pem, ca, other = tmp_path / "server.pem", tmp_path / "ca.pem", trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    authority.cert_pem.write_to_path(ca)
    arguments = ["--tls-cert", str(pem), "--tls-ca", str(ca), "--user", "ann:a", "--loop", loop]
    with Served(*arguments) as served:
        before = trusting(authority, "ann")
        with Client(served.port, mechanism="EXTERNAL", tls=before) as ann:
            assert isinstance(ann.opened, spec.ConnectionOpenOk)
            other.cert_pem.write_to_path(ca)
            served.process.send_signal(signal.SIGHUP)
            served.line("loaded again")
            assert isinstance(ann.call(spec.QueueDeclare("q")), spec.QueueDeclareOk)
        with pytest.raises((OSError, EOFError)):
            Client(served.port, mechanism="EXTERNAL", tls=before)
        assert "certificate verify failed" in served.line("TLS handshake failed")
        after = trusting(authority)
        other.issue_cert("c@localhost", common_name="ann").configure_cert(after)
        with Client(served.port, mechanism="EXTERNAL", tls=after) as ann:
            assert isinstance(ann.opened, spec.ConnectionOpenOk)
