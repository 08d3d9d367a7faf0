"""What declarations, consumers and publishers ask for, checked and parsed once.

Everything later reads the parsed settings, never a table of arguments. Knows no queue, exchange
or channel; the errors are RabbitMQ's, word for word where a client may look at them.
"""

from __future__ import annotations

from .consumer import ConsumerSettings, parse_consumer
from .declaration import QueueDeclaration
from .equivalence import check_equivalent_exchange, check_equivalent_queue
from .exchange import parse_exchange
from .publish import parse_expiration, sender_selected
from .queue import parse_name_prefix, parse_queue, restored_queue
from .settings import KINDS, Overflow, QueueKind, QueueSettings

__all__ = [
    "KINDS",
    "ConsumerSettings",
    "Overflow",
    "QueueDeclaration",
    "QueueKind",
    "QueueSettings",
    "check_equivalent_exchange",
    "check_equivalent_queue",
    "parse_consumer",
    "parse_exchange",
    "parse_expiration",
    "parse_name_prefix",
    "parse_queue",
    "restored_queue",
    "sender_selected",
]
