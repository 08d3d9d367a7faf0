"""Connections that cannot be made, or fall silent: found, and told clearly."""

from __future__ import annotations

import ssl
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import trustme

from minibroker.gate import MEMORY
from minibroker.server.tls import server_context
from minibroker_client import Connection, Queue
from minibroker_client.exceptions import (
    AccessRefused,
    ConnectionLost,
    FrameInvalid,
    OperationalError,
    PublisherBlocked,
)
from minibroker_client.pools import producers, reset

from .proxy import answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from minibroker import Broker
    from minibroker.server import HostedServer

    from .proxy import Proxy

SECONDS = 20.0
SECRET = "s3cret"


def test_a_silent_broker_is_found_by_its_missing_heartbeats(proxy: Proxy, scheme: str) -> None:
    with Connection(f"{proxy.url(scheme)}?heartbeat=1") as connection:
        channel = connection.default_channel
        channel.declare_queue("q")
        proxy.deaf = True
        with pytest.raises(ConnectionLost, match=r"nothing came for 2 seconds, heartbeats"):
            connection.drain_events(timeout=SECONDS)
        assert not connection.connected


def test_heartbeats_need_no_help_from_who_is_busy(proxy: Proxy, scheme: str) -> None:
    with Connection(f"{proxy.url(scheme)}?heartbeat=1") as connection:
        queue = Queue("q", durable=False)
        stop = threading.Event()
        with connection.Consumer(queue, callbacks=[lambda _, message: message.ack()]):
            connection.Producer().publish("x", routing_key="q")
            connection.drain_events(timeout=SECONDS)
            stop.wait(3.2)  # busy with a message, for longer than the broker waits
            connection.heartbeat_check()
            connection.Producer().publish("y", routing_key="q")
            connection.drain_events(timeout=SECONDS)


def test_nobody_at_the_port(scheme: str) -> None:
    url = f"{scheme}://me:{SECRET}@127.0.0.1:1/v"
    with pytest.raises(
        ConnectionRefusedError, match=f"{scheme}://me:\\*\\*@127.0.0.1:1/v"
    ) as caught:
        Connection(url).connect()
    assert SECRET not in str(caught.value)
    with pytest.raises(OperationalError, match=r"me:\*\*@"):
        Connection(url).ensure_connection(max_retries=1, interval_start=0)


def test_a_name_that_is_none(scheme: str) -> None:
    with pytest.raises(OSError, match=f"cannot connect to {scheme}://nowhere.invalid"):
        Connection(f"{scheme}://nowhere.invalid").connect()


def test_a_refused_login(real_broker: Broker, scheme: str) -> None:
    with real_broker.listen() as server:
        port = urlsplit(server.url).port
        url = f"{scheme}://guest:{SECRET}@127.0.0.1:{port}/"
        with pytest.raises(AccessRefused, match=r"Login was refused.*guest:\*\*@") as caught:
            Connection(url).connect()
        assert SECRET not in str(caught.value)
        assert caught.value.reply_code == 403


def test_something_else_at_the_port(scheme: str) -> None:
    listener, port = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with listener, pytest.raises(FrameInvalid, match=f"HTTP/1.*127.0.0.1:{port}"):
        Connection(f"{scheme}://127.0.0.1:{port}").connect()


def test_somebody_who_says_nothing(scheme: str) -> None:
    listener, port = answering(b"")
    url = f"{scheme}://127.0.0.1:{port}?connect_timeout=0.2"
    with listener, pytest.raises(TimeoutError, match=f"{scheme}://.* did not answer within 0.2"):
        Connection(url).connect()


def test_a_broker_that_hangs_up_during_the_handshake(proxy: Proxy, scheme: str) -> None:
    proxy.refusing = True
    with pytest.raises(ConnectionLost, match="the broker closed it|reset"):
        Connection(proxy.url(scheme)).connect()


