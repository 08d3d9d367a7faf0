"""`minibroker bridge`: what it takes, tells, and ends with."""

from __future__ import annotations

import io
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker
from minibroker.cli import main
from minibroker.cli.bridge import Progress
from minibroker_client import Connection
from minibroker_client.bridge import Health

from .served import PATIENCE, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Capture = pytest.CaptureFixture[str]
USUAL = ["bridge", "--from", "memory://a", "--queue", "q", "--to", "memory://b", "--exchange", "e"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bridge"], "--from is missing"),
        (USUAL[:-2], "--exchange is missing"),
        ([*USUAL, "--rate", "-1"], "link 'q->e': rate is -1.0, not a number of 0 or more"),
        ([*USUAL, "--confirm-window", "0"], "link 'q->e': confirm_window is 0"),
        ([*USUAL[:-4], "--to", "x://y", "--exchange", "e"], "to: no transport for URL scheme 'x'"),
        (["bridge", "--config", "/none.toml"], "/none.toml"),
    ],
)
def test_settings_that_cannot_be_used_are_2(
    arguments: list[str], said: str, capsys: Capture
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("minibroker: ")
    assert said in told
    assert told.count("\n") == 1


def test_a_link_is_from_the_file_or_from_the_command_line(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(
        '[[link]]\nname = "q->e"\nfrom = "memory://"\nqueue = "x"\nto = "memory://"\nexchange = ""'
    )
    assert main(["bridge", "--config", str(path), "--rate", "3"]) == 2
    assert "--from is missing; the settings of --config are in its file" in capsys.readouterr().err
    assert main([*USUAL, "--name", "q->e", "--config", str(path)]) == 2
    assert "two links are called 'q->e'" in capsys.readouterr().err


def test_the_help_reads_as_what_it_does(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bridge", "--help"])
    assert ended.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    for words in ("--from URL", "--routing-key K", "x-overflow", "Exit status: 0 after a signal"):
        assert words in out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_overwritten() -> None:
    terminal, health = Terminal(), Health("up")
    progress = Progress(terminal, now=0.0)
    health.forwarded, health.lag = 500, 12345
    progress.show([health], now=0.5)
    assert terminal.getvalue().startswith("\rup: starting since ")
    assert terminal.getvalue().endswith(", 500 forwarded, lag 12345, 1,000/s")
    health.forwarded, health.lag = 510, 0
    progress.show([health], now=1.5)
    one, two = terminal.getvalue().split("\r")[1:]
    assert two.rstrip().endswith("510 forwarded, lag 0, 10/s")
    assert len(two) == len(one)
    progress.close([health])
    assert terminal.getvalue().endswith(f"\r{' ' * len(two.rstrip())}\r{health}\n")


def test_a_line_of_the_log_takes_the_place_of_the_live_line() -> None:
    terminal, health = Terminal(), Health("up")
    progress = Progress(terminal, now=0.0)
    assert progress.make_way(None)
    assert terminal.getvalue() == ""
    progress.show([health], now=1.0)
    line = terminal.getvalue()
    assert progress.make_way(None)
    assert terminal.getvalue() == f"{line}\r{' ' * (len(line) - 1)}\r"


def test_a_live_line_is_no_longer_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal, health = Terminal(), Health("up")
    health.went_wrong("it is away " * 20)
    health.now_in("retrying")
    Progress(terminal, now=0.0).show([health], now=1.0)
    assert len(terminal.getvalue()) == 40


def test_others_have_a_line_for_each_link_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = io.StringIO()
    progress = Progress(file, now=0.0)
    links = [Health("up"), Health("down")]
    for now in (0.5, 9.5, 10.0, 10.5, 20.5):
        progress.show(links, now=now)
    assert len(caplog.records) == 4
    assert "down: starting since" in caplog.text
    progress.close(links)
    assert file.getvalue() == f"{links[0]}\n{links[1]}\n"


# -- in a process of its own


@pytest.fixture
def served() -> Iterator[str]:
    with Broker() as broker, broker.listen("127.0.0.1", 0) as server:
        yield server.url


@pytest.fixture
def bridge() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command with these arguments."""
    made: list[subprocess.Popen[str]] = []

    def started(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "minibroker", "bridge", *arguments],
            stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
        made.append(process)
        return process

    yield started
    for process in made:
        if process.poll() is None:
            process.kill()
        process.communicate()


def spooled(directory: Path, *bodies: bytes) -> str:
    """A directory with these messages in queue `q`; its URL."""
    url = f"file://{directory}"
    with Connection(url) as connection:
        raw = connection.channel().raw
        raw.declare_queue("q", durable=True)
        raw.confirm_select()
        for body in bodies:
            raw.publish("", "q", body, raw.properties({"delivery_mode": 2}))
        raw.wait_for_answers(0, PATIENCE)
    return url


def received(url: str, number: int) -> list[Any]:
    """So many messages of queue `out`."""
    got: list[Any] = []
    with Connection(url) as connection:
        channel = connection.channel()
        channel.declare_queue("out")
        channel.consume("out", lambda each: got.append(each.message), no_ack=True)
        while len(got) < number:
            connection.drain_events(PATIENCE)
    return got


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_forwards_from_a_directory_until_a_signal(
    tmp_path: Path, served: str, bridge: Any, number: signal.Signals
) -> None:
    url = spooled(tmp_path / "spool", b"1", b"2", b"3")
    to = ["--to", served, "--exchange", "", "--routing-key", "out", "--name", "up"]
    process = bridge("--from", url, "--queue", "q", *to)
    assert [bytes(each.body) for each in received(served, 3)] == [b"1", b"2", b"3"]
    process.send_signal(number)
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0
    assert "bridge up: forwarding to amqp://" in told
    assert told.splitlines()[-1].startswith("up: stopped since ")
    assert told.splitlines()[-1].endswith("3 forwarded, lag 0")
    with Connection(url) as connection:
        assert connection.channel().declare_queue("q", passive=True).message_count == 0


def test_a_file_has_several_links(tmp_path: Path, served: str, bridge: Any) -> None:
    urls = [spooled(tmp_path / name, name.encode()) for name in ("one", "two")]
    path = tmp_path / "bridge.toml"
    path.write_text(
        "".join(
            f'[[link]]\nname = "{number}"\nfrom = "{url}"\nqueue = "q"\nto = "{served}"\n'
            'exchange = ""\nrouting_key = "out"\n'
            for number, url in enumerate(urls)
        )
    )
    process = bridge("--config", str(path))
    assert sorted(bytes(each.body) for each in received(served, 2)) == [b"one", b"two"]
    process.terminate()
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0
    assert [line.partition(":")[0] for line in told.splitlines()[-2:]] == ["0", "1"]


def test_a_second_signal_ends_it_at_once(tmp_path: Path, bridge: Any) -> None:
    # A target that answers nothing: connecting to it takes its time.
    import socket  # noqa: PLC0415 -- for this test alone

    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = f"amqp://127.0.0.1:{silent.getsockname()[1]}/?connect_timeout=60"
        url = spooled(tmp_path / "spool")
        process = bridge("--from", url, "--queue", "q", "--to", to, "--exchange", "")
        with silent.accept()[0]:
            process.terminate()
            look_again = threading.Event()
            for _ in range(PATIENCE * 20):
                process.terminate()
                if process.poll() is not None:
                    break
                look_again.wait(0.05)
    assert process.returncode == 1
