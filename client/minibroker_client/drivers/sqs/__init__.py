"""`sqs://`: Amazon SQS, and what speaks its protocol.

`messages` is how a message looks there, `tags` where the facts are kept.
"""

from __future__ import annotations

from .driver import FEATURES, SQSDriver, transport

__all__ = ["FEATURES", "SQSDriver", "transport"]
