"""Logging in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.errors import CommandInvalid
from minibroker.passwords import hash_password
from minibroker.server.sasl import LoginRefused, Peer, authenticate, mechanisms
from minibroker.users import Users
from minibroker.wire.amqp import encode_table

HERE = Peer(loopback=True)
AWAY = Peer(loopback=False)


def users(**passwords: str) -> Users:
    made = Users()
    for name, password in passwords.items():
        made.add(name)
        made.get(name).password = hash_password(password, bytes(4))
    return made


def certified(*names: str) -> Peer:
    subject = ((("countryName", "XY"),), *((("commonName", name),) for name in names))
    return Peer(loopback=False, certificate={"subject": subject})


def amqplain(**fields: object) -> bytes:
    return encode_table(fields)[4:]  # type: ignore[arg-type]  # some are meant to be wrong


def test_external_is_offered_to_those_with_a_certificate() -> None:
    assert mechanisms(HERE) == "PLAIN AMQPLAIN"
    assert mechanisms(certified("ann")) == "PLAIN AMQPLAIN EXTERNAL"


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [("PLAIN", b"\0ann\0secret"), ("AMQPLAIN", amqplain(LOGIN="ann", PASSWORD="secret"))],
)
def test_whoever_has_the_password_is_let_in(mechanism: str, response: bytes) -> None:
    assert authenticate(mechanism, response, users(ann="secret"), AWAY) == "ann"


@pytest.mark.parametrize(
    ("response", "user", "reason"),
    [
        (b"\0ann\0wrong", "ann", "wrong password"),
        (b"\0bob\0secret", "bob", "no such user"),
        (b"ann", "", "the response cannot be read"),
        (b"other\0ann\0secret", "", "the response cannot be read"),
        (b"\0\xff\0secret", "", "the response cannot be read"),
    ],
)
@pytest.mark.semantics(10)
def test_a_refusal_tells_the_client_nothing_and_the_log_why(
    response: bytes, user: str, reason: str
) -> None:
    with pytest.raises(LoginRefused) as caught:
        authenticate("PLAIN", response, users(ann="secret"), HERE)
    assert caught.value.reply_text == (
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
        "For details see the broker logfile."
    )
    assert (caught.value.user, caught.value.reason) == (user, reason)


@pytest.mark.parametrize(
    "response",
    [
        b"guest",
        b"\x05LOGINS\x00\x00\x00\xffx",
        amqplain(LOGIN="ann"),
        amqplain(PASSWORD="secret"),
        amqplain(LOGIN=1, PASSWORD="secret"),
        amqplain(LOGIN="ann", PASSWORD=None),
    ],
)
def test_what_is_no_login_table_is_refused(response: bytes) -> None:
    with pytest.raises(LoginRefused, match="using authentication mechanism AMQPLAIN"):
        authenticate("AMQPLAIN", response, users(ann="secret"), HERE)


def test_a_password_that_is_no_text_is_compared_as_bytes() -> None:
    assert not users(ann="secret").verify("ann", b"\xff")
    with pytest.raises(LoginRefused):
        authenticate("AMQPLAIN", amqplain(LOGIN="ann", PASSWORD=b"\xff"), users(ann="x"), HERE)


def test_an_unknown_mechanism_is_a_command_that_does_not_exist() -> None:
    for mechanism in ("", "plain", "EXTERNAL", "RABBIT-CR-DEMO"):
        with pytest.raises(CommandInvalid, match=f"unknown authentication mechanism '{mechanism}'"):
            authenticate(mechanism, b"", Users(), HERE)


def test_the_common_name_of_a_certificate_is_the_user() -> None:
    assert authenticate("EXTERNAL", b"", users(ann="x"), certified("ann")) == "ann"


@pytest.mark.parametrize("peer", [certified("bob"), certified(), certified("ann", "ann")])
def test_a_certificate_of_nobody_is_refused(peer: Peer) -> None:
    with pytest.raises(LoginRefused) as caught:
        authenticate("EXTERNAL", b"", users(ann="x"), peer)
    assert caught.value.reason == "no user has the name in the certificate"


def test_a_certificate_without_a_subject_is_refused() -> None:
    with pytest.raises(LoginRefused):
        authenticate("EXTERNAL", b"", Users(), Peer(loopback=True, certificate={"serial": 1}))


@pytest.mark.semantics(11)
def test_guest_logs_in_from_this_machine_only() -> None:
    assert authenticate("PLAIN", b"\0guest\0guest", Users(), HERE) == "guest"
    with pytest.raises(LoginRefused) as caught:
        authenticate("PLAIN", b"\0guest\0guest", Users(), AWAY)
    assert caught.value.reason == "it can only connect from this machine"
    open_to_all = Users()
    open_to_all.loopback = frozenset()
    assert authenticate("PLAIN", b"\0guest\0guest", open_to_all, AWAY) == "guest"


@given(st.sampled_from(["PLAIN", "AMQPLAIN"]), st.binary(max_size=60))
def test_any_response_is_let_in_or_refused(mechanism: str, response: bytes) -> None:
    try:
        assert authenticate(mechanism, response, users(ann="secret"), HERE) == "ann"
    except LoginRefused as refused:
        assert "secret" not in refused.reason
