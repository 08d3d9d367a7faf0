"""`python -m minibroker`, and the command `minibroker`. Knows only how to start what there is.

Until there is a server that is the narrated tour.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import __version__
from .tour import run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tour; the exit status is 1 if something in it was not as told, else 0.

    `arguments` are those of the command line by default. Unknown ones end the process with 2.
    """
    parser = argparse.ArgumentParser(
        prog="minibroker",
        description=(
            "A guided tour of MiniBroker in this one process, without a server: it publishes, "
            "routes, expires, dead-letters and redelivers real messages and prints what happened."
        ),
        epilog="Exit status: 0 if everything happened as told, 1 if not, 2 for wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"minibroker {__version__}")
    parser.parse_args(arguments)
    try:
        return 1 if run() else 0
    except BrokenPipeError:  # whoever read the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
