"""The same logs as in the tests of `inspection`."""

from __future__ import annotations

from ..inspection.conftest import make_log, running, whole

__all__ = ["make_log", "running", "whole"]
