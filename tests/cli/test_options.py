"""Where the options of `minibroker serve` come from, and what is said of wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker.cli.options import OPTIONS, OptionError, collect

if TYPE_CHECKING:
    from pathlib import Path


def collected(
    given: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    file: Path | None = None,
    content: str = "",
) -> dict[str, Any]:
    given = dict(given or {})
    if file is not None:
        (file / "broker.toml").write_text(content)
        given["config"] = str(file / "broker.toml")
    return collect(given, environment or {})


def test_without_anything_the_defaults_count() -> None:
    values = collected()
    assert (values["host"], values["port"], values["data"]) == ("localhost", 5672, None)
    assert (values["user"], values["vhost"], values["listen"]) == ([], [], [])
    assert (values["heartbeat"], values["fsync"]) == (60, "always")


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path,
) -> None:
    content = "port = 3\nheartbeat = 3\nframe-max = 9000"
    values = collected(
        {"port": "1"}, {"MINIBROKER_PORT": "2", "MINIBROKER_HEARTBEAT": "2"}, tmp_path, content
    )
    assert (values["port"], values["heartbeat"], values["frame-max"]) == (1, 2, 9000)


def test_the_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("port = 7")
    assert collected({}, {"MINIBROKER_CONFIG": str(file)})["port"] == 7


def test_what_may_be_given_several_times_is_a_list_everywhere(tmp_path: Path) -> None:
    assert collected({"vhost": ["a", "b"]})["vhost"] == ["a", "b"]
    assert collected({}, {"MINIBROKER_USER": "ann:x,bob:y"})["user"] == [("ann", "x"), ("bob", "y")]
    assert collected(file=tmp_path, content="vhost = ['a']")["vhost"] == ["a"]
    assert collected(file=tmp_path, content="vhost = 'a'")["vhost"] == ["a"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("memory_limit", "1000", 1000),
        ("memory_limit", "512MB", 512_000_000),
        ("memory_limit", "1GiB", 1 << 30),
        ("memory_limit", "1.5 kib", 1536),
        ("fsync", "never", "never"),
        ("fsync", "interval:100", "interval:100ms"),
        ("fsync", "interval:100ms", "interval:100ms"),
        ("handshake_timeout", "2.5", 2.5),
        ("user", ["ann:a:b"], [("ann", "a:b")]),
    ],
)
def test_values_are_read_as_they_are_written(name: str, text: object, value: object) -> None:
    assert collected({name: text})[name.replace("_", "-")] == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("port", "x", "--port: 'x': a number from 0 to 65535 is wanted"),
        ("port", "65536", "a number from 0 to 65535"),
        ("port", "²", "a number from 0 to 65535"),
        ("host", "", "--host: '': it must not be empty"),
        ("fsync", "interval:0", "always, never or interval:MILLISECONDS"),
        ("profile", "rabbitmq-9", "one of rabbitmq-3.10, "),
        ("memory_limit", "much", "a size such as 512MB"),
        ("memory_limit", "1TB", "a size such as 512MB"),
        ("handshake_timeout", "0", "a number of seconds above 0"),
        ("tls_verify", "maybe", "one of required, optional"),
        ("user", ["ann"], "--user: ***: NAME:PASSWORD is wanted"),
        ("user", [":secret"], "--user: ***: NAME:PASSWORD is wanted"),
        ("user", [f"{'n' * 256}:secret"], "--user: ***: 1 to 255 bytes are wanted"),
        ("user", ["ann:\udcff"], "--user: ***: "),
        ("vhost", ["ä" * 128], "1 to 255 bytes are wanted"),
        ("vhost", [""], "--vhost: '': 1 to 255 bytes are wanted"),
    ],
)
def test_a_wrong_value_is_named_with_where_it_stands(name: str, text: object, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        collected({name: text})
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_wrong_value_of_the_environment_is_named_by_its_variable() -> None:
    with pytest.raises(OptionError, match="MINIBROKER_FRAME_MAX: '1': a number from 8192"):
        collected({}, {"MINIBROKER_FRAME_MAX": "1"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("port = 'x'", "broker.toml: port: 'x': a number"),
        ("port = true", "port: True is neither a text nor a number"),
        ("colour = 1", "'colour' is no option"),
        ("port =", "is no TOML"),
        ("listen = 5", "'listen' has to be tables"),
        ("users = ['ann']", "'users' has to be tables"),
        ("[[listen]]\nport = 'x'", "[[listen]] port: 'x': a number"),
        ("[[listen]]\nfsync = 'never'", "'fsync' is no key of [[listen]]"),
        ("[[users]]\ncolour = 1", "'colour' is no key of [[users]]; there are name, password"),
        ('data = "a\\u0000b"', "data: 'a\\x00b': it must not have a character 0"),
        ("frame-max = 9000\nframe_max = 9001", "'frame-max' stands there twice"),
        ("[[listen]]\ntls-ca = 'a'\ntls_ca = 'b'", "[[listen]]: 'tls-ca' stands there twice"),
    ],
)
def test_a_wrong_file_is_named_with_the_key(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        collected(file=tmp_path, content=content)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_or_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="nowhere.toml cannot be read: No such file"):
        collect({"config": str(tmp_path / "nowhere.toml")}, {})
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(OptionError, match="is no TOML"):
        collect({"config": str(tmp_path / "bytes.toml")}, {})


def test_keys_of_tables_are_read_as_options_are(tmp_path: Path) -> None:
    content = "[[listen]]\nhost = '::1'\nport = 5671\ntls_cert = 'c'\n[[users]]\nname = 'ann'"
    values = collected(file=tmp_path, content=content)
    assert values["listen"] == [{"host": "::1", "port": 5671, "tls-cert": "c"}]
    assert values["users"] == [{"name": "ann"}]


def test_every_option_has_a_variable_of_its_own_and_a_help() -> None:
    assert len({option.variable for option in OPTIONS}) == len(OPTIONS)
    assert all(option.help for option in OPTIONS)
