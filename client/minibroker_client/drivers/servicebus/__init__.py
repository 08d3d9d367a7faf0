"""`azureservicebus://`: Azure Service Bus, and what speaks its AMQP 1.0.

`messages` is how a message looks there, `facts` where what is declared is kept, `links` and
`receiving` how queues are sent to and received from, `namespace` which of these there are.
"""

from __future__ import annotations

from .driver import FEATURES, ServiceBusDriver, transport

__all__ = ["FEATURES", "ServiceBusDriver", "transport"]
