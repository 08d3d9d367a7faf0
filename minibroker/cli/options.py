"""The options of `minibroker serve`: from the command line, the environment or a file.

Each is described once, in `OPTIONS`. The command line wins over the environment, that over the
file, that over the default. Knows nothing of what an option is for.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..declare import LONGEST_NAME
from ..profile import DEFAULT, PROFILES

__all__ = ["LISTEN", "OPTIONS", "USER", "Option", "OptionError", "collect", "parse_name"]

PREFIX = "MINIBROKER_"
UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1024, "mi": 1024**2, "gi": 1024**3}
TABLES = ("listen", "users")
"""Keys of the file that are no options: lists of tables."""


class OptionError(ValueError):
    """An option that cannot be used. The text names it, where it comes from, and its value."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its name on the command line without dashes, and in the file."""

    name: str
    parse: Callable[[str], Any]
    metavar: str
    help: str
    default: Any = None
    several: bool = False
    """Whether it may be given more than once."""

    @property
    def variable(self) -> str:
        """The environment variable of the same meaning."""
        return PREFIX + self.name.replace("-", "_").upper()


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]+", text) or not least <= int(text) <= most:
            raise ValueError(f"a number from {least} to {most} is wanted")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or float(text) <= 0:
        raise ValueError("a number of seconds above 0 is wanted")
    return float(text)


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)} is wanted")
        return text

    return parse


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([a-z]*?)b?", text.strip().lower())
    if match is None or match[2] not in UNITS:
        raise ValueError("a size such as 512MB or 1GiB is wanted")
    return round(float(match[1]) * UNITS[match[2]])


def _fsync(text: str) -> str:
    if text in {"always", "never"}:
        return text
    match = re.fullmatch(r"interval:([0-9]+)(ms)?", text)
    if match is None or not int(match[1]):
        raise ValueError("always, never or interval:MILLISECONDS is wanted")
    return f"interval:{match[1]}ms"


