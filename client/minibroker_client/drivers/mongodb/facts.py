"""Facts in MongoDB: a document each, by the hash of its key, and a counter of their changes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ...remote.driver import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["MongoFacts"]

VERSION = "version"


class MongoFacts:
    """The facts in one collection. `ask` is the driver's way to call pymongo. Thread-safe."""

    def __init__(self, ask: Callable[..., Any], collection: Any, errors: Any) -> None:
        self._ask = ask
        self._collection = collection
        self._errors = errors

    def version(self) -> object:
        """The counter of changes."""
        found = self._ask(self._collection.find_one, {"_id": VERSION})
        return 0 if found is None else found["changes"]

    def load(self) -> dict[str, str]:
        """All facts."""
        found = self._ask(lambda: list(self._collection.find({"kind": "fact"})))
        return {each["key"]: each["value"] for each in found}

    def add(self, key: str, value: str) -> str:
        """Insert a document; the one that is there stays."""
        document = {"_id": _digest(key), "kind": "fact", "key": key, "value": value}
        try:
            self._collection.insert_one(document)
        except self._errors.DuplicateKeyError:
            found = self._ask(self._collection.find_one, {"_id": document["_id"]})
            if found is not None:
                return str(found["value"])
            return self.add(key, value)  # removed in between
        except self._errors.PyMongoError as error:
            raise DriverError(f"MongoDB: {error}") from error
        self._changed()
        return value

    def remove(self, keys: Sequence[str]) -> None:
        """Delete documents."""
        meant = {"_id": {"$in": [_digest(key) for key in keys]}}
        self._ask(self._collection.delete_many, meant)
        self._changed()

    def _changed(self) -> None:
        change = {"$inc": {"changes": 1}}
        self._ask(self._collection.update_one, {"_id": VERSION}, change, upsert=True)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
