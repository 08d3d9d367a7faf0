from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from minibroker_client import exceptions
from minibroker_client.bridge.mqtt.settings import Settings
from minibroker_client.bridge.mqtt.wire import Wire

from ..conftest import SECONDS
from .conftest import Roomy, address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def opened(mosquitto: Roomy) -> Iterator[Callable[..., Wire]]:
    wires: list[Wire] = []

    def opened(side: str = "from", **settings: Any) -> Wire:
        made = Settings(**{"side": side, "client_id": f"test-{side}", **settings})
        wires.append(Wire(address(mosquitto.url), made))
        return wires[-1]

    yield opened
    for wire in wires:
        wire.close()


def answered(wire: Wire, number: int) -> None:
    wire.until(lambda: len(wire.answers) == number, SECONDS)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_is_not_acked_comes_again_after_a_reconnect(
    opened: Callable[..., Wire], protocol: str
) -> None:
    source, target = opened(protocol=protocol), opened("to", protocol=protocol)
    assert not source.kept
    source.subscribe("a/#", 5)
    for number in (1, 2):
        target.publish(number, "a/b", b"%d" % number, False, {})
    answered(target, 2)
    assert [number for number, _ in target.answers] == [1, 2]
    source.until(lambda: len(source.messages) == 2, SECONDS)
    source.ack(source.messages[0].mid)
    source.close()
    again = opened(protocol=protocol)
    assert again.kept
    again.subscribe("a/#", 5)
    again.until(lambda: len(again.messages) == 1, SECONDS)
    message = again.messages[0]
    assert (message.payload, message.dup, message.mid) == (b"2", True, source.messages[1].mid)


def test_more_than_the_server_takes_at_once_waits_its_turn(opened: Callable[..., Wire]) -> None:
    source, target = opened(), opened("to", window=1000)
    source.subscribe("#", 5)
    for number in range(1, 101):  # Mosquitto takes 20
        target.publish(number, "a", b"%d" % number, False, {})
    answered(target, 100)
    assert [number for number, _ in target.answers] == list(range(1, 101))
    source.until(lambda: len(source.messages) == 100, SECONDS)
    assert [int(each.payload) for each in source.messages] == list(range(1, 101))


def test_nudging_brings_nothing_again(opened: Callable[..., Wire]) -> None:
    for protocol in ("5", "3.1.1"):
        target = opened("to", protocol=protocol, client_id="")
        target.publish(1, "kept", b"1", True, {})
        answered(target, 1)
        source = opened(protocol=protocol, client_id=f"test-{protocol}")
        source.subscribe("kept", 5)
        source.until(lambda source=source: len(source.messages) == 1, SECONDS)  # type: ignore[misc]  # a lambda's default
        source.ack(source.messages[0].mid)
        source.nudge("kept")
        target.publish(2, "kept", b"2", False, {})
        source.until(lambda source=source: len(source.messages) == 2, SECONDS)  # type: ignore[misc]  # a lambda's default
        assert [each.payload for each in source.messages] == [b"1", b"2"]


def test_another_client_of_the_same_name_takes_over(opened: Callable[..., Wire]) -> None:
    first = opened()
    opened()
    lost = exceptions.RecoverableConnectionError
    with pytest.raises(lost):  # Mosquitto 2.0.11 does not say why
        first.until(lambda: False, SECONDS)
    assert first.closed
    for use in (lambda: first.pump(0), lambda: first.publish(1, "a", b"", False, {})):
        with pytest.raises(lost):
            use()


def test_what_is_too_large_for_the_server_is_refused_before(
    mosquitto: Roomy, opened: Callable[..., Wire]
) -> None:
    mosquitto.lines = ["max_packet_size 1000"]
    mosquitto.restart()
    wire = opened("to")
    with pytest.raises(ValueError, match="too large"):
        wire.publish(1, "a", b"x" * 1000, False, {"ContentType": "t"})
    wire.publish(1, "a", b"x" * 900, False, {})
    answered(wire, 1)


def test_a_wrong_password_is_refused(mosquitto: Roomy) -> None:
    (mosquitto.directory / "passwords").write_text("")
    mosquitto.lines = ["allow_anonymous false", f"password_file {mosquitto.directory}/passwords"]
    mosquitto.restart()
    where = address(f"mqtt://me:secret@127.0.0.1:{mosquitto.port}/")
    for protocol in ("5", "3.1.1"):
        with pytest.raises(exceptions.AccessRefused, match="refuses the connection") as caught:
            Wire(where, Settings(side="to", client_id="", protocol=protocol))
        assert "secret" not in str(caught.value)


# paho leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_with_tls_is_checked(mosquitto: Roomy, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    mosquitto.lines = [f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem"]
    mosquitto.restart()
    where = address(f"mqtts://127.0.0.1:{mosquitto.port}/")
    for options in ({"ca_certs": f"{tmp_path}/ca.pem"}, {"cert_reqs": ssl.CERT_NONE}):
        wire = Wire(where, Settings(side="to", client_id="", ssl=options))
        wire.publish(1, "a", b"x", False, {})
        answered(wire, 1)
        wire.close()
    with pytest.raises(ssl.SSLError, match="cannot connect to mqtts"):
        Wire(where, Settings(side="to", client_id="", ssl=True))


@pytest.mark.parametrize("said", [b"", b"\xff\xff\xff\xff\xff\xff"])
def test_what_does_not_speak_mqtt_is_told(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as made:
                made.recv(1)
                made.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        where = address(f"mqtt://127.0.0.1:{listening.getsockname()[1]}/")
        with pytest.raises((exceptions.ConnectionException, OSError)):
            Wire(where, Settings(side="to", client_id=""))
        thread.join()


def test_nobody_there_is_told_with_the_url() -> None:
    with pytest.raises(OSError, match="cannot connect to mqtt://127.0.0.1:1/"):
        Wire(address("mqtt://127.0.0.1:1/"), Settings(side="to", client_id=""))
