"""AMQP 0-9-1 as bytes: tables, properties, methods and frames. Knows no socket and no broker."""

from __future__ import annotations

from .methods import decode_method, encode_method
from .properties import decode_properties, encode_properties
from .table import decode_table, encode_table

__all__ = [
    "decode_method",
    "decode_properties",
    "decode_table",
    "encode_method",
    "encode_properties",
    "encode_table",
]
