"""Values of a client in the text of an error."""

from __future__ import annotations

from reprlib import Repr

__all__ = ["shown"]

_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 60
shown = _repr.repr
