"""Sockets that listen: on which addresses, what is refused, and what a URL says of them."""

from __future__ import annotations

import errno
import socket
from contextlib import closing
from pathlib import Path

import pytest

from minibroker.server import sockets
from minibroker.server.sockets import is_loopback, listening, listening_unix, url_of


def close_all(made: list[socket.socket]) -> None:
    """Free their ports."""
    for each in made:
        each.close()


def has_ipv6() -> bool:
    """Whether this machine has the address ::1."""
    try:
        with closing(socket.socket(socket.AF_INET6)) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_localhost_is_both_addresses_with_one_port() -> None:
    made = listening("localhost", 0)
    addresses = [each.getsockname()[0] for each in made]
    ports = {each.getsockname()[1] for each in made}
    close_all(made)
    assert addresses == (["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"])
    assert len(ports) == 1


def test_a_star_is_every_address() -> None:
    for host in ("*", ""):
        made = listening(host, 0)
        urls = [url_of(each, tls=False) for each in made]
        close_all(made)
        assert urls[0].startswith("amqp://127.0.0.1:")
        assert all(url.startswith("amqp://[::1]:") for url in urls[1:])


def test_a_name_or_an_address_is_looked_up() -> None:
    made = listening("127.0.0.1", 0)
    assert [each.getsockname()[0] for each in made] == ["127.0.0.1"]
    close_all(made)
    with pytest.raises(OSError, match="."):
        listening("no such host!", 0)


def test_a_port_in_use_is_refused_and_nothing_stays_open() -> None:
    first = listening("localhost", 0)
    port = first[0].getsockname()[1]
    with pytest.raises(OSError, match=".") as caught:
        listening("localhost", port)
    assert caught.value.errno == errno.EADDRINUSE
    close_all(first)
    close_all(listening("localhost", port))


def test_a_port_that_is_taken_on_the_second_address_alone_is_refused_too() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
    taken = listening("::1", 0)
    port = taken[0].getsockname()[1]
    with pytest.raises(OSError, match="."):
        listening("localhost", port)
    close_all(listening("127.0.0.1", port))
    close_all(taken)


class Refusing:
    """`_listen` that fails some times."""

    def __init__(self, number: int, failures: int, family: int) -> None:
        self.number, self.failures, self.family = number, failures, family
        self.original = sockets._listen

    def __call__(self, family: int, address: str, port: int) -> socket.socket:
        if family == self.family and self.failures:
            self.failures -= 1
            raise OSError(self.number, "refused")
        return self.original(family, address, port)


def test_another_free_port_is_tried_when_one_is_not_free_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
    monkeypatch.setattr(sockets, "_listen", Refusing(errno.EADDRINUSE, 3, socket.AF_INET6))
    made = listening("localhost", 0)
    assert len(made) == 2
    close_all(made)
    monkeypatch.setattr(sockets, "_listen", Refusing(errno.EADDRINUSE, 1000, socket.AF_INET6))
    with pytest.raises(OSError, match="refused"):
        listening("localhost", 0)


def test_an_address_family_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_listen", Refusing(errno.EADDRNOTAVAIL, 1, socket.AF_INET6))
    made = listening("localhost", 0)
    assert [each.family for each in made] == [socket.AF_INET]
    close_all(made)
    monkeypatch.setattr(sockets, "_listen", Refusing(errno.EADDRNOTAVAIL, 1, socket.AF_INET))
    with pytest.raises(OSError, match="refused"):
        listening("localhost", 0)


# -- Unix sockets


def test_a_unix_socket_listens_at_its_path(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with closing(listening_unix(str(path))) as made, closing(socket.socket(socket.AF_UNIX)) as peer:
        peer.connect(str(path))
        assert url_of(made, tls=False) == f"amqp+unix://{path}"


def test_a_path_at_which_somebody_listens_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with closing(listening_unix(path)):
        with pytest.raises(OSError, match=".") as caught:
            listening_unix(path)
        assert caught.value.errno == errno.EADDRINUSE


def test_a_path_that_nobody_listens_at_any_more_is_taken_over(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    listening_unix(path).close()
    assert Path(path).is_socket()
    listening_unix(path).close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(OSError, match="."):
        listening_unix(str(path))
    assert path.read_text() == "mine"


# -- what is said of them


def test_a_url_says_whether_it_is_encrypted() -> None:
    (made,) = listening("127.0.0.1", 0)
    port = made.getsockname()[1]
    assert url_of(made, tls=False) == f"amqp://127.0.0.1:{port}/"
    assert url_of(made, tls=True) == f"amqps://127.0.0.1:{port}/"
    made.close()


@pytest.mark.semantics(11)
@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (("127.0.0.1", 5), True),
        (("127.8.8.8", 5), True),
        (("::1", 5, 0, 0), True),
        (("::ffff:127.0.0.1", 5, 0, 0), True),
        (("::ffff:10.0.0.1", 5, 0, 0), False),
        (("fe80::1%eth0", 5, 0, 2), False),
        (("10.0.0.1", 5), False),
        (("0.0.0.0", 5), False),
        (("nonsense", 5), False),
        ("", True),
        (None, True),
        (b"\0abstract", True),
    ],
)
def test_whether_a_peer_is_on_this_machine(peer: object, expected: bool) -> None:
    assert is_loopback(peer) is expected
