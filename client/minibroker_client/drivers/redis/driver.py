"""The driver for Redis: one pool of connections, scripts by their hashes.

Facts lie in one hash with a counter of their changes, which `put` reads along.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...remote.driver import MIB, DriverError, Facts, Features, Leased, Outgoing, Put, QueueInfo
from ...remote.kombu_facts import KombuFacts
from ...remote.transport import RemoteTransport, needed
from .facts import RedisFacts
from .kombu_envelope import BindingSets, KombuNames
from .layouts import GROUP, Layout, StreamLayout, layout_of
from .lists import ListLayout
from .scripts import DECLARE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...transport.base import Address

__all__ = ["FEATURES", "RedisDriver", "transport"]

FEATURES = Features(
    priority=True,
    strict_order=True,
    wake_up=True,
    max_message_size=512 * MIB - 4096,  # a string of Redis, less the properties
    batch=250,
)
# In Kombu's lists a body is base64, and what is given back is only in front of what is there.
LIST_FEATURES = replace(FEATURES, strict_order=False, max_message_size=384 * MIB - 4096)
LEASE = 30.0
PREFIX = "minibroker"
LOOK = 100
"""Milliseconds between two looks at Kombu's lists, of which only one can be waited for."""


class RedisDriver:
    """One client of a Redis server. Thread-safe."""

    features = FEATURES

    def __init__(self, address: Address) -> None:
        """The virtual host is the number of the database.

        Options: `lease`, `prefix`, `envelope`; with that also Kombu's `global_keyprefix`,
        `priority_steps` and `sep`.
        """
        self.redis = needed("redis", "redis")
        self.lease_seconds = float(address.options.get("lease", LEASE))
        self.prefix = str(address.options.get("prefix", PREFIX))
        self.names = KombuNames.asked_for(address.options)
        if self.names is not None:
            self.prefix = self.names.own(self.prefix)
            self.features = LIST_FEATURES
        self.consumer = secrets.token_hex(8)
        self.layouts: dict[str, Layout] = {}
        self._looked: dict[str, float] = {}
        self._turn = 0
        self._scripts: dict[str, Any] = {}
        self.client = self._connected(address)
        facts = RedisFacts(self._ask, self.client, self.prefix)
        self._counter = facts.counter
        self.facts: Facts = facts
        if self.names is not None:
            sets = BindingSets(self._ask, self.client, self.names)
            self.facts = KombuFacts(facts, sets)

    def _connected(self, address: Address) -> Any:
        redis = self.redis
        backoff = redis.backoff.NoBackoff()
        client = redis.Redis(
            host=address.hostname or "localhost",
            port=address.port or 6379,
            db=_database(address.virtual_host),
            username=address.userid,
            password=address.password,
            socket_connect_timeout=address.connect_timeout,
            socket_timeout=10,
            # The client's own options say how often to try again; a put must not happen twice.
            retry=redis.retry.Retry(backoff, 0),
            **_ssl(address),
        )
        self._ask(client.ping)
        return client

    def _ask(self, function: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except self.redis.RedisError as error:
            raise DriverError(f"Redis: {error}") from error
        except OSError as error:
            raise DriverError(f"Redis: {error}") from error

    def _script(self, source: str) -> Any:
        script = self._scripts.get(source)
        if script is None:
            script = self._scripts[source] = self.client.register_script(source)
        return script

    def _step(self, queue: str, step: str, arguments: Sequence[Any]) -> Any:
        layout = self.layouts[queue]
        script = self._script(layout.scripts[step])
        try:
            return self._ask(script, keys=layout.keys, args=arguments)
        except DriverError as error:
            if "NOGROUP" not in str(error):
                raise
        self._make(layout)  # the server was emptied
        return self._ask(script, keys=layout.keys, args=arguments)

    # -- queues

    def know(self, queue: QueueInfo) -> None:
        """Choose its layout."""
        if self.names is None:
            self.layouts[queue.name] = layout_of(queue, self.prefix)
        else:
            self.layouts[queue.name] = ListLayout(queue.name, self.prefix, self.names)

    def declare(self, queue: QueueInfo) -> None:
        """Make the group of a stream."""
        self._make(self.layouts[queue.name])

    def _make(self, layout: Layout) -> None:
        if isinstance(layout, StreamLayout):
            self._ask(self._script(DECLARE), keys=layout.keys[:1], args=[GROUP])

    def delete(self, queue: str) -> None:
        """Delete its keys."""
        layout = self.layouts.pop(queue, None)
        if layout is not None:
            self._ask(self.client.delete, *layout.keys, *layout.counters)

    def size(self, queue: str) -> int:
        """How many are ready."""
        return int(self._step(queue, "size", []))

    def purge(self, queue: str) -> int:
        """Delete what is ready."""
        return int(self._step(queue, "purge", []))

    # -- messages

    def put(self, batch: Sequence[Outgoing]) -> Put:
        """All in one transaction, with the counter of changes."""
        pipeline = self.client.pipeline(transaction=len(batch) > 1)
        for outgoing in batch:
            layout = self.layouts[outgoing.queue]
            step, arguments = layout.put(outgoing)
            if step is None:
                pipeline.execute_command(*arguments)
            else:
                self._script(layout.scripts[step])(layout.keys, arguments, client=pipeline)
        pipeline.get(self._counter)
        return Put(self._ask(pipeline.execute)[-1] or b"")

    def lease(self, wanted: Sequence[tuple[str, int]], wait: float) -> list[Leased]:
        """Take what is there, or sleep in the server until something may be: then it returns, as
        by then somebody else may want it.
        """
        leased: list[Leased] = []
        marks: dict[str, bytes] = {}
        sleep = int(wait * 1000)
        for queue, most in wanted:
            layout = self.layouts.get(queue)
            if layout is None:
                continue
            answer = self._step(queue, "take", self._take(queue, most))
            leased += [layout.leased(row, self.consumer) for row in answer[0]]
            if not answer[0]:
                sleep = min(sleep, _note(layout, answer, marks, sleep))
        if not leased and marks and sleep > 0:
            self._sleep(marks, sleep)
        return leased

    def _sleep(self, marks: dict[str, bytes], sleep: int) -> None:
        if self.names is None:
            self._ask(self.client.xread, marks, count=1, block=sleep)
            return
        # Moving a message to where it is waits for one and takes none.
        self._turn += 1
        key = list(marks)[self._turn % len(marks)]
        self._ask(self.client.blmove, key, key, min(sleep, LOOK) / 1000, "RIGHT", "RIGHT")

    def _take(self, queue: str, most: int) -> list[Any]:
        """How much to take; now and then it is looked for leases that have ended."""
        lease = int(self.lease_seconds * 1000)
        now = time.monotonic()
        looks = now - self._looked.get(queue, 0.0) > min(1.0, self.lease_seconds / 4)
        if looks:
            self._looked[queue] = now
        return [self.consumer, most, lease, int(looks)]

    def ack(self, leases: Sequence[Leased]) -> list[Leased]:
        """Delete those that are still this one's."""
        return self._settle("ack", leases, [])

    def nack(self, leases: Sequence[Leased], delay: int = 0) -> None:
        """Give back those that are still this one's."""
        self._settle("nack", leases, [delay])

    def renew(self, leases: Sequence[Leased]) -> list[Leased]:
        """Let the leases begin anew."""
        return self._settle("renew", leases, [int(self.lease_seconds * 1000)])

    def _settle(self, step: str, leases: Sequence[Leased], first: list[Any]) -> list[Leased]:
        lost: list[Leased] = []
        for queue in dict.fromkeys(each.queue for each in leases):
            mine = [each for each in leases if each.queue == queue]
            if queue not in self.layouts:  # deleted, with all that was in it
                continue
            for start in range(0, len(mine), 500):
                some = mine[start : start + 500]
                arguments = [*first]
                for each in some:
                    arguments += each.token
                lost += [some[int(place)] for place in self._step(queue, step, arguments) or ()]
        return lost

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


def _note(layout: Layout, answer: Any, marks: dict[str, bytes], sleep: int) -> int:
    """Where to wait for a queue that had nothing, and for how many milliseconds at most."""
    until = answer[1]
    if isinstance(layout, ListLayout):
        marks[layout.keys[0]] = b""
    else:
        stream, wake = answer[2:]
        if isinstance(layout, StreamLayout):
            marks[layout.keys[0]] = stream
        marks[layout.keys[-1]] = wake
    return sleep if until < 0 else int(until) + 1


def _database(virtual_host: str) -> int:
    name = virtual_host.strip("/")
    if not name:
        return 0
    if not name.isdecimal():
        raise ValueError(
            f"redis:// takes the number of a database, as in redis://localhost/0, not {name!r}"
        )
    return int(name)


def _ssl(address: Address) -> dict[str, Any]:
    if not address.ssl and address.transport not in {"rediss", "valkeys"}:
        return {}
    given = address.ssl if not isinstance(address.ssl, bool) else {}
    return {"ssl": True, **{f"ssl_{name.removeprefix('ssl_')}": value
                            for name, value in given.items()}}  # fmt: skip


transport = RemoteTransport(RedisDriver, FEATURES, 6379)
