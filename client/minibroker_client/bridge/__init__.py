"""Bridges: messages of a queue on one broker are forwarded to an exchange on another, and only then
deleted. Store-and-forward between any two transports that confirm.
"""

from __future__ import annotations

from .bridge import Bridge
from .config import read_links
from .health import Health
from .link import BridgeLink, LinkError

__all__ = ["Bridge", "BridgeLink", "Health", "LinkError", "read_links"]
