"""Makes programs from seeds. Knows what is sensible, and now and then does something else.

It keeps a rough account of what a program has made so far, only to be sensible more often: what a
broker makes of the program is not its business.
"""

from __future__ import annotations

from random import Random

from .program import Operation, Program
from .queues import QueueMaker
from .typed import Json
from .values import (
    EXCHANGE_TYPES,
    KEYS,
    PATTERNS,
    bind_arguments,
    chance,
    pick,
    properties,
    weighted,
)

__all__ = ["generate"]

REPLY_TO = "amq.rabbitmq.reply-to"
PAUSE = 50
"""Milliseconds after which everything that expires at once has expired."""


def generate(seed: int) -> Program:
    """The program of a seed, always the same."""
    return _Maker(seed).program()


_WEIGHTS: dict[str, float] = {
    "queue_declare": 7,
    "exchange_declare": 4,
    "queue_bind": 7,
    "exchange_bind": 2.5,
    "unbind": 2.5,
    "purge": 1.5,
    "queue_delete": 1.5,
    "exchange_delete": 1,
    "publish": 24,
    "get": 8,
    "consume": 8,
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


class _Maker:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        flavour = weighted(self.random, {"classic": 86, "quorum": 10, "brief": 4})
        self.brief = flavour == "brief"
        self.queues = QueueMaker(self.random, flavour)
        self.types = {f"~x{n}": pick(self.random, EXCHANGE_TYPES) for n in range(1, 5)}
        self.done: list[Operation] = []
        self.receiving: list[tuple[int, int]] = []
        """Channels that have something to settle, perhaps."""
        self.tags: list[tuple[int, int, str]] = []
        self.quiet = flavour == "quorum"

    def program(self) -> Program:
        for _ in range(self.random.randint(1, 3)):
            self.queue_declare()
        for _ in range(self.random.randint(0, 3)):
            self.exchange_declare()
        for _ in range(self.random.randint(0, 4)):
            self.queue_bind()
        for _ in range(self.random.randint(6, 14 if self.quiet else 24)):
            getattr(self, weighted(self.random, _WEIGHTS))()
        return Program(self.done, self.seed)

    # -- parts

    def add(self, method: str, where: tuple[int, int] | None = None, **arguments: Json) -> None:
        self.put(method, where, arguments)

    def put(
        self,
        method: str,
        where: tuple[int, int] | None,
        arguments: dict[str, Json],
        **content: Json,
    ) -> None:
        connection, channel = where or self.where()
        content.setdefault("more", self.brief)
        self.done.append(Operation(connection, channel, method, arguments, **content))
        if content["more"]:
            self.done.append(Operation(connection, channel, "pause", times=PAUSE))

    def where(self) -> tuple[int, int]:
        connection = weighted(self.random, {0: 6, 1: 3, 2: 1})
        return connection, weighted(self.random, {1: 7, 2: 2, 3: 1})

    def exchange(self, missing: float = 3) -> str:
        if chance(self.random, missing):
            return pick(self.random, ("~missing", "", "amq.none"))
        if chance(self.random, 8):
            return pick(self.random, ("amq.direct", "amq.topic", "amq.fanout", "amq.headers"))
        made = sorted(
            {
                str(each.arguments["exchange"])
                for each in self.done
                if each.method == "exchange.declare" and not each.arguments.get("passive")
            }
        )
        return pick(self.random, made or ["amq.direct", "amq.topic", "amq.headers"])

    def queue(self, missing: float = 3) -> str:
        if chance(self.random, missing):
            return pick(self.random, ("~missing", "", "amq.none"))
        if chance(self.random, 4):
            return "<queue-1>"
        made = sorted(
            {str(each.arguments["queue"]) for each in self.done if each.method == "queue.declare"}
            - {""}
        )
        return pick(self.random, made or ["~q1"])

    def flag(self, name: str, percent: float) -> dict[str, Json]:
        return {name: True} if chance(self.random, percent) else {}

    def key(self, exchange: str) -> str:
        kind = self.types.get(exchange, exchange.removeprefix("amq."))
        if kind == "topic" and chance(self.random, 80):
            return pick(self.random, PATTERNS)
        return pick(self.random, KEYS)

    # -- declaring

    def queue_declare(self) -> None:
        self.put("queue.declare", None, self.queues.declare())

    def exchange_declare(self) -> None:
        random = self.random
        name = pick(random, sorted(self.types))
        kind = self.types[name]
        fields: dict[str, Json] = {"exchange": name, "type": kind}
        if chance(random, 4):
            fields["type"] = weighted(random, {"direct": 5, "fanout": 5, "nonsense": 1, "": 1})
        if chance(random, 4):
            fields["exchange"] = pick(
                random, ("", "amq.mine", "amq.direct", "amq.topic", "~a\r\nb", "~missing")
            )
        fields |= self.flag("durable", 40) | self.flag("auto_delete", 8)
        fields |= self.flag("internal", 6) | self.flag("passive", 8) | self.flag("nowait", 6)
        if chance(random, 12):
            target = weighted(random, {"~x4": 5, "~x3": 3, "~missing": 1, "amq.fanout": 1, "": 1})
            value = ["S", target] if chance(random, 90) else ["I", 1]
            fields["arguments"] = [["alternate-exchange", value]]
        self.put("exchange.declare", None, fields)

    def queue_bind(self) -> None:
        exchange = self.exchange()
        fields: dict[str, Json] = {"queue": self.queue(), "exchange": exchange}
        self.bind("queue.bind", exchange, fields)

    def exchange_bind(self) -> None:
        source, destination = self.exchange(), self.exchange()
        if destination.startswith("amq."):
            destination = "~x1"
        self.bind("exchange.bind", source, {"destination": destination, "source": source})

    def bind(self, method: str, source: str, fields: dict[str, Json]) -> None:
        key = self.key(source)
        fields |= {"routing_key": key} if key else {}
        fields |= self.flag("nowait", 6)
        if self.types.get(source) == "headers" or chance(self.random, 8):
            fields["arguments"] = bind_arguments(self.random)
        self.put(method, None, fields)

    def unbind(self) -> None:
        bound = [each for each in self.done if each.method in {"queue.bind", "exchange.bind"}]
        if not bound:
            return
        model = pick(self.random, bound)
        fields = {**model.arguments}
        if chance(self.random, 15):
            fields["routing_key"] = pick(self.random, KEYS)
        if model.method == "queue.bind":
            fields.pop("nowait", None)
        self.put(model.method.replace("bind", "unbind"), None, fields)

    def purge(self) -> None:
        self.put("queue.purge", None, {"queue": self.queue()} | self.flag("nowait", 8))

    def queue_delete(self) -> None:
        fields = {"queue": self.queue()} | self.flag("nowait", 8)
        self.put(
            "queue.delete", None, fields | self.flag("if_unused", 30) | self.flag("if_empty", 30)
        )

    def exchange_delete(self) -> None:
        fields = {"exchange": self.exchange()} | self.flag("nowait", 8)
        self.put("exchange.delete", None, fields | self.flag("if_unused", 35))

    # -- publishing

    def publish(self) -> None:
        random = self.random
        if chance(random, 40):
            exchange, key = "", self.queue()
        else:
            exchange = self.exchange(2)
            key = pick(random, KEYS)
            if exchange.startswith("amq."):
                exchange, key = "amq.direct", self.queue()
        fields: dict[str, Json] = {"exchange": exchange, "routing_key": key}
        fields |= self.flag("mandatory", 25) | self.flag("immediate", 0.3)
        where = self.busy_channel() if chance(random, 30) else None
        self.put(
            "basic.publish",
            where,
            fields,
            properties=properties(random, [*KEYS[:5], "~q1", "~q2"]),
            body=weighted(random, {f"m{len(self.done)}": 9, "": 1}),
            times=weighted(random, {1: 6, 2: 2, 3: 2, 5: 1}),
        )

    def mode(self) -> None:
        method = weighted(self.random, {"confirm.select": 5, "tx.select": 3})
        fields = self.flag("nowait", 10) if method == "confirm.select" else {}
        where = self.where()
        self.put(method, where, fields)
        if chance(self.random, 60):
            self.receiving.append(where)

    def transact(self) -> None:
        selecting = [
            (each.connection, each.channel) for each in self.done if each.method == "tx.select"
        ]
        if not selecting and not chance(self.random, 8):
            return
        method = weighted(self.random, {"tx.commit": 3, "tx.rollback": 1.5})
        self.add(method, pick(self.random, selecting) if selecting else None)

    # -- receiving

    def busy_channel(self) -> tuple[int, int]:
        if self.receiving and chance(self.random, 96):
            return pick(self.random, self.receiving[-4:])
        return self.where()

    def get(self) -> None:
        where = self.busy_channel() if chance(self.random, 50) else self.where()
        self.put("basic.get", where, {"queue": self.queue()} | self.flag("no_ack", 30))
        self.receiving.append(where)

    def consume(self) -> None:
        random = self.random
        where = self.where()
        fields: dict[str, Json] = {"queue": self.queue()}
        tag = f"t{len(self.tags) + 1}"
        if self.tags and chance(random, 3):
            tag = self.tags[-1][2]
        if not chance(random, 15):
            fields["consumer_tag"] = tag
            fields |= self.flag("nowait", 6)
            self.tags.append((*where, tag))
        fields |= self.flag("no_ack", 25) | self.flag("exclusive", 6) | self.flag("no_local", 4)
        if chance(random, 15):
            value = ["I", pick(random, (0, 1, 10, -1))]
            if chance(random, 8):
                value = pick(random, (["S", "1"], ["V", None], ["A", []], ["d", 1.0], ["l", 5]))
            fields["arguments"] = [["x-priority", value]]
        if chance(random, 30):
            self.put("basic.qos", where, {"prefetch_count": random.randint(1, 3)})
        self.put("basic.consume", where, fields)
        self.receiving.append(where)

    def cancel(self) -> None:
        if not self.tags:
            return
        connection, channel, tag = pick(self.random, self.tags)
        if chance(self.random, 10):
            tag = pick(self.random, ("nobody", "<tag-1>", ""))
        fields = {"consumer_tag": tag} | self.flag("nowait", 8)
        self.put("basic.cancel", (connection, channel), fields)

    def qos(self) -> None:
        fields: dict[str, Json] = {"prefetch_count": self.random.randint(0, 4)}
        fields |= self.flag("global_", 30)
        if chance(self.random, 2):
            fields["prefetch_size"] = 1
        self.put("basic.qos", self.busy_channel(), fields)

    def settle(self) -> None:
        random = self.random
        method = weighted(random, {"basic.ack": 5, "basic.nack": 3, "basic.reject": 3})
        fields: dict[str, Json] = {"delivery_tag": self.delivery_tag()}
        if method != "basic.reject":
            fields |= self.flag("multiple", 20)
        if method != "basic.ack":
            fields["requeue"] = chance(random, 50)
        self.put(method, self.busy_channel(), fields)

    def delivery_tag(self) -> Json:
        random = self.random
        if chance(random, 4):
            return weighted(random, {0: 5, 1: 3, 99: 2})
        which = weighted(random, {"oldest": 3, "newest": 2})
        return [which, weighted(random, {0: 7, 1: 2, 2: 1})]

    def recover(self) -> None:
        method = weighted(self.random, {"basic.recover": 3, "basic.recover-async": 1})
        self.put(method, self.busy_channel(), {"requeue": not chance(self.random, 5)})

    def reply_to(self) -> None:
        random = self.random
        where = self.where()
        no_ack = not chance(random, 8)
        self.put("basic.consume", where, {"queue": REPLY_TO, "no_ack": no_ack})
        request = {"reply_to": REPLY_TO, "correlation_id": "c"}
        asked = {"exchange": "", "routing_key": self.queue()}
        asker = where if not chance(random, 15) else None
        self.put("basic.publish", asker, asked, properties=request, body="request")
        target = {"exchange": "", "routing_key": "<reply-1>"} | self.flag("mandatory", 30)
        self.put("basic.get", None, {"queue": asked["routing_key"], "no_ack": True})
        self.put("basic.publish", None, target, body="reply")
        if chance(random, 30):
            known = {"queue": pick(random, ("<reply-1>", REPLY_TO)), "passive": True}
            self.put("queue.declare", None, known)

    # -- the rest

    def leave(self) -> None:
        method = weighted(
            self.random, {"channel.close": 6, "connection.close": 3, "connection.drop": 1}
        )
        connection, channel = self.busy_channel()
        if method != "channel.close":
            channel = 0
        if any(each.connection == connection for each in self.done):
            self.add(method, (connection, channel))

    def oddity(self) -> None:
        method = weighted(
            self.random,
            {"channel.flow": 4, "access.request": 1, "channel.open": 0.5, "basic.ack": 0.5},
        )
        where = self.where()
        if method == "channel.flow":
            self.put(method, where, {"active": not chance(self.random, 10)})
        elif method == "basic.ack":
            self.put(method, (where[0], 77), {"delivery_tag": 1}, raw=True)
        else:
            self.add(method, where)
