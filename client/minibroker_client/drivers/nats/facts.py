"""What is declared, in a bucket of keys and values that is watched. Runs in an event loop.

A fact's key in the bucket is the SHA-256 of its own, which may be long and of any characters; the
value is both as JSON. A removed one leaves a mark for an hour, on servers that can do that, which
tells those who watch.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

from ...remote.driver import DriverError
from ...remote.transport import needed
from .wire import PATIENCE, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Bucket", "WatchedFacts"]

MARK = 3600
"""Seconds that the mark of a removed fact stays."""


class Bucket:
    """What is in one. `load` and `version` are for any thread, all else is for its loop."""

    def __init__(self, wire: Wire, bucket: str) -> None:
        self._wire = wire
        self._bucket = bucket
        self._errors: Any = needed("nats.js.errors", "nats")
        self._store: Any = None
        self._lock = threading.Lock()
        self._facts: dict[str, tuple[str, str]] = {}
        """Key and value, by key in the bucket."""
        self._revisions: dict[str, int] = {}
        self._seen = 0
        """The last revision that the watch has brought."""
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.version = 0
        """Another one after each change."""

    async def open(self, replicas: int) -> None:
        """Make the bucket unless it is there, and read it."""
        stream = self._wire.client.jetstream()
        within = self._wire.within
        try:
            self._store = await within(stream.key_value(self._bucket))
        except self._errors.BucketNotFoundError:
            made = stream.create_key_value(bucket=self._bucket, replicas=replicas)
            self._store = await within(made)
        self._seen = await self._last()
        watcher = await within(self._store.watchall())
        read = asyncio.Event()
        self._wire.watchers.add(self._came.set)
        self._task = asyncio.ensure_future(self._follow(watcher, read))
        await within(read.wait())

    async def _last(self) -> int:
        info = await self._wire.api(f"STREAM.INFO.KV_{self._bucket}")
        last: int = info["state"]["last_seq"]
        return last

    async def _follow(self, watcher: Any, read: asyncio.Event) -> None:
        async for entry in watcher:
            if entry is None:  # all that was there at the beginning
                read.set()
                continue
            self._apply(entry.key, entry.revision, None if entry.operation else entry.value)
            self._seen = max(self._seen, entry.revision)
            self._came.set()

    def _apply(self, mark: str, revision: int, value: bytes | None) -> None:
        if self._revisions.get(mark, 0) >= revision:
            return
        try:
            fact = None if value is None else json.loads(value)
        except ValueError:
            return  # not one of ours
        with self._lock:
            if fact is None:
                self._facts.pop(mark, None)
            else:
                self._facts[mark] = (fact[0], fact[1])
            self._revisions[mark] = revision
            self.version += 1

    async def catch_up(self) -> int:
        """The version, once all is known that was declared before this call."""
        last = await self._last()
        try:
            async with asyncio.timeout(PATIENCE):
                while self._seen < last:
                    self._came.clear()
                    await self._came.wait()
                    self._wire.check()
        except TimeoutError:
            raise self._wire.lose(f"the bucket {self._bucket} tells no news") from None
        return self.version

    async def change(self, wait: float) -> None:
        """Wait up to so many seconds for news."""
        self._came.clear()
        try:
            async with asyncio.timeout(wait):
                await self._came.wait()
        except TimeoutError:
            return
        self._wire.check()

    def load(self) -> dict[str, str]:
        """All facts that are known."""
        with self._lock:
            return dict(self._facts.values())

    async def add(self, key: str, value: str) -> str:
        """Add a fact unless there is one; the value that is there."""
        mark = hashlib.sha256(key.encode()).hexdigest()
        data = json.dumps([key, value], ensure_ascii=False).encode()
        for _ in range(10):
            try:
                revision = await self._wire.within(self._store.create(mark, data))
            except self._errors.KeyWrongLastSequenceError:
                try:
                    entry = await self._wire.within(self._store.get(mark))
                except self._errors.KeyNotFoundError:  # removed meanwhile
                    continue
                revision, data = entry.revision, entry.value
            self._apply(mark, revision, data)
            there: str = json.loads(data)[1]
            return there
        raise DriverError(f"NATS: {key} is added and removed all the time")

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove facts, if they are there."""
        for key in keys:
            mark = hashlib.sha256(key.encode()).hexdigest()
            await self._wire.within(self._store.purge(mark, msg_ttl=MARK))
        # Their revisions are not told, but the watch brings them.
        await self.catch_up()


class WatchedFacts:
    """The same for the driver's callers. Thread-safe."""

    def __init__(self, bucket: Bucket, call: Callable[..., Any]) -> None:
        """`call` runs a coroutine in the loop and waits for it."""
        self._bucket = bucket
        self._call = call

    def version(self) -> object:
        """A count of changes, once all is known that the server knows now."""
        return self._call(self._bucket.catch_up())

    def load(self) -> dict[str, str]:
        """All facts: they are known."""
        return self._bucket.load()

    def add(self, key: str, value: str) -> str:
        """Create a key of the bucket."""
        there: str = self._call(self._bucket.add(key, value))
        return there

    def remove(self, keys: Sequence[str]) -> None:
        """Purge keys of the bucket."""
        if keys:
            self._call(self._bucket.remove(keys))
