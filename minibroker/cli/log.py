"""`minibroker log check`, `dump` and `repair`: their arguments, and what they print.

What they do is in `inspection`.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from ..errors import LogError, LogLocked, LogVersionUnknown
from ..inspection import DiskArchive, NotALog, check, dump, open_directory, repair
from ..inspection.dump import BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..store import FileSystem

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
    Command: TypeAlias = Callable[[FileSystem, argparse.Namespace], int]

__all__ = ["add_log"]

FINE, BAD, UNREADABLE = 0, 1, 2


def add_log(commands: Commands) -> None:
    """Add the command `log` with its own commands."""
    log = commands.add_parser(
        "log",
        help="check, dump or repair the log of a broker",
        description="The log of a broker that is not running: Broker(data=DIR).",
    )
    several = log.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(
        several,
        "check",
        _check,
        "read all of it and say what is damaged; changes nothing",
        "Exit status: 0 if it is whole, 1 if it is damaged, 2 if it cannot be looked at.",
    )
    _add_dump(several)
    _add_repair(several)


def _add_dump(commands: Commands) -> None:
    dumping = _add(
        commands,
        "dump",
        _dump,
        "print its records as lines of JSON; changes nothing",
        "Exit status: 0 if all of it could be read, 1 if not, 2 if it cannot be looked at.",
    )
    dumping.add_argument(
        "--all",
        action="store_true",
        help="everything that is there, not only the newest checkpoint and what came after it",
    )
    dumping.add_argument(
        "--body-bytes",
        type=_size,
        default=BODY_BYTES,
        metavar="N",
        help="how much of each body is printed, in base64 (default: %(default)s bytes)",
    )


def _add_repair(commands: Commands) -> None:
    repairing = _add(
        commands,
        "repair",
        _repair,
        "make it whole again; what is removed is kept beside it",
        "Exit status: 0 if it is whole now, 1 if it could not be repaired, 2 if it cannot be "
        "looked at.",
    )
    repairing.add_argument(
        "--dry-run", action="store_true", help="only say what would be lost, and change nothing"
    )


def _add(
    commands: Commands, name: str, command: Command, what: str, status: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}.", epilog=status
    )
    parser.add_argument("directory", metavar="DIR", help="the directory given to Broker(data=...)")
    parser.set_defaults(run=lambda options: _run(command, options))
    return parser


def _size(text: str) -> int:
    size = int(text)
    if size < 0:
        raise ValueError
    return size


def _run(command: Command, options: argparse.Namespace) -> int:
    try:
        with open_directory(options.directory) as files:
            return command(files, options)
    except BrokenPipeError:
        raise
    except (NotALog, LogLocked, LogVersionUnknown) as error:
        return _say(f"{error}", UNREADABLE)
    except OSError as error:
        return _say(f"{options.directory} cannot be read: {error}", UNREADABLE)


def _say(text: str, status: int) -> int:
    print(f"minibroker: {text}", file=sys.stderr)
    return status


def _check(files: FileSystem, options: argparse.Namespace) -> int:
    report = check(files)
    for problem in report.problems:
        print(problem)
    for line in report.summary():
        print(line)
    print(f"{options.directory} is {'damaged' if report.problems else 'whole'}")
    return BAD if report.problems else FINE


def _dump(files: FileSystem, options: argparse.Namespace) -> int:
    status = FINE
    for shown in dump(files, everything=options.all, body_bytes=options.body_bytes):
        print(json.dumps(shown, ensure_ascii=False))
        if "damaged" in shown:
            status = BAD
    return status


def _repair(files: FileSystem, options: argparse.Namespace) -> int:
    archive = DiskArchive(options.directory, datetime.now(UTC))
    try:
        done = repair(files, archive, secrets.token_bytes(16), dry_run=options.dry_run)
    except LogVersionUnknown:
        raise
    except (LogError, OSError) as error:
        return _say(f"{options.directory} could not be repaired: {error}", BAD)
    if not done.problems:
        print(f"{options.directory} is whole: nothing to do")
        return FINE
    for line in done.lines():
        print(line)
    if options.dry_run:
        print(f"nothing was changed; the log as it is would go to {archive.name}")
    else:
        print(f"{options.directory} is whole now; the log as it was is in {archive.name}")
    return FINE
