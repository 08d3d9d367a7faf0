from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.bridge import Bridge, BridgeLink, LinkError
from minibroker_client.bridge.mqtt.settings import settings_of

from .conftest import address, address_of

if TYPE_CHECKING:
    from minibroker_client.bridge.mqtt.settings import Settings

URL = "mqtt://127.0.0.1:1/"


def source(**settings: Any) -> BridgeLink:
    usual = {"name": "down", "source": URL, "queue": "s/+/t", "target": "memory://m"}
    return BridgeLink(**{**usual, "exchange": "", **settings})


def target(**settings: Any) -> BridgeLink:
    usual = {"name": "up", "source": "memory://m", "queue": "q", "target": URL, "exchange": ""}
    return BridgeLink(**{**usual, **settings})


def source_settings(**settings: Any) -> Settings:
    return settings_of(address_of(source(**settings), "from"))


def target_settings(**settings: Any) -> Settings:
    return settings_of(address_of(target(**settings), "to"))


def test_a_source_has_a_client_id_that_stays_and_is_its_own() -> None:
    made = source_settings()
    assert made.client_id == source_settings(confirm_window=7).client_id
    assert made.client_id.startswith("minibroker-down-")
    others = [source_settings(name="d/own"), source_settings(queue="s/#")]
    assert len({made.client_id, *(other.client_id for other in others)}) == 3
    assert source_settings(source_options={"client_id": "mine"}).client_id == "mine"
    assert (made.topic_filter, source_settings(confirm_window=7).window) == ("s/+/t", 14)
    assert source_settings(confirm_window=40000).window == 65535


def test_options_come_by_the_url_or_by_the_link() -> None:
    by_url = target_settings(target=f"{URL}?protocol=3.1.1&prefix=site/7/&retain=true")
    options = {"protocol": "3.1.1", "prefix": "site/7", "retain": True}
    assert by_url == target_settings(target_options=options)
    assert (by_url.protocol, by_url.prefix, by_url.retain) == ("3.1.1", "site/7", True)
    assert source_settings(source_options={"state_expiry": 60}).state_expiry == 60
    assert source_settings().state_expiry == 2**32 - 1


def test_a_prefix_stands_before_the_filter() -> None:
    assert source_settings(source=f"{URL}?prefix=site").topic_filter == "site/s/+/t"


def test_mqtts_is_with_tls() -> None:
    assert target_settings(target="mqtts://127.0.0.1:1/").ssl is True
    assert target_settings(target_options={"ssl": {"ca_certs": "c"}}).ssl == {"ca_certs": "c"}
    assert not target_settings().ssl


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"protocol": 4}, "protocol is 4"),
        ({"prefix": 7}, "prefix is 7, not a text"),
        ({"prefix": "a/#"}, "cannot have '#'"),
        ({"retain": "maybe"}, "retain is 'maybe'"),
        ({"state_expiry": -1}, "state_expiry is -1"),
        ({"ssl": "yes"}, "ssl is 'yes'"),
        ({"qos": 2}, "unknown option 'qos'"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_connects(
    options: dict[str, Any], text: str
) -> None:
    for link, side in ((source, "source_options"), (target, "target_options")):
        with pytest.raises(LinkError, match=text):
            link(**{side: options})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"queue": "a/#/b"}, "topic filter"),
        ({"queue": "$share/g/a"}, "shared subscription"),
        ({"queue_arguments": {}}, "no queues to declare"),
        ({"unfit": "dead-letter"}, "unfit: MQTT has no place for dead letters"),
        ({"unroutable": "dead-letter"}, "unroutable: MQTT"),
        ({"source": f"{URL}vhost"}, "no virtual hosts"),
        ({"source": f"{URL}?colour=red"}, "unknown option 'colour'"),
    ],
)
def test_a_source_is_not_told_what_mqtt_does_not_have(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(LinkError, match=text):
        source(**settings)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"exchange": "logs"}, "exchange 'logs': MQTT has none"),
        ({"confirm_window": 65536}, "at most 65535"),
    ],
)
def test_a_target_is_not_told_what_mqtt_does_not_have(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(LinkError, match=text):
        target(**settings)
    assert target_settings(exchange="amq.topic") == target_settings()


def test_both_ways_needs_the_protocol_that_carries_headers() -> None:
    url = f"{URL}?protocol=3.1.1"
    with pytest.raises(LinkError, match="carries no headers"):
        Bridge(source(source=url), target(target=url))
    Bridge(source(source=url), target())


def test_whoever_is_not_a_link_is_refused() -> None:
    with pytest.raises(ValueError, match=r"end of a bridge only, see docs/bridges\.md"):
        settings_of(address(URL))
