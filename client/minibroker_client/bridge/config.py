"""Links from a TOML file: a table `[[link]]` for each. Connects to nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .link import SETTINGS, BridgeLink, LinkError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["link_from", "read_links"]

_CALLED = {"source": "from", "target": "to"}
"""What two settings are called in a file, and on the command line: words that Python keeps."""
_REQUIRED = ("from", "queue", "to", "exchange")


def read_links(path: str | PathLike[str]) -> list[BridgeLink]:
    """The links of a file. `LinkError` names what is wrong, `OSError` says it cannot be read."""
    with open(path, "rb") as file:  # noqa: PTH123 -- a path of any kind
        try:
            read = tomllib.load(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LinkError(f"{path}: {error}") from None
    unknown = sorted(set(read) - {"link"})
    if unknown:
        raise LinkError(f"{path}: unknown key {unknown[0]!r} (there is: [[link]])")
    tables = read.get("link")
    if not isinstance(tables, list) or not tables:
        raise LinkError(f"{path}: no [[link]]")
    try:
        return [link_from(table) for table in tables]
    except LinkError as error:
        raise LinkError(f"{path}: {error}") from None


def link_from(table: Any) -> BridgeLink:
    """A link from its settings as a file has them. `LinkError` names what is wrong."""
    if not isinstance(table, Mapping):
        raise LinkError(f"a link is a table, not {table!r}")
    named = f"link {table['name']!r}" if "name" in table else "a link"
    known = {_CALLED.get(setting, setting) for setting in SETTINGS}
    for setting in sorted(table):
        if setting not in known:
            raise LinkError(f"{named}: unknown setting {setting!r} ({', '.join(sorted(known))})")
    for setting in _REQUIRED:
        if setting not in table:
            raise LinkError(f"{named}: {setting!r} is missing")
    back = {called: setting for setting, called in _CALLED.items()}
    settings = {back.get(str(each), str(each)): value for each, value in table.items()}
    return BridgeLink(**settings)
