"""Contexts for TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minibroker.server.tls import reload_context, server_context

if TYPE_CHECKING:
    import trustme
else:
    trustme = pytest.importorskip("trustme")


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
