"""The command `minibroker`: which subcommands there are, and what its exit status means.

Knows only how to call what there is. Until there is a server, that is the tour and the log's.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import __version__
from ..tour import run
from .log import add_log

__all__ = ["main"]

STATUS = """exit status:
  0  it went well: as told by the tour, a log that is whole, or repaired
  1  it did not: not as told, a log that is damaged, or could not be repaired
  2  wrong usage, or a log that cannot be looked at: there is none, a broker has it open, or it is
     of a newer version
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say, those of the command line by default; give the exit status.

    Wrong usage, `--help` and `--version` end the process. Raises BrokenPipeError when whoever reads
    the output has seen enough.
    """
    options = _parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minibroker",
        description="A message broker in one process. Without a command: the tour.",
        epilog=STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"minibroker {__version__}")
    parser.set_defaults(run=_tour)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    tour = commands.add_parser(
        "tour",
        help="a guided tour with real messages, without a server",
        description=(
            "A guided tour of MiniBroker in this one process, without a server: it publishes, "
            "routes, expires, dead-letters and redelivers real messages and prints what happened."
        ),
        epilog="Exit status: 0 if everything happened as told, 1 if not, 2 for wrong usage.",
    )
    tour.set_defaults(run=_tour)
    add_log(commands)
    return parser


def _tour(_: argparse.Namespace) -> int:
    return 1 if run() else 0
