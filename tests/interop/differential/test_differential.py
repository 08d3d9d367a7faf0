"""Random programs on MiniBroker and on a real RabbitMQ: what clients see is equal.

300 programs, or as many as MINIBROKER_DIFFERENTIAL says; `make differential` tries 5,000. Programs
that RabbitMQ itself does not answer the same way twice are left out, and must be few.
"""

from __future__ import annotations

import os
import re

import pytest

from minibroker.cli import main

from ..servers import AmqpServer

PROGRAMS = int(os.environ.get("MINIBROKER_DIFFERENTIAL", "300"))
AT_ONCE = 25
"""Programs in one test: none runs long, even where much has to be tried again."""
LEFT_OUT = 5


@pytest.mark.parametrize("seed", range(1, PROGRAMS + 1, AT_ONCE))
@pytest.mark.parametrize("amqp_server", ["rabbitmq"], indirect=True)
def test_clients_see_the_same(
    amqp_server: AmqpServer, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = ["--seed", str(seed), "--programs", str(AT_ONCE)]
    status = main(["differential", "--against", amqp_server.url, *numbers])
    printed = capsys.readouterr().out
    assert status == 0, printed
    equal = re.search(r"(\d+) equal", printed)
    assert equal is not None
    assert int(equal[1]) >= AT_ONCE - LEFT_OUT, printed
