"""Contexts for TLS."""

from __future__ import annotations

import logging
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from minibroker.server.tls import reload_context, server_context

if TYPE_CHECKING:
    import trustme
else:
    trustme = pytest.importorskip("trustme")


Pair: TypeAlias = tuple[ssl.SSLObject, ssl.SSLObject]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made / "ca.pem")
    for name in ("one", "two"):
        leaf = authority.issue_cert("localhost")
        leaf.private_key_and_cert_chain_pem.write_to_path(made / f"{name}.pem")
        leaf.private_key_pem.write_to_path(made / f"{name}.key")
        leaf.cert_chain_pems[0].write_to_path(made / f"{name}.crt")
    return made


def test_clients_are_asked_for_a_certificate_where_there_is_an_authority(folder: Path) -> None:
    both = str(folder / "one.pem")
    assert server_context(both).verify_mode == ssl.CERT_NONE
    apart = server_context(str(folder / "one.crt"), str(folder / "one.key"), str(folder / "ca.pem"))
    assert apart.verify_mode == ssl.CERT_REQUIRED
    asked = server_context(both, authority=str(folder / "ca.pem"), required=False)
    assert asked.verify_mode == ssl.CERT_OPTIONAL
    assert asked.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_what_cannot_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no certificate with its key in .*nowhere"):
        server_context(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"one\.crt and .*two\.key"):
        server_context(str(folder / "one.crt"), str(folder / "two.key"))
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match=r"no certificates of an authority in .*text"):
        server_context(str(folder / "one.pem"), authority=str(tmp_path / "text"))


def test_a_broken_file_leaves_the_context_as_it_was(folder: Path, tmp_path: Path) -> None:
    context = server_context(str(folder / "one.pem"))
    reload_context(context, str(folder / "two.crt"), str(folder / "two.key"))
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="no certificate with its key"):
        reload_context(context, str(tmp_path / "text"))


def trusting(folder: Path) -> ssl.SSLContext:
    client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    client.load_cert_chain(str(folder / "one.pem"))
    return client


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> Pair:
    """Both ends, in memory, after the client read something: tickets come before it."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(up, down, server_side=True)
    here = client.wrap_bio(down, up, server_hostname="localhost", session=session)
    for _ in range(4):
        for side in (here, there):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    there.write(b"x")
    assert here.read(1) == b"x"
    return there, here


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_from_before_a_reload_goes_on_without_the_check_of_its_certificate(
    folder: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    both, authority, other = str(folder / "one.pem"), str(folder / "ca.pem"), tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    context = server_context(both, authority=authority)
    client = trusting(folder)
    client.maximum_version = version
    there, here = handshake(context, client)
    assert there.version() == version.name.replace("_", ".")
    again, _ = handshake(context, client, here.session)
    assert again.session_reused  # else the rest proves nothing
    reload_context(context, both, authority=authority)
    fresh, _ = handshake(context, client, here.session)
    assert not fresh.session_reused
    reload_context(context, both, authority=str(other))
    with pytest.raises(ssl.SSLError):
        handshake(context, client, here.session)


def test_a_handshake_that_fails_is_logged_with_its_reason(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = server_context(str(folder / "one.pem"))
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    up.write(b"AMQP\x00\x00\x09\x01")
    with caplog.at_level(logging.WARNING), pytest.raises(ssl.SSLError):
        context.wrap_bio(up, down, server_side=True).do_handshake()
    (record,) = caplog.records
    assert record.name == "minibroker.server"
    assert record.getMessage() == "TLS handshake failed reason='wrong version number'"


def test_certificates_and_authorities_are_those_of_the_last_reload(folder: Path) -> None:
    one, two = str(folder / "one.pem"), str(folder / "two.pem")
    context = server_context(one, authority=str(folder / "ca.pem"))
    first = handshake(context, trusting(folder))[1].getpeercert()
    reload_context(context, two, authority=str(folder / "ca.pem"))
    second = handshake(context, trusting(folder))[1].getpeercert()
    assert first is not None
    assert second is not None
    assert first["serialNumber"] != second["serialNumber"]
    trustme.CA().cert_pem.write_to_path(folder / "other.pem")
    reload_context(context, two, authority=str(folder / "other.pem"))
    with pytest.raises(ssl.SSLError):
        handshake(context, trusting(folder))