def _user(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not name or not colon or not password:
        raise ValueError("NAME:PASSWORD is wanted")
    password.encode()
    return parse_name(name), password


def _text(text: str) -> str:
    if not text:
        raise ValueError("it must not be empty")
    if "\0" in text:
        raise ValueError("it must not have a character 0")
    return text


def parse_name(text: str) -> str:
    """The name of a user or a virtual host. Raises ValueError that says what one is."""
    if not 0 < len(text.encode()) <= LONGEST_NAME:
        raise ValueError(f"1 to {LONGEST_NAME} bytes are wanted")
    return text


_PORT = _number(0, 65535)
OPTIONS = (
    Option("host", _text, "HOST", 'address to listen on; localhost is 127.0.0.1 and ::1, "*" is '
           "every address", "localhost"),
    Option("port", _PORT, "PORT", "port to listen on; 0 takes a free one", 5672),
    Option("unix", _text, "PATH", "a Unix socket to listen on, too"),
    Option("data", _text, "DIR", "keep what is durable in this directory; without it everything "
           "is in memory"),
    Option("fsync", _fsync, "WHEN", "what a confirm promises of a broker with --data: always, "
           "interval:MS or never", "always"),
    Option("profile", _one_of(*PROFILES), "NAME", "which RabbitMQ clients see: "
           + ", ".join(PROFILES), DEFAULT),
    Option("user", _user, "NAME:PASSWORD", "a user who may do everything; may be given several "
           "times. Without any: guest, guest, from this machine only", several=True),
    Option("vhost", parse_name, "NAME", "a virtual host besides /; may be given several times",
           several=True),
    Option("memory-limit", _size, "SIZE", "publishers wait while the queues hold more, such as "
           "512MB or 1GiB"),
    Option("tls-cert", _text, "FILE", "speak TLS, with this certificate"),
    Option("tls-key", _text, "FILE", "the certificate's key, where it is in another file"),
    Option("tls-ca", _text, "FILE", "ask clients for certificates of this authority"),
    Option("tls-verify", _one_of("required", "optional"), "HOW", "whether a client may come "
           "without a certificate: required or optional", "required"),
    Option("heartbeat", _number(0, 65535), "S", "seconds between heartbeats that are proposed; 0 "
           "for none", 60),
    Option("handshake-timeout", _seconds, "S", "seconds that a client has to log in", 10.0),
    Option("channel-max", _number(0, 65535), "N", "channels of a connection; 0 for any number",
           2047),
    Option("frame-max", _number(8192, 1 << 31), "BYTES", "bytes of a frame", 131072),
    Option("max-connections", _number(1, 1 << 31), "N", "connections at one time"),
    Option("max-queues", _number(1, 1 << 31), "N", "queues in all virtual hosts together"),
    Option("loop", _one_of("auto", "asyncio", "uvloop"), "LOOP", "event loop: auto is uvloop "
           "where it is installed", "auto"),
    Option("log-level", _one_of("debug", "info", "warning", "error"), "LEVEL", "least important "
           "messages that are logged", "info"),
    Option("log-format", _one_of("text", "json"), "FORMAT", "text, or json: one object in a line",
           "text"),
)  # fmt: skip
LISTEN = ("host", "port", "unix", "tls-cert", "tls-key", "tls-ca", "tls-verify")
"""The keys of a table `[[listen]]`: one listener more."""
USER = ("name", "password", "tags", "permissions")
"""The keys of a table `[[users]]`."""


def collect(given: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The value of each option, by name, and the lists of tables of the file.

    `given` has texts, or lists of them, of the command line, None where it has none; "config" is
    the file. Raises OptionError.
    """
    config = given.get("config") or environment.get(f"{PREFIX}CONFIG")
    content = _file(config) if config else {}
    values: dict[str, Any] = {name: content.pop(name, []) for name in TABLES}
    for option in OPTIONS:
        values[option.name] = _value(option, given, environment, content, str(config))
    for key in content:
        raise OptionError(f"{config}: {key!r} is no option; see `minibroker serve --help`")
    for name, keys in (("listen", LISTEN), ("users", USER)):
        values[name] = [_table(each, name, keys, str(config)) for each in _tables(values, name)]
    return values


def _value(
    option: Option,
    given: Mapping[str, Any],
    environment: Mapping[str, str],
    content: dict[str, Any],
    config: str,
) -> Any:
    in_file = content.pop(option.name, None)
    said = given.get(option.name.replace("-", "_"))
    where = f"--{option.name}"
    if said is None and environment.get(option.variable):
        said, where = environment[option.variable], option.variable
        if option.several:
            said = said.split(",")
    if said is None and in_file is not None:
        said, where = in_file, f"{config}: {option.name}"
    if said is None:
        return [] if option.several else option.default
    if option.several:
        said = said if isinstance(said, list) else [said]
        return [_parsed(option, each, where) for each in said]
    return _parsed(option, said, where)


def _parsed(option: Option, value: object, where: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise OptionError(f"{where}: {value!r} is neither a text nor a number")
    try:
        return option.parse(str(value))
    except ValueError as error:
        shown = "***" if option.name == "user" else repr(str(value))
        raise OptionError(f"{where}: {shown}: {error}") from None


def _file(path: str) -> dict[str, Any]:
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is no TOML: {error}") from None
    return _with_dashes(content, path)


def _with_dashes(table: dict[str, Any], where: str) -> dict[str, Any]:
    """A table with keys as options are named: a file may have `_` for `-`."""
    made: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name in made:
            raise OptionError(f"{where}: {name!r} stands there twice, with - and with _")
        made[name] = value
    return made


def _tables(values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    tables = values[name]
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise OptionError(f"{name!r} has to be tables: [[{name}]]")
    return tables


def _table(table: dict[str, Any], name: str, keys: tuple[str, ...], config: str) -> dict[str, Any]:
    known = {option.name: option for option in OPTIONS}
    made: dict[str, Any] = {}
    for key, value in _with_dashes(table, f"{config}: [[{name}]]").items():
        if key not in keys:
            raise OptionError(
                f"{config}: {key!r} is no key of [[{name}]]; there are {', '.join(keys)}"
            )
        where = f"{config}: [[{name}]] {key}"
        made[key] = _parsed(known[key], value, where) if key in known else value
    return made


def environment() -> Mapping[str, str]:
    """The environment variables of this process."""
    return os.environ
