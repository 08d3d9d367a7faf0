"""`minibroker serve` as a process: what it says, who gets in, and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker.wire.amqp import spec

from .served import Client, Served, environment

if TYPE_CHECKING:
    import trustme
else:
    trustme = pytest.importorskip("trustme")


def refused(*arguments: str, **variables: str) -> str:
    """What a process says that cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "minibroker", "serve", *arguments],
        capture_output=True,
        text=True,
        env=environment(**variables),
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def code_of(method: object) -> int:
    assert isinstance(method, spec.ConnectionClose), method
    return method.reply_code


def test_it_says_where_it_is_ready_serves_and_ends_with_0_on_a_signal() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with Served() as served:
            assert served.ready == f"ready amqp://127.0.0.1:{served.port}/\n"
            with Client(served.port) as client, Client(served.port, host="::1"):
                made = client.call(spec.QueueDeclare("jobs"))
                assert made == spec.QueueDeclareOk("jobs", 0, 0)
                served.process.send_signal(number)
                told = client.next()
                client.send(0, spec.ConnectionCloseOk())
            log = served.ended()
            status = served.process.returncode
            assert code_of(told) == 320
            assert isinstance(told, spec.ConnectionClose)
            assert "CONNECTION_FORCED - broker forced connection closure" in told.reply_text
            assert status == 0
            assert f"{number.name}: stopping" in log
            assert "connected user='guest' vhost='/'" in log


def test_a_second_signal_ends_it_at_once() -> None:
    with Served() as served, Client(served.port):
        served.process.send_signal(signal.SIGTERM)
        served.line("stopping")
        status, _ = served.end()  # the client does not answer
        assert status == 1


def test_what_is_durable_is_there_after_a_signal(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    for fsync in ("always", "interval:1000", "never"):
        with Served("--data", data, "--fsync", fsync) as served:
            with Client(served.port) as client:
                client.call(spec.QueueDeclare(fsync, durable=True))
            assert served.end()[0] == 0
    with Broker(data=data) as broker:
        assert {"always", "interval:1000", "never"} <= set(broker.vhosts["/"].queues)


def test_options_come_from_the_environment_and_a_file(tmp_path: Path) -> None:
    config = tmp_path / "broker.toml"
    path = str(tmp_path / "broker.sock")
    config.write_text(
        f"""
        profile = "rabbitmq-3.10"
        vhost = ["test"]
        [[listen]]
        unix = "{path}"
        [[users]]
        name = "ann"
        password = "secret"
        [users.permissions]
        "test" = {{ read = ".*" }}
        """
    )
    with Served(MINIBROKER_CONFIG=str(config), MINIBROKER_CHANNEL_MAX="1") as served:
        with Client(served.port, user="guest") as guest:
            assert code_of(guest.opened) == 403
        with Client(served.port, user="ann", password="secret") as ann:
            assert code_of(ann.opened) == 530
        with Client(0, user="ann", password="secret", vhost="test", path=path) as ann:
            closed = ann.call(spec.QueueDeclare("x"))
            assert isinstance(closed, spec.ChannelClose)
            assert closed.reply_text == (
                "ACCESS_REFUSED - access to queue 'x' in vhost 'test' refused for user 'ann'"
            )
            ann.send(2, spec.ChannelOpen())
            assert code_of(ann.next()) == 530
        assert "login refused" in served.line("login refused")
        served.end()
    assert not Path(path).exists()


def test_users_of_the_command_line_may_do_everything() -> None:
    with Served("--user", "ann:a", "--user", "bob:b", "--vhost", "mine") as served:
        for name in ("ann", "bob"):
            with Client(served.port, user=name, password=name[0], vhost="mine") as client:
                assert isinstance(client.call(spec.QueueDeclare("q")), spec.QueueDeclareOk)
        with Client(served.port) as guest:
            assert code_of(guest.opened) == 403


def test_the_log_is_json_on_demand() -> None:
    with Served("--log-format", "json") as served:
        with Client(served.port, user="nobody"):
            pass
        told = json.loads(served.line("login refused"))
        assert (told["event"], told["user"]) == ("login refused", "nobody")
        assert told["reason"] == "no such user"
        assert told["peer"].startswith("127.0.0.1:")
        assert "guest" not in told["message"]


def test_limits_are_kept() -> None:
    with (
        Served("--max-connections", "1", "--max-queues", "1") as served,
        Client(served.port) as client,
        Client(served.port) as other,
    ):
        assert code_of(other.opened) == 530
        assert isinstance(client.call(spec.QueueDeclare("a")), spec.QueueDeclareOk)
        assert isinstance(client.call(spec.QueueDeclare("b")), spec.ChannelClose)


def test_a_port_in_use_is_one_line_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("--port", port)
    assert said == (
        f"minibroker: cannot listen on localhost:{port}: Address already in use (another program "
        "listens there: take another --port, or 0 for a free one)\n"
    )


def test_a_directory_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with Broker(data=data):
        assert "in use" in refused("--data", data) or "open" in refused("--data", data)
    (tmp_path / "file").write_text("x")
    assert "file cannot be used: " in refused("--data", str(tmp_path / "file"))


def test_a_damaged_log_is_one_line_that_names_the_command_to_look_at_it(tmp_path: Path) -> None:
    with Broker(data=tmp_path) as broker:
        broker.add_vhost("x")
    for each in tmp_path.glob("*.checkpoint"):
        content = bytearray(each.read_bytes())
        content[len(content) // 2] ^= 1
        each.write_bytes(content)
    for each in tmp_path.glob("*.segment"):
        content = bytearray(each.read_bytes())
        content[100] ^= 1
        each.write_bytes(content)
    said = refused("--data", str(tmp_path), "--port", "0")
    assert f"`minibroker log check {tmp_path}` tells more" in said


def test_wrong_options_are_one_line() -> None:
    assert "--port: 'x'" in refused("--port", "x")
    assert "MINIBROKER_PORT: 'x'" in refused(MINIBROKER_PORT="x")
    assert "--tls-key is of no use without --tls-cert" in refused("--tls-key", "x")
    assert "no certificate with its key in nowhere" in refused("--tls-cert", "nowhere")
    assert "cannot be read" in refused("--config", "nowhere.toml")


# -- TLS


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
        assert "Traceback" not in log


def test_uvloop_is_used_where_it_is_asked_for_and_there() -> None:
    with Served("--loop", "asyncio") as served, Client(served.port) as client:
        assert isinstance(client.opened, spec.ConnectionOpenOk)
    pytest.importorskip("uvloop")
    with Served("--loop", "uvloop") as served, Client(served.port) as client:
        assert isinstance(client.opened, spec.ConnectionOpenOk)


def test_the_command_of_the_readme_is_installed() -> None:
    assert shutil.which("minibroker", path=str(Path(sys.executable).parent)) is not None
