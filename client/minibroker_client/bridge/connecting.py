"""Connections for the ends of links, which also go where nothing but a bridge goes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..connection import Connection
from ..transport import get_end, is_end

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .link import BridgeLink, Where

__all__ = ["END", "EndConnection", "end_connection"]

END = "bridge_end"
"""The transport option that tells a transport for bridges only whose end it is: the link, and
`from` or `to`."""


class EndConnection(Connection):
    """A connection to any transport, also one for bridges only."""

    transport_of = staticmethod(get_end)


def end_connection(
    link: BridgeLink, side: str, where: Where, options: Mapping[str, Any]
) -> Connection:
    """A connection for one end of a link, not connected. `ValueError` for what cannot work."""
    connection = EndConnection(where, transport_options=options)
    urls = [url for url in connection.alt if "://" in url]
    places = [connection.parameters, *(connection.base.with_url(url) for url in urls)]
    for place in places:
        if is_end(place.transport):
            connection.transport_options[END] = (link, side)
            address = replace(place, password=None).address(connection.transport_options)
            transport: Any = get_end(place.transport)
            transport.check(address)
    return connection
