"""What Hypothesis draws for `test_broker_machine`: few names, so that they meet often."""

from __future__ import annotations

from typing import Any, TypeAlias

from hypothesis import strategies as st

QUEUES = ("q0", "q1", "q2")
EXCHANGES = ("x0", "x1", "x2")
TYPES = ("direct", "fanout", "topic", "headers")
KEYS = ("a", "a.b", "", "q0", "q1")
PATTERNS = (*KEYS, "#", "*", "a.#", "*.b", "#.b")
TAGS = ("c0", "c1", "c2")

number = st.integers(0, 11)
"""Which channel or connection, whatever their number."""
queue_name = st.sampled_from(QUEUES)
exchange_name = st.sampled_from(EXCHANGES)
seldom = st.sampled_from((False, False, False, True))

Declaration: TypeAlias = "tuple[dict[str, Any], bool, bool]"
"""Arguments, and whether it is exclusive and auto-delete."""

SHARED: dict[str, Any] = {
    "x-message-ttl": st.sampled_from((0, 200, 1000)),
    "x-max-length": st.integers(0, 3),
    "x-dead-letter-exchange": st.sampled_from(("", "", *EXCHANGES)),
    "x-dead-letter-routing-key": st.sampled_from(QUEUES),
    "x-single-active-consumer": st.just(True),
    "x-expires": st.sampled_from((300, 1500)),
}
CLASSIC = {
    "x-overflow": st.sampled_from(("drop-head", "reject-publish", "reject-publish-dlx")),
    "x-max-priority": st.integers(1, 3),
}
QUORUM = {
    "x-overflow": st.sampled_from(("drop-head", "reject-publish")),
    "x-delivery-limit": st.integers(0, 2),
}


def fit(arguments: dict[str, Any]) -> dict[str, Any]:
    """A dead-letter routing key needs an exchange (32)."""
    if "x-dead-letter-exchange" not in arguments:
        arguments.pop("x-dead-letter-routing-key", None)
    return arguments


classic_queue = st.tuples(
    st.fixed_dictionaries({}, optional=SHARED | CLASSIC).map(fit), seldom, seldom
)
quorum_queue = st.tuples(
    st.fixed_dictionaries({"x-queue-type": st.just("quorum")}, optional=SHARED | QUORUM).map(fit),
    st.just(False),
    st.just(False),
)
simple_queue = st.sampled_from(
    (
        ({}, False, False),
        ({"x-single-active-consumer": True}, False, False),
        ({"x-dead-letter-exchange": ""}, False, False),
    )
)
any_queue = st.one_of(simple_queue, classic_queue, classic_queue, quorum_queue)
headers = st.fixed_dictionaries({}, optional={"h": st.sampled_from(("1", 1)), "i": st.just("2")})
