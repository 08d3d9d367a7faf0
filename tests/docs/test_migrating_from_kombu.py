"""The program of docs/migrating-from-kombu.md, between Celery and Kombu."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest

from ..client.remote.places import KINDS, server_of
from ..interop.needed import needed_module

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migrating-from-kombu.md"
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
URL = 'URL = "redis://localhost/0"'
OPTIONS = 'OPTIONS = {"envelope": "kombu"}'


@pytest.mark.skipif("redis" not in KINDS, reason="not one of the systems to test")
@pytest.mark.filterwarnings("default")  # theirs
def test_tasks_are_received_and_called(capsys: pytest.CaptureFixture[str]) -> None:
    kombu, celery = needed_module("kombu"), needed_module("celery")
    url, options = server_of("redis").url, {"global_keyprefix": f"t{secrets.token_hex(4)}:"}
    with celery.Celery("tests", broker=url, set_as_current=False) as application:
        application.conf.broker_transport_options = options
        sent = application.send_task("add", [1, 2], {"word": "b"})
    assert (PROGRAM.count(URL), PROGRAM.count(OPTIONS)) == (1, 1)
    program = PROGRAM.replace(URL, f"URL = {url!r}")
    program = program.replace(OPTIONS, f"OPTIONS = {{'envelope': 'kombu', **{options!r}}}")
    exec(compile(program, str(PAGE), "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == f'add {sent.id} [[1, 2], {{"word": "b"}}]\n'
    with (
        kombu.Connection(url, transport_options=options) as connection,
        connection.SimpleQueue("celery") as queue,
    ):
        message = queue.get(timeout=10)
        message.ack()
    assert (message.payload, message.headers["task"]) == ([[1, 2], {}, {}], "add")
    needed_module("kombu.pools").reset()
