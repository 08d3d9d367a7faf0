"""`minibroker serve` as a process: what it says, who gets in, and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from minibroker import Broker
from minibroker.wire.amqp import spec

from .served import Client, Served, code_of, refused

WAITING_START = """
import minibroker.cli.serve, sys
real = minibroker.cli.serve.Broker
def waiting(**settings):
    print("opening", flush=True)
    sys.stdin.read(1)
    return real(**settings)
minibroker.cli.serve.Broker = waiting
"""
WAITING_END = """
import minibroker, sys
def waiting(broker):
    print("committing", file=sys.stderr, flush=True)
    sys.stdin.read(1)
minibroker.Broker.close = waiting
"""
FAILING_END = """
import minibroker
from minibroker.errors import LogError
def failing(broker):
    raise LogError("the disk is full")
minibroker.Broker.close = failing
"""
LOOPS = ["asyncio", "uvloop"]


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "uvloop":
        pytest.importorskip("uvloop")
    return name


def test_it_says_where_it_is_ready_serves_and_ends_with_0_on_a_signal() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with Served() as served:
            assert served.ready == f"ready amqp://127.0.0.1:{served.port}/\n"
            with Client(served.port) as client, Client(served.port, host="::1"):
                made = client.call(spec.QueueDeclare("jobs"))
                assert made == spec.QueueDeclareOk("jobs", 0, 0)
                served.process.send_signal(number)
                told = client.next()
                client.send(0, spec.ConnectionCloseOk())
            log = served.ended()
            status = served.process.returncode
            assert code_of(told) == 320
            assert isinstance(told, spec.ConnectionClose)
            assert "CONNECTION_FORCED - broker forced connection closure" in told.reply_text
            assert status == 0
            assert f"{number.name}: stopping" in log
            assert "connected user='guest' vhost='/'" in log


def test_a_second_signal_ends_it_at_once(loop: str) -> None:
    with Served("--loop", loop) as served, Client(served.port):
        served.process.send_signal(signal.SIGTERM)
        served.line("stopping")
        status, _ = served.end(signal.SIGINT)  # the client does not answer
        assert status == 1


def test_a_second_signal_ends_it_also_while_what_is_durable_is_written(loop: str) -> None:
    with Served("--loop", loop, first=WAITING_END) as served:
        served.process.send_signal(signal.SIGTERM)
        served.line("committing")
        assert served.end() == (1, "")


def test_clients_that_do_not_answer_are_waited_for_less_than_5_seconds() -> None:
    with Served() as served, Client(served.port), Client(served.port):
        began = time.monotonic()
        assert served.end()[0] == 0
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_also_before_it_is_ready(number: signal.Signals) -> None:
    with Served(first=WAITING_START) as served:
        assert served.ready == "opening\n"
        assert served.end(number) == (0, "")


def test_a_reload_that_is_asked_for_too_early_is_done_when_it_is_ready(tmp_path: Path) -> None:
    config = tmp_path / "users.toml"
    config.write_text("")
    with Served("--config", str(config), first=WAITING_START) as served:
        config.write_text("[[users]]\nname = 'ann'\npassword = 'a'")
        served.process.send_signal(signal.SIGHUP)
        served.go_on()
        assert served.process.stdout is not None
        port = int(served.process.stdout.readline().rpartition(":")[2].strip("/\n"))
        with Client(port, user="ann", password="a") as ann:
            assert isinstance(ann.opened, spec.ConnectionOpenOk)


def test_it_says_when_what_is_durable_cannot_be_written_and_ends_with_1() -> None:
    with Served(first=FAILING_END) as served:
        status, log = served.end()
    assert status == 1
    assert "what is durable could not be written: the disk is full" in log
    assert "Traceback" not in log


def test_what_is_durable_is_there_after_a_signal(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    for fsync in ("always", "interval:1000", "never"):
        with Served("--data", data, "--fsync", fsync) as served:
            with Client(served.port) as client:
                client.call(spec.QueueDeclare(fsync, durable=True))
            assert served.end()[0] == 0
    with Broker(data=data) as broker:
        assert {"always", "interval:1000", "never"} <= set(broker.vhosts["/"].queues)


def test_options_come_from_the_environment_and_a_file(tmp_path: Path) -> None:
    config = tmp_path / "broker.toml"
    path = str(tmp_path / "broker.sock")
    config.write_text(
        f"""
        profile = "rabbitmq-3.10"
        vhost = ["test"]
        [[listen]]
        unix = "{path}"
        [[users]]
        name = "ann"
        password = "secret"
        [users.permissions]
        "test" = {{ read = ".*" }}
        """
    )
    with Served(MINIBROKER_CONFIG=str(config), MINIBROKER_CHANNEL_MAX="1") as served:
        with Client(served.port, user="guest") as guest:
            assert code_of(guest.opened) == 403
        with Client(served.port, user="ann", password="secret") as ann:
            assert code_of(ann.opened) == 530
        with Client(0, user="ann", password="secret", vhost="test", path=path) as ann:
            closed = ann.call(spec.QueueDeclare("x"))
            assert isinstance(closed, spec.ChannelClose)
            assert closed.reply_text == (
                "ACCESS_REFUSED - access to queue 'x' in vhost 'test' refused for user 'ann'"
            )
            ann.send(2, spec.ChannelOpen())
            assert code_of(ann.next()) == 530
        assert "login refused" in served.line("login refused")
        served.end()
    assert not Path(path).exists()


def test_users_of_the_command_line_may_do_everything() -> None:
    with Served("--user", "ann:a", "--user", "bob:b", "--vhost", "mine") as served:
        for name in ("ann", "bob"):
            with Client(served.port, user=name, password=name[0], vhost="mine") as client:
                assert isinstance(client.call(spec.QueueDeclare("q")), spec.QueueDeclareOk)
        with Client(served.port) as guest:
            assert code_of(guest.opened) == 403


def test_the_log_is_json_on_demand() -> None:
    with Served("--log-format", "json") as served:
        with Client(served.port, user="nobody"):
            pass
        told = json.loads(served.line("login refused"))
        assert (told["event"], told["user"]) == ("login refused", "nobody")
        assert told["reason"] == "no such user"
        assert told["peer"].startswith("127.0.0.1:")
        assert "guest" not in told["message"]


def test_limits_are_kept() -> None:
    with (
        Served("--max-connections", "1", "--max-queues", "1") as served,
        Client(served.port) as client,
        Client(served.port) as other,
    ):
        assert code_of(other.opened) == 530
        assert isinstance(client.call(spec.QueueDeclare("a")), spec.QueueDeclareOk)
        assert isinstance(client.call(spec.QueueDeclare("b")), spec.ChannelClose)


def test_limits_of_the_run_before_are_forgotten(tmp_path: Path) -> None:
    data = str(tmp_path)
    for limit, answer in (["--max-queues", "1"], spec.ChannelClose), ([], spec.QueueDeclareOk):
        with Served("--data", data, *limit) as served:
            with Client(served.port) as client:
                client.call(spec.QueueDeclare("a", durable=True))
                assert isinstance(client.call(spec.QueueDeclare("b")), answer)
            assert served.end()[0] == 0


def test_users_of_the_run_before_are_named(tmp_path: Path) -> None:
    data = str(tmp_path)
    with Served("--data", data, "--user", "ann:a") as served:
        assert "run before" not in served.end()[1]
    for arguments, level in (["--user", "bob:b"], "WARNING"), ([], "INFO"):
        with Served("--data", data, *arguments) as served:
            line = served.line("may log in as before: 'ann'")
            assert level in line
            with Client(served.port, user="ann", password="a") as ann:
                assert isinstance(ann.opened, spec.ConnectionOpenOk)
            served.end()


def test_a_reload_changes_all_users_or_none(tmp_path: Path) -> None:
    config = tmp_path / "users.toml"
    config.write_text("[[users]]\nname = 'ann'\npassword = 'old'")
    with Served("--config", str(config)) as served:
        changed = "[[users]]\nname = 'ann'\npassword = 'new'\n[[users]]\nname = 'bob'\n"
        for wrong in ("permissions = {'/' = {read = '('}}", f"[[users]]\nname = '{'n' * 256}'"):
            config.write_text(changed + wrong)
            served.process.send_signal(signal.SIGHUP)
            served.line("users stay as they were")
            with Client(served.port, user="ann", password="old") as ann:
                assert isinstance(ann.opened, spec.ConnectionOpenOk)
        config.write_text(changed)
        served.process.send_signal(signal.SIGHUP)
        served.line("users loaded again")
        with Client(served.port, user="ann", password="old") as ann:
            assert code_of(ann.opened) == 403


def test_a_port_in_use_is_one_line_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("--port", port)
    assert said == (
        f"minibroker: cannot listen on localhost:{port}: Address already in use (another program "
        "listens there: take another --port, or 0 for a free one)\n"
    )


def test_a_directory_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with Broker(data=data):
        said = refused("--data", data)
    assert "is open in process" in said
    assert said.endswith("; end that one first, or take another --data\n")
    (tmp_path / "file").write_text("x")
    assert "file cannot be used: " in refused("--data", str(tmp_path / "file"))


def test_a_damaged_log_is_one_line_that_names_the_command_to_look_at_it(tmp_path: Path) -> None:
    with Broker(data=tmp_path) as broker:
        broker.add_vhost("x")
    for each in tmp_path.glob("*.checkpoint"):
        content = bytearray(each.read_bytes())
        content[len(content) // 2] ^= 1
        each.write_bytes(content)
    for each in tmp_path.glob("*.segment"):
        content = bytearray(each.read_bytes())
        content[100] ^= 1
        each.write_bytes(content)
    said = refused("--data", str(tmp_path), "--port", "0")
    assert said.startswith(f"minibroker: {tmp_path} is damaged: ")
    assert f"`minibroker log check {tmp_path}` tells more" in said


def test_wrong_options_are_one_line() -> None:
    assert "--port: 'x'" in refused("--port", "x")
    assert "MINIBROKER_PORT: 'x'" in refused(MINIBROKER_PORT="x")
    assert "--tls-key is of no use without --tls-cert" in refused("--tls-key", "x")
    assert "no certificate with its key in nowhere" in refused("--tls-cert", "nowhere")
    assert "cannot be read" in refused("--config", "nowhere.toml")


def test_each_event_loop_serves(loop: str) -> None:
    with Served("--loop", loop) as served, Client(served.port) as client:
        assert isinstance(client.opened, spec.ConnectionOpenOk)


def test_the_command_of_the_readme_is_installed() -> None:
    assert shutil.which("minibroker", path=str(Path(sys.executable).parent)) is not None
