"""Publishes, consumes and settles, for programs, and opens and closes what that takes.

Knows nothing of declarations.
"""

from __future__ import annotations

from .draft import Draft
from .typed import Json
from .values import KEYS, chance, pick, properties, weighted

__all__ = ["Traffic"]

REPLY_TO = "amq.rabbitmq.reply-to"


class Traffic:
    """Adds operations on messages and channels to a draft."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def publish(self) -> None:
        """Publish."""
        random = self.draft.random
        if chance(random, 40):
            exchange, key = "", self.draft.queue()
        else:
            exchange = self.draft.exchange(2)
            key = pick(random, KEYS)
            if exchange.startswith("amq."):
                exchange, key = "amq.direct", self.draft.queue()
        fields: dict[str, Json] = {"exchange": exchange, "routing_key": key}
        fields |= self.draft.flag("mandatory", 25) | self.draft.flag("immediate", 0.3)
        where = self.draft.busy_channel() if chance(random, 30) else None
        self.draft.put(
            "basic.publish",
            where,
            fields,
            properties=properties(random, [*KEYS[:5], "~q1", "~q2"]),
            body=weighted(random, {f"m{len(self.draft.done)}": 9, "": 1}),
            times=weighted(random, {1: 6, 2: 2, 3: 2, 5: 1}),
        )

    def mode(self) -> None:
        """Begin confirms or transactions."""
        method = weighted(self.draft.random, {"confirm.select": 5, "tx.select": 3})
        fields = self.draft.flag("nowait", 10) if method == "confirm.select" else {}
        where = self.draft.where()
        self.draft.put(method, where, fields)
        if chance(self.draft.random, 60):
            self.draft.receiving.append(where)

    def transact(self) -> None:
        """End a transaction."""
        selecting = [
            (each.connection, each.channel)
            for each in self.draft.done
            if each.method == "tx.select"
        ]
        if not selecting and not chance(self.draft.random, 8):
            return
        method = weighted(self.draft.random, {"tx.commit": 3, "tx.rollback": 1.5})
        self.draft.add(method, pick(self.draft.random, selecting) if selecting else None)

    # -- receiving

    def get(self) -> None:
        """Get a message."""
        where = self.draft.busy_channel() if chance(self.draft.random, 50) else self.draft.where()
        self.draft.put(
            "basic.get", where, {"queue": self.draft.queue()} | self.draft.flag("no_ack", 30)
        )
        self.draft.receiving.append(where)

    def consume(self) -> None:
        """Begin to consume."""
        random = self.draft.random
        where = self.draft.where()
        fields: dict[str, Json] = {"queue": self.draft.queue()}
        tag = f"t{len(self.draft.tags) + 1}"
        if self.draft.tags and chance(random, 3):
            tag = self.draft.tags[-1][2]
        if not chance(random, 15):
            fields["consumer_tag"] = tag
            fields |= self.draft.flag("nowait", 6)
            self.draft.tags.append((*where, tag))
        fields |= (
            self.draft.flag("no_ack", 25)
            | self.draft.flag("exclusive", 6)
            | self.draft.flag("no_local", 4)
        )
        if chance(random, 15):
            value = ["I", pick(random, (0, 1, 10, -1))]
            if chance(random, 8):
                value = pick(random, (["S", "1"], ["V", None], ["A", []], ["d", 1.0], ["l", 5]))
            fields["arguments"] = [["x-priority", value]]
        if chance(random, 30):
            self.draft.put("basic.qos", where, {"prefetch_count": random.randint(1, 3)})
        self.draft.put("basic.consume", where, fields)
        self.draft.receiving.append(where)

    def compete(self) -> None:
        """Begin to consume from one queue several times, with limits and priorities."""
        random = self.draft.random
        queue = self.draft.queue()
        for _ in range(random.randint(2, 4)):
            where = self.draft.where()
            self.draft.put("basic.qos", where, {"prefetch_count": random.randint(0, 2)})
            tag = f"t{len(self.draft.tags) + 1}"
            self.draft.tags.append((*where, tag))
            fields: dict[str, Json] = {"queue": queue, "consumer_tag": tag}
            fields |= self.draft.flag("no_ack", 10)
            if chance(random, 25):
                fields["arguments"] = [["x-priority", ["I", pick(random, (1, 2))]]]
            self.draft.put("basic.consume", where, fields)
            self.draft.receiving.append(where)

    def cancel(self) -> None:
        """Cancel a consumer."""
        if not self.draft.tags:
            return
        connection, channel, tag = pick(self.draft.random, self.draft.tags)
        if chance(self.draft.random, 10):
            tag = pick(self.draft.random, ("nobody", "<tag-1>", ""))
        fields = {"consumer_tag": tag} | self.draft.flag("nowait", 8)
        self.draft.put("basic.cancel", (connection, channel), fields)

    def qos(self) -> None:
        """Limit what is unacked."""
        fields: dict[str, Json] = {"prefetch_count": self.draft.random.randint(0, 4)}
        fields |= self.draft.flag("global_", 30)
        if chance(self.draft.random, 2):
            fields["prefetch_size"] = 1
        self.draft.put("basic.qos", self.draft.busy_channel(), fields)

    def settle(self) -> None:
        """Settle a delivery."""
        random = self.draft.random
        method = weighted(random, {"basic.ack": 5, "basic.nack": 3, "basic.reject": 3})
        fields: dict[str, Json] = {"delivery_tag": self._delivery_tag()}
        if method != "basic.reject":
            fields |= self.draft.flag("multiple", 20)
        if method != "basic.ack":
            fields["requeue"] = chance(random, 50)
        self.draft.put(method, self.draft.busy_channel(), fields)

    def _delivery_tag(self) -> Json:
        random = self.draft.random
        if chance(random, 4):
            return weighted(random, {0: 5, 1: 3, 99: 2})
        which = weighted(random, {"oldest": 3, "newest": 2})
        return [which, weighted(random, {0: 7, 1: 2, 2: 1})]

    def recover(self) -> None:
        """Take back what is unacked."""
        method = weighted(self.draft.random, {"basic.recover": 3, "basic.recover-async": 1})
        self.draft.put(
            method, self.draft.busy_channel(), {"requeue": not chance(self.draft.random, 5)}
        )

    def reply_to(self) -> None:
        """Ask a question and answer it, over direct reply-to."""
        random = self.draft.random
        where = self.draft.where()
        no_ack = not chance(random, 8)
        self.draft.put("basic.consume", where, {"queue": REPLY_TO, "no_ack": no_ack})
        request = {"reply_to": REPLY_TO, "correlation_id": "c"}
        asked = {"exchange": "", "routing_key": self.draft.queue()}
        asker = where if not chance(random, 15) else None
        self.draft.put("basic.publish", asker, asked, properties=request, body="request")
        target = {"exchange": "", "routing_key": "<reply-1>"} | self.draft.flag("mandatory", 30)
        self.draft.put("basic.get", None, {"queue": asked["routing_key"], "no_ack": True})
        self.draft.put("basic.publish", None, target, body="reply")
        if chance(random, 30):
            known = {"queue": pick(random, ("<reply-1>", REPLY_TO)), "passive": True}
            self.draft.put("queue.declare", None, known)

    # -- the rest

    def leave(self) -> None:
        """Close a channel or a connection."""
        method = weighted(
            self.draft.random, {"channel.close": 6, "connection.close": 3, "connection.drop": 1}
        )
        connection, channel = self.draft.busy_channel()
        if method != "channel.close":
            channel = 0
        if any(each.connection == connection for each in self.draft.done):
            self.draft.add(method, (connection, channel))

    def oddity(self) -> None:
        """Do what clients hardly ever do."""
        method = weighted(
            self.draft.random,
            {"channel.flow": 4, "access.request": 1, "channel.open": 0.5, "basic.ack": 0.5},
        )
        where = self.draft.where()
        if method == "channel.flow":
            self.draft.put(method, where, {"active": not chance(self.draft.random, 10)})
        elif method == "basic.ack":
            self.draft.put(method, (where[0], 77), {"delivery_tag": 1}, raw=True)
        else:
            self.draft.add(method, where)
