from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minibroker_client import Connection, exceptions
from minibroker_client.remote import DriverError, Features, RemoteTransport, transport
from minibroker_client.remote.transport import needed
from minibroker_client.transport.base import Address

from ..transport.side import Side
from .fake import FEATURES, FakeDriver, FakeSystem
from .places import howto_driver

if TYPE_CHECKING:
    from minibroker_client.remote import Driver


def test_what_is_not_installed_says_how_to_install_it() -> None:
    with pytest.raises(ImportError) as caught:
        needed("minibroker_not_there.errors", "extra")
    assert str(caught.value) == (
        "this URL needs the package minibroker_not_there: pip install 'minibroker[extra]'"
    )


def test_what_is_installed_is_imported() -> None:
    assert needed("json.decoder", "extra").JSONDecodeError is not None


def test_a_system_that_cannot_be_reached_is_a_connection_error() -> None:
    def make(address: Address) -> Driver:
        raise DriverError(f"nobody listens at {address.hostname}")

    with pytest.raises(exceptions.ConnectionForced, match="nobody listens at there"):
        RemoteTransport(make, FEATURES).connect(Address("fake", "there"))


@pytest.mark.parametrize("method", ["version", "load"])
def test_a_system_that_is_lost_while_it_is_read_is_a_connection_error_and_closed(
    method: str,
) -> None:
    driver = FakeDriver(FakeSystem())
    driver.fails.add(method)
    with pytest.raises(exceptions.ConnectionForced, match=f"{method} failed"):
        RemoteTransport(lambda _: driver, FEATURES).connect(Address("fake"))
    assert driver.calls[-1] == ("close",)


def test_an_invalid_option_is_the_callers_error() -> None:
    def make(_: Address) -> Driver:
        raise ValueError("lease is 1 to 43200 seconds")

    with pytest.raises(ValueError, match="lease is 1 to"):
        RemoteTransport(make, FEATURES).connect(Address("fake"))


def test_facts_that_cannot_be_read_close_the_driver() -> None:
    driver = FakeDriver(FakeSystem(facts={'["x","of a later version"]': ""}))
    with pytest.raises(ValueError, match="is no fact of this version"):
        RemoteTransport(lambda _: driver, FEATURES).connect(Address("fake"))
    assert driver.calls[-1] == ("close",)


def test_a_connection_knows_what_was_declared_before() -> None:
    system = FakeSystem(facts={'["q","q"]': '{"durable": true}', '["e","e"]': '{"type": "topic"}'})
    link = RemoteTransport(lambda _: FakeDriver(system), FEATURES).connect(Address("fake"))
    assert link.remote.vhost.queues["q"].declaration.durable
    assert link.remote.vhost.exchanges["e"].type == "topic"
    link.close()


def test_the_capabilities_are_those_of_the_features() -> None:
    poor = Features(delivery_count=False, fenced=False)
    capabilities = RemoteTransport(FakeDriver, poor).capabilities  # type: ignore[arg-type]  # not made
    assert capabilities.priority  # by levels
    assert not capabilities.delivery_count
    assert not capabilities.fenced_ack
    assert not capabilities.wake_up
    rich = replace(poor, priority=True, delivery_count=True, fenced=True, wake_up=True)
    capabilities = RemoteTransport(FakeDriver, rich).capabilities  # type: ignore[arg-type]  # not made
    assert capabilities.priority
    assert capabilities.delivery_count
    assert capabilities.fenced_ack
    assert capabilities.wake_up
    assert capabilities.lease
    assert not capabilities.transactions


def test_exclusive_queues_of_two_connections_have_two_owners() -> None:
    system = FakeSystem()
    remote = RemoteTransport(lambda _: FakeDriver(system), FEATURES)
    one, other = remote.connect(Address("fake")), remote.connect(Address("fake"))
    assert one.remote.vhost.owner != other.remote.vhost.owner
    one.close()
    other.close()


def test_a_program_that_does_not_close_gives_back_what_it_had_when_it_ends(tmp_path: Path) -> None:
    program = """
import sys
from minibroker_client import Connection
from tests.client.remote.places import howto_driver
channel = Connection(f"{howto_driver()}:///{sys.argv[1]}/queues.db").channel()
channel.raw.declare_queue("q")
channel.raw.publish("", "q", b"x", channel.raw.properties({}))
assert channel.raw.get("q") is not None
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": "client"}, timeout=60,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    with Connection(f"{howto_driver()}:///{tmp_path}/queues.db") as connection:
        fetched = connection.channel().raw.get("q")
    assert fetched is not None
    assert fetched.delivery.redelivered


def test_a_program_that_ends_without_closing_gives_back_what_it_has() -> None:
    system = FakeSystem()
    drivers = [FakeDriver(system) for _ in range(3)]
    left = iter(drivers)
    remote = RemoteTransport(lambda _: next(left), FEATURES)
    sides = [Side(remote, Address("fake")) for _ in drivers]
    sides[0].channel.declare_queue("q")
    for number, side in enumerate(sides):
        side.publish("q", b"%d" % number)
        assert side.channel.get("q") is not None
    assert system.bodies("q") == []
    drivers[1].fails.add("nack")
    transport._close_all()
    assert system.bodies("q") == [b"0", b"2"]
    assert all(side.connection.closed for side in sides)
