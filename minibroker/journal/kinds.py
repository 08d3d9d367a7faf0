"""The kinds of records in the log and in checkpoints: a number each. A number is never used again.

Source: docs/log-format.md, which says what is in each.
"""

from __future__ import annotations

from typing import Final

# What happens to messages: in the log.
MESSAGE: Final = 1
SETTLED: Final = 2
DELIVERED: Final = 3
RETURNED: Final = 4
STREAM: Final = 5

# What there is: in the log as it changes, in a checkpoint as it was.
VHOST_ADDED: Final = 16
VHOST_REMOVED: Final = 17
EXCHANGE_ADDED: Final = 18
EXCHANGE_REMOVED: Final = 19
QUEUE_ADDED: Final = 20
QUEUE_REMOVED: Final = 21
BOUND: Final = 22
UNBOUND: Final = 23
USER_ADDED: Final = 24
PERMISSIONS_SET: Final = 25
POLICY_SET: Final = 26
POLICY_REMOVED: Final = 27
LIMITS_SET: Final = 28
PASSWORD_SET: Final = 29
USER_REMOVED: Final = 30
PERMISSIONS_CLEARED: Final = 31

# What was in a place: in checkpoints alone.
PLACE: Final = 40
PAGES: Final = 41
LOOSE: Final = 42
NEXT_PLACE: Final = 43
END: Final = 63
