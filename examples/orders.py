"""A small shop on any broker: `python examples/orders.py URL` prints the same for each URL.

    python examples/orders.py memory://
    python examples/orders.py file:///tmp/shop
    python examples/orders.py amqp://guest:guest@localhost/
    python examples/orders.py redis://localhost/0
    python examples/orders.py sqs://KEY:SECRET@localhost:4566/

Orders go to an exchange; billing bills them and says so on the same exchange, shipping ships what
is paid. What cannot be billed is dead-lettered, and a parcel that is dropped is tried again.
"""

from __future__ import annotations

import sys
from typing import Any

from minibroker_client import Connection, Exchange, Message, Queue

URL = sys.argv[1] if len(sys.argv) > 1 else "memory://"
ORDERS = [("tea", 3), ("cups", 2), ("nothing", 0), ("kettle", 1), ("spoons", 12)]
PATIENCE = 30
"""Seconds that any step may take."""

shop = Exchange("shop", type="topic", durable=True)
failed = Exchange("shop-failed", type="fanout", durable=True)
billing = Queue(
    "shop-billing", shop, routing_key="order.new", durable=True,
    queue_arguments={"x-dead-letter-exchange": failed.name},
)  # fmt: skip
shipping = Queue("shop-shipping", shop, routing_key="order.paid", durable=True)
graves = Queue("shop-graves", failed, durable=True)


class Shop:
    """Two consumers on one connection, and what they did."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.producer = connection.Producer(exchange=shop)
        self.billed: list[str] = []
        self.shipped: list[str] = []
        self.dropped: set[str] = set()

    def bill(self, order: dict[str, Any], message: Message) -> None:
        """Bill an order, or reject one that is for nothing."""
        if order["number"] < 1:
            message.reject()
            return
        self.producer.publish(order, routing_key="order.paid", headers={"paid": True})
        self.billed.append(order["what"])
        message.ack()

    def ship(self, order: dict[str, Any], message: Message) -> None:
        """Ship an order; cups are dropped the first time."""
        assert message.headers["paid"] is True
        if order["what"] == "cups" and not message.delivery_info["redelivered"]:
            self.dropped.add(order["what"])
            message.requeue()
            return
        self.shipped.append(f"{order['number']} {order['what']}")
        message.ack()

    def run(self) -> None:
        """Work until every order is shipped or dead-lettered."""
        with (
            self.connection.Consumer([billing], callbacks=[self.bill], prefetch_count=2),
            self.connection.Consumer([shipping], callbacks=[self.ship], prefetch_count=2),
        ):
            while len(self.shipped) < len(ORDERS) - 1:
                self.connection.drain_events(timeout=PATIENCE)


def main() -> None:
    """Open the shop, sell, and close it without leaving anything behind."""
    with Connection(URL) as connection:
        channel = connection.default_channel
        for queue in (billing, shipping, graves):
            queue(channel).declare()
        sells = Shop(connection)
        for what, number in ORDERS:
            order = {"what": what, "number": number}
            sells.producer.publish(order, routing_key="order.new", delivery_mode=2)
        sells.run()
        grave = connection.SimpleQueue(graves).get(timeout=PATIENCE)
        grave.ack()

        print("billed:", ", ".join(sorted(sells.billed)))
        print("shipped:", ", ".join(sorted(sells.shipped)))
        print("dropped once:", ", ".join(sells.dropped))
        death = grave.headers["x-death"][0]
        print("dead-lettered:", grave.payload["what"], "by", death["queue"], "as", death["reason"])
        for queue in (billing, shipping, graves):
            queue(channel).delete()
        for exchange in (shop, failed):
            exchange(channel).delete()


if __name__ == "__main__":
    main()
