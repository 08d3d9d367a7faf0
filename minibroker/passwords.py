"""Passwords as they are kept: salted and hashed the way RabbitMQ does, so that both can read them.

Source: RabbitMQ documentation, "Credentials and Passwords": four bytes of salt, then the SHA-256 of
salt and password, all of it in base64. Knows no user; the salt is passed in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

__all__ = ["SALT_SIZE", "hash_password", "is_hash", "matches"]

SALT_SIZE = 4
"""Bytes of salt."""
HASH_SIZE = SALT_SIZE + hashlib.sha256().digest_size


def hash_password(password: str, salt: bytes) -> str:
    """What is kept of a password. Raises ValueError for an empty one, or a salt of another size."""
    if not password:
        raise ValueError("a password must not be empty: no client could log in with it")
    if len(salt) != SALT_SIZE:
        raise ValueError(f"a salt has {SALT_SIZE} bytes, not {len(salt)}")
    return base64.b64encode(_salted(password.encode(), salt)).decode()


def matches(password: bytes, kept: str) -> bool:
    """Whether a password is the one of which `kept` was made; takes as long for a wrong one."""
    salt = base64.b64decode(kept)[:SALT_SIZE]
    return hmac.compare_digest(base64.b64encode(_salted(password, salt)), kept.encode())


def is_hash(kept: str) -> bool:
    """Whether a text is what `hash_password` gives."""
    try:
        return len(base64.b64decode(kept, validate=True)) == HASH_SIZE
    except (binascii.Error, ValueError):
        return False


def _salted(password: bytes, salt: bytes) -> bytes:
    return salt + hashlib.sha256(salt + password).digest()
