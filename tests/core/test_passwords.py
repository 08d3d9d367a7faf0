"""Passwords as they are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.passwords import hash_password, is_hash, matches


def test_a_password_is_kept_as_rabbitmq_keeps_it() -> None:
    # the example of RabbitMQ's documentation, "Credentials and Passwords"
    kept = hash_password("test12", bytes.fromhex("908DC60A"))
    assert kept == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


@given(st.text(min_size=1, max_size=40), st.binary(min_size=4, max_size=4), st.binary())
def test_only_the_password_itself_matches(password: str, salt: bytes, other: bytes) -> None:
    kept = hash_password(password, salt)
    assert is_hash(kept)
    assert matches(password.encode(), kept)
    assert matches(other, kept) == (other == password.encode())


def test_an_empty_password_and_a_salt_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        hash_password("", bytes(4))
    with pytest.raises(ValueError, match="a salt has 4 bytes, not 3"):
        hash_password("x", bytes(3))


@pytest.mark.parametrize(
    "text", ["", "x", "AAAA", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2PO!"]
)
def test_other_texts_are_no_hashes(text: str) -> None:
    assert not is_hash(text)
