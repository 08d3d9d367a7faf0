from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from minibroker_client.transport.base import Address
from minibroker_client.transport.dialling import dial, explained, server_name, shown, tls_context


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address("amqp"), "amqp://localhost//"),
        (Address("amqp", "h", 5, "me", "secret", "v"), "amqp://me:**@h:5/v"),
        (Address("amqps", "::1", 5, "m@", None, "a/b c"), "amqps://m%40@[::1]:5/a/b%20c"),
        (Address("amqp", "/tmp/s.sock"), "amqp://%2Ftmp%2Fs.sock//"),
    ],
)
def test_an_address_is_shown_without_its_password(address: Address, url: str) -> None:
    assert shown(address) == url


def test_a_unix_socket_is_dialled_by_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        dial(Address("amqp", path), 5672, tls=False).close()
    with pytest.raises(OSError, match="cannot connect to amqp://"):
        dial(Address("amqp", str(tmp_path / "nobody.sock")), 5672, tls=False)


def test_errors_keep_their_kind_and_say_more() -> None:
    error = explained(ConnectionRefusedError(111, "Connection refused"), "to x")
    assert isinstance(error, ConnectionRefusedError)
    assert str(error) == "[Errno 111] to x: Connection refused"
    assert isinstance(explained(TimeoutError("t"), "to x"), TimeoutError)
    assert str(explained(OSError("odd"), "to x")) == "to x: odd"
    assert "to x" in str(explained(ssl.SSLError(1, "bad"), "to x"))


def test_the_context_is_as_strict_as_python_makes_it_unless_told_otherwise() -> None:
    context = tls_context(True)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    loose = tls_context({"cert_reqs": ssl.CERT_NONE})
    assert (loose.verify_mode, loose.check_hostname) == (ssl.CERT_NONE, False)
    assert tls_context({"context": loose}) is loose
    with pytest.raises(ValueError, match="unknown TLS option 'colour'"):
        tls_context({"colour": 1})
    with pytest.raises(OSError, match=r"No such file|nowhere"):
        tls_context({"certfile": "nowhere.pem"})


def test_the_name_that_a_certificate_has_to_have() -> None:
    assert server_name(Address("amqps", "host")) == "host"
    assert server_name(Address("amqps", "host", ssl={"server_hostname": "other"})) == "other"
    assert server_name(Address("amqps", "/tmp/s.sock")) == "localhost"
    assert server_name(Address("amqps")) == "localhost"
