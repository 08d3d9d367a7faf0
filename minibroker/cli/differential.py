"""`minibroker differential`: its arguments, and what it prints. The rest is in `differential`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ..differential.hunt import Outcome
    from ..differential.program import Program

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

__all__ = ["add_differential"]

EQUAL, DIFFERENT, NO_CONNECTION = 0, 1, 2
PROFILE = "rabbitmq-3.10"
MOST_DIFFERENCES = 20
"""After so many it is clear that something is wrong."""
REPORT_EVERY = 500
"""Programs between two lines of progress where no terminal shows them."""


def add_differential(commands: Commands) -> None:
    """Add the command `differential`."""
    parser = commands.add_parser(
        "differential",
        help="compare it with another broker, by random programs",
        description="Random programs of everything that a client can do run on two brokers: what "
        "their clients see must be equal. A difference is shrunk to what is needed for it. The "
        "queues and exchanges of the programs have names of their own and are deleted "
        "afterwards; use a broker for tests all the same.",
        epilog="Exit status: 0 if there is no difference, 1 if there is, 2 if a broker cannot be "
        "reached or wrong usage.",
    )
    parser.add_argument(
        "--against", required=True, metavar="URL", help="the measure: amqp://guest:guest@host:5672/"
    )
    parser.add_argument(
        "--target",
        metavar="URL",
        help=f"the broker that is measured (default: a MiniBroker of its own, as {PROFILE})",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of the first program (default: 1)"
    )
    parser.add_argument(
        "--programs", type=int, default=300, metavar="N", help="how many (default: 300)"
    )
    parser.add_argument(
        "--replay", metavar="PATH", help="a saved difference, or a directory of them, instead"
    )
    parser.add_argument("--save", metavar="DIR", help="write each difference to a file there")
    parser.set_defaults(run=_run)


# What it takes is imported when it runs: other commands start without it.


def _run(options: argparse.Namespace) -> int:
    from ..differential.link import CannotConnect  # noqa: PLC0415 -- see above

    try:
        programs = list(_programs(options))
        with _target(options.target) as target:
            return _hunt(options, programs, target)
    except CannotConnect as error:
        print(f"minibroker: cannot connect: {error}", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(f"minibroker: {error}", file=sys.stderr)
    return NO_CONNECTION


def _programs(options: argparse.Namespace) -> Iterator[Program]:
    from ..differential.generate import generate  # noqa: PLC0415 -- see above
    from ..differential.program import Program  # noqa: PLC0415 -- see above

    if options.replay is None:
        yield from map(generate, range(options.seed, options.seed + options.programs))
        return
    path = Path(options.replay)
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        saved = json.loads(file.read_text(encoding="utf-8"))
        yield Program.from_json(saved.get("program", saved))


@contextmanager
def _target(url: str | None) -> Iterator[str]:
    """Where the broker that is measured is; one is started unless there is one."""
    if url is not None:
        yield url
        return
    from ..broker import Broker  # noqa: PLC0415 -- see above

    # It is told of refusals by the thousand: they are what is looked for.
    logging.getLogger("minibroker").addHandler(logging.NullHandler())
    with Broker(profile=PROFILE) as broker, broker.listen("127.0.0.1", 0) as server:
        yield server.url


def _hunt(options: argparse.Namespace, programs: list[Program], target: str) -> int:
    from ..differential.address import Address  # noqa: PLC0415 -- see above
    from ..differential.hunt import DIFFERENT as DIFFERS  # noqa: PLC0415 -- see above
    from ..differential.hunt import Hunt  # noqa: PLC0415 -- see above

    counts: Counter[str] = Counter()
    with Hunt(Address.parse(options.against), Address.parse(target)) as hunt:
        for outcome in hunt.run(programs):
            counts[outcome.kind] += 1
            if outcome.difference is not None:
                _report(outcome, options.save)
            _progress(counts, len(programs))
            if counts[DIFFERS] >= MOST_DIFFERENCES:
                break
    print(_sum(counts))
    return DIFFERENT if counts[DIFFERS] else EQUAL


def _report(outcome: Outcome, directory: str | None) -> None:
    from ..differential.compare import told  # noqa: PLC0415 -- see above

    assert outcome.difference is not None
    print(told(outcome.program, outcome.difference), flush=True)
    if directory is not None:
        path = Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        saved = json.dumps(outcome.as_json(), indent=1)
        (path / f"seed-{outcome.program.seed}.json").write_text(saved + "\n", encoding="utf-8")


def _progress(counts: Counter[str], programs: int) -> None:
    done = sum(counts.values())
    if sys.stderr.isatty():
        end = "\n" if done == programs else "\r"
        print(f"{done} of {programs}: {_sum(counts)}", end=end, file=sys.stderr, flush=True)
    elif done % REPORT_EVERY == 0:
        print(f"{done} of {programs}: {_sum(counts)}", file=sys.stderr, flush=True)


def _sum(counts: Counter[str]) -> str:
    return ", ".join(_each(counts))


def _each(counts: Counter[str]) -> Iterable[str]:
    yield f"{sum(counts.values())} programs"
    for kind in ("equal", "different", "unsteady", "broken"):
        if counts[kind] or kind in {"equal", "different"}:
            yield f"{counts[kind]} {kind}"
