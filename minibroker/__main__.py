"""`python -m minibroker`, and the command `minibroker`: the way into `cli`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .cli import main as run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """As `cli.main`; the exit status is 1 also when whoever reads the output leaves early."""
    try:
        return run(arguments)
    except BrokenPipeError:  # whoever read the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