# -- TLS


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(
    real_broker: Broker, authority: trustme.CA, tmp_path: Path
) -> Iterator[Callable[..., HostedServer]]:
    """`secure(name)`: a server with a certificate for a name."""
    servers: list[HostedServer] = []

    def serve(name: str = "localhost") -> HostedServer:
        certificate = authority.issue_cert(name)
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        certificate.cert_chain_pems[0].write_to_path(str(cert))
        certificate.private_key_pem.write_to_path(str(key))
        servers.append(real_broker.listen(tls=server_context(str(cert), str(key))))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def tls_url(server: HostedServer, scheme: str) -> str:
    return f"{scheme}s://localhost:{urlsplit(server.url).port}/"


def test_tls_works_with_the_right_authority(
    secure: Callable[..., HostedServer], authority: trustme.CA, tmp_path: Path, scheme: str
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    url = tls_url(secure(), scheme)
    got: list[Any] = []
    with (
        Connection(url, ssl={"ca_certs": str(tmp_path / "ca.pem")}) as connection,
        connection.Consumer(Queue("q"), callbacks=[lambda body, _: got.append(body)]),
    ):
        connection.Producer().publish(bytes(300_000), routing_key="q")
        connection.Producer().publish(b"small", routing_key="q")
        while len(got) < 2:
            connection.drain_events(timeout=SECONDS)
    assert [len(body) for body in got] == [300_000, 5]


def test_an_unknown_authority_is_refused(secure: Callable[..., HostedServer], scheme: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=f"no TLS connection to {scheme}s://"):
        Connection(tls_url(secure(), scheme)).connect()


def test_a_certificate_for_another_name_is_refused(
    secure: Callable[..., HostedServer], authority: trustme.CA, tmp_path: Path, scheme: str
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    options = {"ca_certs": str(tmp_path / "ca.pem")}
    url = tls_url(secure("elsewhere.example"), scheme)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        Connection(url, ssl=options).connect()
    with Connection(url, ssl={**options, "server_hostname": "elsewhere.example"}) as connection:
        connection.connect()


def test_tls_to_a_port_without_it_and_the_other_way_round(
    secure: Callable[..., HostedServer], proxy: Proxy, scheme: str
) -> None:
    with pytest.raises(OSError, match=f"{scheme}s://"):
        Connection(proxy.url(f"{scheme}s")).connect()
    plain = tls_url(secure(), scheme).replace(f"{scheme}s", scheme, 1)
    with pytest.raises((OSError, ConnectionLost, FrameInvalid), match=f"{scheme}://"):
        Connection(f"{plain}?connect_timeout=2").connect()


def test_an_unknown_tls_option_is_named(scheme: str) -> None:
    with pytest.raises(ValueError, match="unknown TLS option 'colour'"):
        Connection(f"{scheme}s://localhost", ssl={"colour": 1}).connect()


# -- blocked, and many threads


def test_who_publishes_while_the_broker_is_short_waits_or_gives_up(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    with Connection(proxy.url(scheme)) as connection:
        producer = connection.Producer()
        channel = connection.default_channel
        channel.declare_queue("q")
        gate, guard = real_broker.host.gate, real_broker.host.guard
        with guard:
            gate.shut(MEMORY, lambda: "")
        producer.publish("goes into the socket", routing_key="q")
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.3)
        with pytest.raises(PublisherBlocked, match="low on memory"):
            producer.publish("x", routing_key="q", timeout=0.05)
        threading.Timer(0.05, lambda: _open(gate, guard)).start()
        producer.publish("waits", routing_key="q")
        assert channel.declare_queue("q", passive=True).message_count == 2


def _open(gate: Any, guard: Any) -> None:
    with guard:
        gate.open(MEMORY)


def test_threads_share_pools(proxy: Proxy, scheme: str, real_broker: Broker) -> None:
    connection = Connection(proxy.url(scheme), transport_options={"confirm_publish": True})
    real_broker.connect().channel().declare_queue("q", durable=True)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(20):
                with producers[connection].acquire(block=True) as producer:
                    producer.publish(number, routing_key="q", retry=True)
                if number == 10:
                    proxy.cut()
        except BaseException as error:  # noqa: BLE001 -- the test looks at it
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reset()
    assert errors == []
    assert real_broker.vhosts["/"].queues["q"].message_count >= 120
