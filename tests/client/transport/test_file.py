"""`file://`: brokers on their logs, shared by directory. The rest is the contract's."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker_client import Connection, Consumer, Exchange, Producer, Queue, exceptions
from minibroker_client.transport.file import directories

if TYPE_CHECKING:
    from pathlib import Path

mail = Queue("mail", Exchange("letters", type="topic"), routing_key="letter.#")


def test_what_was_published_is_there_when_the_directory_is_opened_again(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    with Connection(url) as connection:
        Producer(connection).publish(
            {"to": "Ada"}, exchange=mail.exchange, routing_key="letter.first", declare=[mail]
        )
    assert directories.names() == []
    received: list[object] = []
    with Connection(url) as connection:

        def handle(body: object, message: object) -> None:
            received.append(body)
            message.ack()  # type: ignore[attr-defined]  # Kombu's callbacks are not typed

        with Consumer(connection, mail, callbacks=[handle]):
            connection.drain_events(timeout=1)
    assert received == [{"to": "Ada"}]
    with Connection(url) as connection:
        assert connection.default_channel.raw.declare_queue("mail", passive=True).message_count == 0


def test_a_publish_with_confirms_returns_when_the_message_is_on_the_disk(tmp_path: Path) -> None:
    script = f"""
import os
from minibroker_client import Connection, Producer, Queue
connection = Connection("file://{tmp_path}", transport_options={{"confirm_publish": True}})
producer = Producer(connection)
for number in range(3):
    producer.publish(str(number), routing_key="q", declare=[Queue("q")])
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    with Broker(data=tmp_path) as broker:
        assert broker.vhosts["/"].queues["q"].message_count == 3


def test_connections_of_one_process_share_the_broker_of_a_directory(tmp_path: Path) -> None:
    link = tmp_path / "link"
    directory = tmp_path / "data"
    with Connection(f"file://{directory}") as one:
        one.connect()
        link.symlink_to(directory)
        with Connection(f"file://{link}") as other:
            one.default_channel.raw.declare_queue("q")
            assert other.default_channel.raw.declare_queue("q", passive=True).queue == "q"
            assert directories.names() == [os.path.realpath(directory)]
    assert directories.names() == []


def test_a_directory_that_is_open_elsewhere_is_refused_with_the_process(tmp_path: Path) -> None:
    with (
        Broker(data=tmp_path),
        Connection(f"file://{tmp_path}") as connection,
        pytest.raises(exceptions.OperationalError, match=f"this process \\({os.getpid()}\\)"),
    ):
        connection.connect()


def test_options_say_how_the_log_is_written(tmp_path: Path) -> None:
    options = {"fsync": "sometimes"}
    with (
        Connection(f"file://{tmp_path}", transport_options=options) as connection,
        pytest.raises(ValueError, match="not 'sometimes'"),
    ):
        connection.connect()
    assert directories.names() == []


def test_a_url_without_a_directory_or_with_a_host_is_refused() -> None:
    with Connection("file://") as connection, pytest.raises(ValueError, match="needs a directory"):
        connection.connect()
    with pytest.raises(ValueError, match="three slashes"):
        Connection("file://var/lib")


def test_a_url_comes_back_with_its_directory() -> None:
    assert Connection("file:///a%20b/c").as_uri() == "file:///a%20b/c"
