"""Makes declarations of queues for programs. Knows no other operation.

A queue of a program has its own settings: declared again, it is mostly declared with the same.
"""

from __future__ import annotations

from random import Random

from .typed import Json
from .values import BAD_ARGUMENTS, HOUR, any_value, chance, pick, weighted

__all__ = ["QueueMaker"]

_NAMES = ("~q1", "~q2", "~q3", "~q4")


class QueueMaker:
    """Declarations of the queues of one program."""

    def __init__(self, random: Random, flavour: str) -> None:
        self.random = random
        self.flavour = flavour
        """"classic", "quorum" or "brief": what lives for a millisecond."""
        self._settings: dict[str, dict[str, Json]] = {}

    def declare(self) -> dict[str, Json]:
        """The fields of one declaration."""
        random = self.random
        if chance(random, 5):
            return self._server_named()
        name = pick(random, _NAMES if len(self._settings) > 1 else _NAMES[:3])
        if name not in self._settings:
            self._settings[name] = self._quorum() if self._is_quorum(name) else self._classic()
        fields = {"queue": name, **self._settings[name]}
        if chance(random, 10):
            fields = {"queue": fields["queue"], "passive": True}
        elif chance(random, 8):
            fields = self._altered(fields)
        if chance(random, 1.5):
            fields["queue"] = pick(random, ("amq.mine", "~missing", "~a\r\nb"))
        if chance(random, 5):
            fields["nowait"] = True
        return fields

    def _is_quorum(self, name: str) -> bool:
        return self.flavour == "quorum" and (name == "~q1" or chance(self.random, 30))

    def _server_named(self) -> dict[str, Json]:
        fields: dict[str, Json] = {"queue": "", "exclusive": True}
        if chance(self.random, 20):
            fields["auto_delete"] = True
        if chance(self.random, 15):
            fields["arguments"] = [["x-max-length", ["I", 2]]]
        return fields

    def _classic(self) -> dict[str, Json]:
        random = self.random
        fields: dict[str, Json] = {}
        for flag, percent in (("durable", 50), ("exclusive", 8), ("auto_delete", 8)):
            if chance(random, percent):
                fields[flag] = True
        table: Json = []
        if chance(random, 30):
            table.append(["x-message-ttl", self._ttl()])
        if chance(random, 25):
            table += self._limits()
        if chance(random, 40):
            table += self._dead_letters()
        if chance(random, 15):
            table.append(["x-max-priority", ["I", pick(random, (1, 2, 5, 10))]])
        if chance(random, 10):
            table.append(["x-single-active-consumer", ["t", True]])
        table += self._rare()
        if any(name == "x-dead-letter-exchange" for name, _ in table):
            # RabbitMQ 3.10 forgets `original-expiration` of what it has read from the disk.
            table = [each for each in table if each != ["x-queue-mode", ["S", "lazy"]]]
        if table:
            fields["arguments"] = table
        return fields

    def _rare(self) -> Json:
        random = self.random
        rare = (
            ("x-expires", ["I", HOUR]),
            ("x-queue-mode", ["S", pick(random, ("lazy", "default"))]),
            ("x-queue-type", ["S", "classic"]),
            ("x-queue-version", ["I", pick(random, (1, 2))]),
            ("x-other", any_value(random)),
        )
        return [[name, value] for name, value in rare if chance(random, 4)]

    def _ttl(self) -> Json:
        if self.flavour == "brief":
            return ["I", 1]
        return _long_or_zero(self.random)

    def _limits(self) -> Json:
        random = self.random
        table: Json = []
        if chance(random, 75):
            table.append(["x-max-length", ["I", pick(random, (0, 1, 2, 3))]])
        if not table or chance(random, 15):
            table.append(["x-max-length-bytes", ["I", pick(random, (0, 4, 8))]])
        if chance(random, 60):
            overflow = pick(random, ("drop-head", "reject-publish", "reject-publish-dlx"))
            table.append(["x-overflow", ["S", overflow]])
        return table

    def _dead_letters(self) -> Json:
        random = self.random
        target = weighted(random, {"": 4, "~x1": 4, "~x2": 3, "~missing": 0.7, "amq.direct": 0.7})
        table: Json = [["x-dead-letter-exchange", ["S", target]]]
        if chance(random, 55):
            key = weighted(random, {"~q1": 3, "~q2": 3, "~q3": 2, "a": 2, "b": 1, "": 0.3})
            table.append(["x-dead-letter-routing-key", ["S", key]])
        return table

    def _quorum(self) -> dict[str, Json]:
        random = self.random
        table: Json = [["x-queue-type", ["S", "quorum"]]]
        if chance(random, 40):
            table.append(["x-delivery-limit", ["I", pick(random, (0, 1, 2))]])
        if chance(random, 40):
            table += self._dead_letters()
        if chance(random, 25):
            table.append(["x-max-length", ["I", pick(random, (1, 2, 3))]])
            # Not reject-publish: how much a full quorum queue takes nevertheless depends on time.
            if chance(random, 50):
                table.append(["x-overflow", ["S", "drop-head"]])
        if chance(random, 15):
            table.append(["x-single-active-consumer", ["t", True]])
        if chance(random, 10):
            table.append(["x-message-ttl", _long_or_zero(random)])
        return {"durable": True, "arguments": table}

    def _altered(self, fields: dict[str, Json]) -> dict[str, Json]:
        """The same with one thing changed: most often it is refused."""
        random = self.random
        fields = {**fields}
        if chance(random, 35):
            flag = pick(random, ("durable", "exclusive", "auto_delete"))
            fields[flag] = not fields.get(flag, False)
            return fields
        table = list(fields.get("arguments", []))
        if table and chance(random, 30):
            table.pop(random.randrange(len(table)))
        else:
            name = pick(random, sorted(BAD_ARGUMENTS))
            table = [each for each in table if each[0] != name]
            table.append([name, pick(random, BAD_ARGUMENTS[name])])
        fields["arguments"] = table
        return fields


def _long_or_zero(random: Random) -> Json:
    """A time to live that is over at once, or not while anybody looks."""
    return pick(random, (["I", 0], ["I", HOUR], ["I", HOUR], ["l", HOUR], ["b", 0]))
