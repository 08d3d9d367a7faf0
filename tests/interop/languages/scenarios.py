"""What a client of any language does, and what it must have seen: the contract of `programs`.

A program is called with the name of a scenario, the URL of a broker and a prefix for the names of
all that it declares. It does what the scenario says through its library's own calls, deletes what
it declared, prints what it saw as one line of JSON, and ends with 0. With anything else it ends
with an error on standard error. Names are written `.q` here for the prefix and `.q`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["SCENARIOS", "SIZES", "Scenario"]

SIZES = [0, 1, 131_064, 131_065, 262_128, 1 << 20]
"""Bodies around the limit of one frame and of two, where a frame has 131,072 bytes."""


class Scenario(NamedTuple):
    """One thing that a client does."""

    name: str
    does: str
    sees: Callable[[str], dict[str, Any]]
    """What is printed, by the prefix."""


def _values(prefix: str) -> dict[str, Any]:
    return {
        "headers": {
            "bool": True,
            "int": 7,
            "long": 1 << 40,
            "negative": -5,
            "double": 1.5,
            "text": "grüße",
            "list": [1, "two"],
            "table": {"inner": {"deep": 3}},
            "null": None,
        },
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "delivery_mode": 2,
        "priority": 5,
        "correlation_id": "c-1",
        "reply_to": "r",
        "expiration": "60000",
        "message_id": "m-1",
        "timestamp": 1_700_000_000,
        "type": "t",
        "user_id": "guest",
        "app_id": "app",
    }


SCENARIOS = [
    Scenario(
        "topology",
        """Declare the durable exchanges `.topic` (topic), `.fanout` (fanout), `.headers` (headers)
        and the durable queues `.q` and `.h`. Bind exchange `.fanout` to exchange `.topic` with
        the key `a.#`, queue `.q` to `.fanout`, queue `.h` to `.headers` with the arguments
        x-match=all, kind=order, size=3. Publish to `.topic` with the keys `a.b` and `b.a`, and to
        `.headers` the body `both` with the headers kind=order and size=3, and the body `one` with
        kind=order. Get from each queue until it is empty, without acks. Publish two messages to
        `.q` through the default exchange and purge it. Publish one more and delete the queue.""",
        lambda prefix: {
            "q": [["a.b", f"{prefix}.topic"]],  # routing key and exchange
            "h": ["both"],  # bodies
            "purged": 2,
            "deleted": 1,  # how many messages were deleted with the queue
        },
    ),
    Scenario(
        "confirms",
        """Declare `.q`. Select confirms, publish 200 messages to `.q` without waiting between them,
        and wait until all are confirmed. Look with a passive declare how many are ready.""",
        lambda _: {"confirmed": 200, "ready": 200},
    ),
    Scenario(
        "mandatory",
        """Select confirms. Publish `lost` through the default exchange with the key `.nowhere`,
        mandatory. It comes back, and is confirmed.""",
        lambda prefix: {
            "code": 312,
            "text": "NO_ROUTE",
            "key": f"{prefix}.nowhere",
            "body": "lost",
            "confirmed": True,
        },
    ),
    Scenario(
        "prefetch",
        """Declare `.q` and publish the bodies 0 to 9 to it. With a prefetch count of 3 consume and
        acknowledge nothing. When three have come, look with a passive declare, on another channel,
        how many are ready. Acknowledge the third and all before it with one ack, and each one that
        comes after that by itself, until all have come. Close the channel and count again.""",
        lambda _: {
            "first": ["0", "1", "2"],
            "ready": 7,
            "all": [str(number) for number in range(10)],
            "left": 0,
        },
    ),
    Scenario(
        "requeue",
        """Declare `.q` and publish one message to it. Consume it. The first time return it with
        basic.nack and requeue, the second time with basic.reject and requeue, the third time with
        basic.reject without requeue. Note each time whether it is redelivered. Count what is
        left.""",
        lambda _: {"redelivered": [False, True, True], "left": 0},
    ),
    Scenario(
        "dead_letters",
        """Declare the fanout exchange `.dlx`, the queue `.dead` bound to it, and the queue `.work`
        with the argument x-dead-letter-exchange=`.dlx`. Publish `job` to `.work`, consume it,
        reject it without requeue, and get what arrives in `.dead` (consume it, or ask until it is
        there). Show the first entry of its x-death header.""",
        lambda prefix: {
            "body": "job",
            "reason": "rejected",
            "queue": f"{prefix}.work",
            "exchange": "",
            "keys": [f"{prefix}.work"],
            "count": 1,
            "first_reason": "rejected",  # the header x-first-death-reason
        },
    ),
    Scenario(
        "values",
        """Declare `.q`. Publish a message with the properties below to it, get it, and show the
        properties as they are then. `long` is a 64-bit integer, `double` a double, `timestamp` is
        in seconds.""",
        _values,
    ),
    Scenario(
        "bodies",
        """Declare `.q`. For each size of SIZES publish a body whose byte number i is i modulo 251,
        consume it, and see that it is the same.""",
        lambda _: {"sizes": SIZES, "intact": True},
    ),
    Scenario(
        "cancelled",
        """Declare `.q` and consume from it. Delete the queue on another channel. The consumer is
        told by the broker that it is cancelled; note that it was the right one.""",
        lambda _: {"cancelled": True},
    ),
    Scenario(
        "channel_error",
        """Declare `.missing` passively: the broker closes the channel. Then declare the exclusive
        queue `.q` on another channel of the same connection, to see that it is alive.""",
        lambda prefix: {
            "code": 404,
            "text": f"NOT_FOUND - no queue '{prefix}.missing' in vhost '/'",
            "alive": True,
        },
    ),
    Scenario(
        "direct_reply",
        """Declare `.rpc`. On one channel consume from amq.rabbitmq.reply-to without acks, and
        publish `ping` to `.rpc` with reply_to=amq.rabbitmq.reply-to and correlation_id=7. On a
        second connection get the request, and answer it with its body and `!` to its reply_to
        through the default exchange with the same correlation_id. Show what comes.""",
        lambda _: {"reply": "ping!", "correlation_id": "7"},
    ),
    Scenario(
        "transactions",
        """Declare `.q`. Select transactions. Publish two messages to `.q` and roll back;
        publish one and commit. Count what is ready.""",
        lambda _: {"ready": 1},
    ),
    Scenario(
        "refused",
        """Connect with the user's name and the password `wrong`. The broker refuses that, and says
        so: see that the error names ACCESS_REFUSED or its code 403.""",
        lambda _: {"refused": True},
    ),
]
