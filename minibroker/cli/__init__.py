"""The command `minibroker`: which subcommands there are, and what its exit status means.

Knows only how to call what there is, and imports of it what is called.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from .. import __version__
from .bridge import add_bridge
from .differential import add_differential
from .log import add_log
from .options import OPTIONS

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

__all__ = ["main"]

STATUS = """exit status:
  0  it went well: served until a signal came, as told by the tour, a log that is whole, or repaired
  1  it did not: ended by a second signal, not as told, a log that is damaged, or could not be
     repaired, brokers that differ
  2  wrong usage; a port or a directory that cannot be used; a log that cannot be looked at: there
     is none, a broker has it open, or it is of a newer version; a broker that cannot be reached
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
        description="A message broker with RabbitMQ's behaviour, in one process.",
        epilog=STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"minibroker {__version__}")
    parser.set_defaults(run=lambda _: _help(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_serve(commands)
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
    add_differential(commands)
    add_bridge(commands)
    return parser


def _add_serve(commands: Commands) -> None:
    serve = commands.add_parser(
        "serve",
        help="a broker on a socket: AMQP 0-9-1, for every RabbitMQ client",
        description="A broker on a socket. When it accepts connections it says so in one line on "
        "standard output: ready amqp://127.0.0.1:5672/. Logs go to standard error.",
        epilog="Each option may stand in the environment as MINIBROKER_PORT and so on, or in the "
        "file given by --config. SIGTERM and SIGINT end it, SIGHUP reads certificates and users "
        "again. Exit status: 0 after a signal, 1 after a second one, 2 if it cannot start.",
    )
    for option in OPTIONS:
        default = "" if option.default is None else f" (default: {option.default})"
        serve.add_argument(
            f"--{option.name}",
            action="append" if option.several else "store",
            metavar=option.metavar,
            help=(option.help + default).replace("%", "%%"),
        )
    serve.add_argument("--config", metavar="FILE.toml", help="a file with these options")
    serve.set_defaults(run=_serve)


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


# What a command needs is imported when it runs: the server has to start fast, and `--help`, too.


def _serve(options: argparse.Namespace) -> int:
    from .serve import run_serve  # noqa: PLC0415 -- see above

    return run_serve(vars(options))


def _tour(_: argparse.Namespace) -> int:
    from ..tour import run  # noqa: PLC0415 -- see above

    return 1 if run() else 0
