"""The version of this package, as it is announced and shown."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
