"""Publishes that wait for their confirm, or for the broker: kept until it has them, sent again.

`buffer` decides what is sent when, `memory` and `spool` keep the messages, `absent` stands for a
channel while there is no connection.
"""

from __future__ import annotations

from .absent import AbsentChannel, AbsentConnection
from .buffer import Buffer

__all__ = ["AbsentChannel", "AbsentConnection", "Buffer"]
