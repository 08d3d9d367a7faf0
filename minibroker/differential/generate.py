"""Makes programs from seeds. Knows what is sensible, and now and then does something else.

It keeps a rough account of what a program has made so far, only to be sensible more often: what a
broker makes of the program is not its business.
"""

from __future__ import annotations

from random import Random

from .draft import Draft
from .program import Program
from .queues import QueueMaker
from .topology import Topology
from .traffic import Traffic
from .values import weighted

__all__ = ["generate"]

TOPOLOGY: dict[str, float] = {
    "queue_declare": 7,
    "exchange_declare": 4,
    "queue_bind": 7,
    "exchange_bind": 2.5,
    "unbind": 2.5,
    "purge": 1.5,
    "queue_delete": 1.5,
    "exchange_delete": 1,
}
"""How often each operation of `Topology` is done, against those of `TRAFFIC`."""
TRAFFIC: dict[str, float] = {
    "publish": 24,
    "get": 8,
    "consume": 8,
    "compete": 2,
    "cancel": 2.5,
    "qos": 3,
    "settle": 18,
    "recover": 1.5,
    "mode": 2.5,
    "transact": 2,
    "reply_to": 1.5,
    "leave": 2,
    "oddity": 0.6,
}
"""How often each operation of `Traffic` is done."""
FLAVOURS: dict[str, float] = {"classic": 78, "quorum": 18, "brief": 4}
"""What the queues are: "brief" ones have messages that live for a millisecond."""


def generate(seed: int) -> Program:
    """The program of a seed, always the same."""
    random = Random(seed)
    flavour = weighted(random, FLAVOURS)
    draft = Draft(random, flavour)
    topology, traffic = Topology(draft, QueueMaker(random, flavour)), Traffic(draft)
    for _ in range(random.randint(1, 3)):
        topology.queue_declare()
    for _ in range(random.randint(0, 3)):
        topology.exchange_declare()
    for _ in range(random.randint(0, 4)):
        topology.queue_bind()
    for _ in range(random.randint(6, 14 if flavour == "quorum" else 24)):
        name = weighted(random, TOPOLOGY | TRAFFIC)
        getattr(topology if name in TOPOLOGY else traffic, name)()
    return Program(draft.done, seed)
