"""A program: operations of clients on a broker, as data. Knows nothing of how they are performed.

An operation is a method of AMQP by its name, with its fields, on a channel of a connection; or one
of four things that are no method: `connection.drop` closes the socket, `pause` lets time pass,
`connection.close` and `channel.close` are those of the client.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from .typed import Json

__all__ = ["Operation", "Program"]

_NOTHING = {"arguments": {}, "properties": {}, "body": "", "times": 1, "more": False, "raw": False}


@dataclass(frozen=True, slots=True)
class Operation:
    """What one client does."""

    connection: int
    channel: int
    method: str
    arguments: dict[str, Json] = field(default_factory=dict)
    """The fields of the method's record that are not its defaults; tables as `typed` has them.

    A delivery tag is a number, or `["newest", n]` or `["oldest", n]` of those not yet settled.
    """
    properties: dict[str, Json] = field(default_factory=dict)
    body: str = ""
    times: int = 1
    """How often it is published; each body is numbered then."""
    more: bool = False
    """Whether the next operation follows at once, without seeing what this one led to."""
    raw: bool = False
    """Whether it is sent also on a channel that is not open."""

    def to_json(self) -> Json:
        """As JSON, without what is as usual."""
        shown: Json = {"on": [self.connection, self.channel], "do": self.method}
        for name, usual in _NOTHING.items():
            value = getattr(self, name)
            if value != usual:
                shown[name] = value
        return shown

    @classmethod
    def from_json(cls, shown: Json) -> Operation:
        """The operation. Raises ValueError for what is none."""
        try:
            connection, channel = shown["on"]
            method = shown["do"]
            known = {"on", "do", *_NOTHING}
            if not known.issuperset(shown):
                raise ValueError(f"operation {shown!r} has other fields than {sorted(known)}")
            rest = {name: shown[name] for name in _NOTHING if name in shown}
        except (KeyError, TypeError) as error:
            raise ValueError(f"no operation: {shown!r}: {error}") from None
        return cls(connection, channel, method, **rest)

    def __str__(self) -> str:
        parts = [f"{name}={value!r}" for name, value in self.arguments.items()]
        if self.properties:
            parts.append(f"properties={self.properties!r}")
        if self.body:
            parts.append(f"body={self.body!r}")
        if self.times != 1:
            parts.append(f"times={self.times}")
        more = " ..." if self.more else ""
        return f"{self.connection}.{self.channel} {self.method}({', '.join(parts)}){more}"


@dataclass(frozen=True, slots=True)
class Program:
    """Operations in their order, and which seed made them."""

    operations: Sequence[Operation]
    seed: int = 0

    def to_json(self) -> Json:
        """As JSON."""
        return {"seed": self.seed, "operations": [each.to_json() for each in self.operations]}

    @classmethod
    def from_json(cls, shown: Json) -> Program:
        """The program. Raises ValueError for what is none."""
        if not isinstance(shown, dict) or not isinstance(shown.get("operations"), list):
            raise ValueError("no program: it has no list of operations")
        operations = [Operation.from_json(each) for each in shown["operations"]]
        return cls(operations, shown.get("seed", 0))

    def without(self, left_out: set[int]) -> Program:
        """The program without some of its operations, by their index."""
        kept = [each for index, each in enumerate(self.operations) if index not in left_out]
        return Program(kept, self.seed)

    def one_by_one(self) -> Program:
        """The program with each message that is published several times as operations apart."""
        apart: list[Operation] = []
        for each in self.operations:
            several = each.times > 1 and each.method == "basic.publish"
            bodies = [f"{each.body}{number + 1}" for number in range(each.times)]
            apart += [replace(each, body=body, times=1) for body in bodies] if several else [each]
        return Program(apart, self.seed)

    def names(self, kind: str) -> list[str]:
        """The names of the queues (`kind` "queue") or exchanges that operations may create."""
        found = {
            str(each.arguments.get(kind, ""))
            for each in self.operations
            if each.method == f"{kind}.declare"
        }
        return sorted(name for name in found if name.startswith("~"))

    def uses_quorum(self) -> bool:
        """Whether there may be a quorum queue, which answers in its own time."""
        return any(
            ["x-queue-type", ["S", "quorum"]] in list(_tables(each)) for each in self.operations
        )


def _tables(operation: Operation) -> Iterator[Json]:
    yield from operation.arguments.get("arguments", ())
