"""AMQP 0-9-1 as bytes: field tables and the basic properties. Knows no socket and no broker."""

from __future__ import annotations

from .properties import decode_properties, encode_properties
from .table import decode_table, encode_table

__all__ = ["decode_properties", "decode_table", "encode_properties", "encode_table"]
