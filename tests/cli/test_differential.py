"""`minibroker differential`: what it prints, keeps, and ends with."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from minibroker import Broker
from minibroker.cli import main

Capture = pytest.CaptureFixture[str]
DIFFERS = {
    "operations": [
        {
            "on": [0, 1],
            "do": "exchange.declare",
            "arguments": {"type": "nonsense", "exchange": "~x"},
        }
    ]
}


@pytest.fixture
def like_3_10() -> Iterator[str]:
    with Broker(profile="rabbitmq-3.10") as broker, broker.listen("127.0.0.1", 0) as server:
        yield server.url


@pytest.fixture
def like_4_2() -> Iterator[str]:
    with Broker(profile="rabbitmq-4.2") as broker, broker.listen("127.0.0.1", 0) as server:
        yield server.url


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.json"
    path.write_text(json.dumps(DIFFERS), encoding="utf-8")
    return path


def test_no_difference_is_0(like_3_10: str, capsys: Capture) -> None:
    assert main(["differential", "--against", like_3_10, "--programs", "5", "--seed", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "5 programs, 5 equal, 0 different\n"
    assert captured.err == ""


def test_a_difference_is_1_and_is_kept(
    like_4_2: str, like_3_10: str, program: Path, tmp_path: Path, capsys: Capture
) -> None:
    against = ["differential", "--against", like_4_2]
    assert main([*against, "--replay", str(program), "--save", str(tmp_path / "found")]) == 1
    printed = capsys.readouterr().out
    assert " > 0: 0.1 exchange.declare(type='nonsense', exchange='~x')" in printed
    assert printed.endswith("1 programs, 0 equal, 1 different\n")
    kept = json.loads((tmp_path / "found" / "seed-0.json").read_text(encoding="utf-8"))
    assert kept["program"]["operations"] == DIFFERS["operations"]
    assert main([*against, "--target", like_3_10, "--replay", str(tmp_path / "found")]) == 1
    assert main([*against, "--target", like_4_2, "--replay", str(tmp_path / "found")]) == 0


def test_a_terminal_sees_the_progress(
    like_3_10: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(["differential", "--against", like_3_10, "--programs", "2"]) == 0
    assert capsys.readouterr().err == (
        "1 of 2: 1 programs, 1 equal, 0 different\r2 of 2: 2 programs, 2 equal, 0 different\n"
    )


def test_others_see_it_now_and_then(
    like_3_10: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minibroker.cli.differential.REPORT_EVERY", 2)
    assert main(["differential", "--against", like_3_10, "--programs", "3"]) == 0
    assert capsys.readouterr().err == "2 of 3: 2 programs, 2 equal, 0 different\n"


def test_after_many_differences_it_is_enough(
    like_4_2: str, program: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minibroker.cli.differential.MOST_DIFFERENCES", 1)
    for number in range(3):
        copy = program.with_name(f"again-{number}.json")
        copy.write_text(program.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["differential", "--against", like_4_2, "--replay", str(program.parent)]) == 1
    assert capsys.readouterr().out.endswith("1 programs, 0 equal, 1 different\n")


def test_a_broker_that_is_not_there_is_2(capsys: Capture, program: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"amqp://127.0.0.1:{nobody.getsockname()[1]}/"
        assert main(["differential", "--against", url, "--programs", "1"]) == 2
    assert capsys.readouterr().err.startswith("minibroker: cannot connect: 127.0.0.1:")
    assert main(["differential", "--against", "http://there", "--programs", "1"]) == 2
    assert "is not amqp://host" in capsys.readouterr().err
    assert main(["differential", "--against", url, "--replay", f"{program}.none"]) == 2
    program.write_text("{}", encoding="utf-8")
    assert main(["differential", "--against", url, "--replay", str(program)]) == 2
    assert "no program" in capsys.readouterr().err
