"""Makes a program smaller as long as something still holds. Knows neither brokers nor records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .program import Operation, Program
from .typed import Json

__all__ = ["shrink"]

MOST_TRIES = 250


def shrink(
    program: Program, holds: Callable[[Program], bool], most_tries: int = MOST_TRIES
) -> Program:
    """A program with fewer and simpler operations for which `holds` is true, as it is for this one.

    Operations are left out in halves, then in quarters and so on, at last one by one; then what is
    left of each is made simpler. `holds` is asked at most `most_tries` times.
    """
    return _Shrinking(holds, most_tries).run(program)


class _Shrinking:
    def __init__(self, holds: Callable[[Program], bool], most_tries: int) -> None:
        self.holds = holds
        self.tries_left = most_tries

    def run(self, program: Program) -> Program:
        while True:
            smaller = self._simpler(self._shorter(program))
            if smaller.operations == program.operations or not self.tries_left:
                return smaller
            program = smaller

    def _try(self, program: Program) -> bool:
        if not self.tries_left:
            return False
        self.tries_left -= 1
        return self.holds(program)

    def _shorter(self, program: Program) -> Program:
        size = max(len(program.operations) // 2, 1)
        while True:
            start = len(program.operations)
            while start > 0:
                left_out = set(range(max(start - size, 0), start))
                candidate = program.without(left_out)
                if candidate.operations and self._try(candidate):
                    program = candidate
                start -= size
            if size == 1:
                return program
            size //= 2

    def _simpler(self, program: Program) -> Program:
        for index in range(len(program.operations)):
            progress = True
            while progress and self.tries_left:
                progress = False
                for simpler in _simpler(program.operations[index]):
                    operations = list(program.operations)
                    operations[index] = simpler
                    candidate = Program(operations, program.seed)
                    if self._try(candidate):
                        program, progress = candidate, True
                        break
        return program


def _simpler(operation: Operation) -> Iterator[Operation]:
    """The operation with one thing less, in each way."""
    if operation.method != "pause":
        if operation.times > 1:
            yield replace(operation, times=1)
        if operation.more:
            yield replace(operation, more=False)
    for properties in _fewer_properties(operation.properties):
        yield replace(operation, properties=properties)
    for arguments in _fewer_arguments(operation.arguments):
        yield replace(operation, arguments=arguments)
    if operation.channel > 1:
        yield replace(operation, channel=1)
    if operation.connection:
        yield replace(operation, connection=0)


def _fewer_properties(properties: dict[str, Json]) -> Iterator[dict[str, Json]]:
    if properties:
        yield {}
    if len(properties) > 1:
        for name in properties:
            yield _without(properties, name)
    for headers in _fewer_fields(properties.get("headers", [])):
        yield {**properties, "headers": headers}


def _fewer_arguments(arguments: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for name, value in arguments.items():
        if isinstance(value, bool) or name in {"routing_key", "arguments"}:
            yield _without(arguments, name)
    for table in _fewer_fields(arguments.get("arguments", [])):
        yield {**arguments, "arguments": table}


def _fewer_fields(table: Json) -> Iterator[Json]:
    for index in range(len(table)):
        yield [*table[:index], *table[index + 1 :]]


def _without(fields: dict[str, Json], name: str) -> dict[str, Json]:
    return {key: value for key, value in fields.items() if key != name}
