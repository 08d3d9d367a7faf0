from __future__ import annotations

import pytest

from minibroker_client import Connection
from minibroker_client.bridge import BridgeLink, LinkError
from minibroker_client.bridge.connecting import END, end_connection
from minibroker_client.transport import get_end, get_transport, is_end, known, memory

ONLY = r"mqtts?:// is an end of a bridge only, see docs/bridges\.md"


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_what_is_for_bridges_only_is_no_transport_for_anybody_else(scheme: str) -> None:
    for use in (get_transport, lambda scheme: Connection(f"{scheme}://127.0.0.1/")):
        with pytest.raises(ValueError, match=ONLY):
            use(scheme)
    with pytest.raises(ValueError, match=ONLY):
        Connection(["memory://a", f"{scheme}://127.0.0.1/"])
    assert scheme not in known()
    assert is_end(scheme)
    assert get_end(scheme).capabilities.confirms


def test_a_link_connects_to_any_transport() -> None:
    link = BridgeLink(source="memory://a", queue="q", target="mqtt://127.0.0.1/", exchange="")
    assert get_end("memory") is memory.transport
    source = link.source_connection()
    assert END not in source.transport_options
    assert link.target_connection().transport_options[END] == (link, "to")
    with source:
        assert source.connect().connected


def test_each_url_of_several_is_looked_at() -> None:
    link = BridgeLink(source="memory://a", queue="q", target="memory://b", exchange="")
    urls = ["mqtt://127.0.0.1:1/", "mqtt://127.0.0.1:2/?retain=perhaps"]
    with pytest.raises(ValueError, match="perhaps"):
        end_connection(link, "to", urls, {})
    with pytest.raises(LinkError, match="from: option retain"):
        BridgeLink(source=urls, queue="q", target="memory://b", exchange="")
