"""The built-in serializers: Kombu's formats both ways, and what is off unless asked for."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibroker_client import serialization
from minibroker_client.exceptions import (
    ContentDisallowed,
    DecodeError,
    EncodeError,
    SerializerNotInstalled,
)
from minibroker_client.serialization import (
    disable_insecure_serializers,
    dumps,
    enable_insecure_serializers,
    loads,
    prepare_accept_content,
    registry,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

kombu: Any = pytest.importorskip("kombu.serialization")

PICKLE = "application/x-python-serialize"
YAML = "application/x-yaml"
JSON = "application/json"
MSGPACK = "application/x-msgpack"


class Trap:
    """Remembers that somebody unpickled it."""

    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return spring, ()


def spring() -> None:
    Trap.sprung = True


@pytest.fixture(autouse=True)
def _unchanged_registry() -> Iterator[None]:
    """Put back what a test enables or disables."""
    disabled = registry._disabled
    Trap.sprung = False
    yield
    registry._disabled = disabled
    serialization._package.cache_clear()


def needs(name: str) -> None:
    """Skip where a serializer's package is not installed."""
    if name in {"yaml", YAML}:
        pytest.importorskip("yaml")


# --- formats -------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@pytest.mark.semantics(129)
@pytest.mark.parametrize("name", ["json", "msgpack", "yaml", "pickle"])
@settings(deadline=None)
@given(value=values)
def test_what_kombu_writes_is_read_and_the_other_way_round(name: str, value: Any) -> None:
    needs(name)
    content_type, content_encoding, payload = dumps(value, name)
    theirs = kombu.dumps(value, name)
    assert (content_type, content_encoding) == theirs[:2]
    assert kombu.loads(payload, content_type, content_encoding, force=True) == value
    assert loads(theirs[2], content_type, content_encoding, force=True) == value


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])) | st.binary())
def test_text_and_bytes_travel_as_kombu_sends_them(value: str | bytes) -> None:
    for serializer in (None, "raw"):
        content_type, content_encoding, payload = dumps(value, serializer)
        assert (content_type, content_encoding, payload) == kombu.dumps(value, serializer)
        assert loads(payload, content_type, content_encoding) == value


def test_json_is_the_default() -> None:
    assert dumps([1]) == (JSON, "utf-8", "[1]") == kombu.dumps([1])


def test_yaml_reads_every_kind_of_buffer() -> None:
    needs("yaml")
    for body in ("- 1", b"- 1", bytearray(b"- 1"), memoryview(b"- 1")):
        assert loads(body, YAML, "utf-8", accept={"yaml"}) == [1]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.semantics(130)
@pytest.mark.parametrize("name", ["pickle", "yaml"])
def test_pickle_and_yaml_are_off_unless_asked_for(name: str) -> None:
    needs(name)
    content_type, content_encoding, payload = dumps([1], name)
    with pytest.raises(ContentDisallowed, match=f"disabled content of type {name} .{content_type}"):
        loads(payload, content_type, content_encoding)
    for accept in ({name}, [content_type], name):
        assert loads(payload, content_type, content_encoding, accept=accept) == [1]
    assert loads(payload, content_type, content_encoding, force=True) == [1]
    enable_insecure_serializers()
    assert loads(payload, content_type, content_encoding) == [1]


@pytest.mark.semantics(130)
def test_accept_refuses_what_it_does_not_list_before_looking_at_it() -> None:
    trap = pickle.dumps(Trap())
    refusing: list[Any] = [{"json"}, {JSON}, [], (), "json", f"{PICKLE}-not"]
    for accept in refusing:
        with pytest.raises(ContentDisallowed, match="untrusted content of type pickle"):
            loads(trap, PICKLE, "binary", accept=accept, force=True)
    assert not Trap.sprung
    loads(trap, PICKLE, "binary", accept={"pickle"})
    assert Trap.sprung


@pytest.mark.semantics(130)
@pytest.mark.parametrize("content_type", [None, "", "application/data", "text/plain", "pickle"])
def test_content_that_is_not_marked_as_pickle_is_never_unpickled(content_type: str | None) -> None:
    enable_insecure_serializers()
    trap = pickle.dumps(Trap())
    for accept in (None, {"pickle", "text"}):
        assert loads(trap, content_type, "binary", accept=accept) == trap
    assert not Trap.sprung


def test_disabling_leaves_json_and_plain_content() -> None:
    disable_insecure_serializers()
    assert loads(b"[]", JSON, "utf-8") == []
    assert loads(b"x", "text/plain", "utf-8") == "x"
    with pytest.raises(ContentDisallowed):
        loads(b"\x90", MSGPACK, "binary")
    disable_insecure_serializers(["msgpack"])
    assert loads(b"\x90", MSGPACK, "binary") == []
    disable_insecure_serializers(None)
    with pytest.raises(ContentDisallowed):
        loads(b"\x90", MSGPACK, "binary")


def test_enabling_takes_names_and_content_types() -> None:
    enable_insecure_serializers(None)
    assert registry._disabled == {PICKLE, YAML}
    enable_insecure_serializers([PICKLE])
    assert registry._disabled == {YAML}
    with pytest.raises(SerializerNotInstalled, match="no serializer 'marshal'"):
        enable_insecure_serializers(["marshal"])


def test_accept_content_is_prepared_as_kombu_does() -> None:
    assert prepare_accept_content(None) is None
    names = ["json", "pickle", "application/x-own"]
    assert prepare_accept_content(names) == kombu.prepare_accept_content(names)
    assert prepare_accept_content("json") == {JSON}
    assert prepare_accept_content(["mine"], {"mine": "x/mine"}) == {"x/mine"}
    with pytest.raises(SerializerNotInstalled, match=r"no serializer 'json' \(there are mine\)"):
        prepare_accept_content(["json"], {"mine": "x/mine"})


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b"{"),
        (JSON, b"\xff"),
        (JSON, b"[" * 200_000),
        (JSON, b'{"__type__": "unheard", "__value__": 1}'),
        (JSON, b'{"__type__": [], "__value__": 1}'),
        (JSON, b'{"__type__": "datetime", "__value__": "noon"}'),
        (JSON, b'{"__type__": "uuid", "__value__": 5}'),
        (MSGPACK, b"\xc1"),
        (MSGPACK, b"\x90\x90"),
        (YAML, b"[1"),
        (YAML, b"!!python/object/apply:os.getcwd []"),
        (PICKLE, b"garbage"),
    ],
)
def test_content_that_cannot_be_decoded_names_its_type_and_cause(
    content_type: str, body: bytes
) -> None:
    needs(content_type)
    with pytest.raises(DecodeError, match=f"cannot decode {content_type} content") as caught:
        loads(body, content_type, "utf-8", force=True)
    assert isinstance(caught.value.__cause__, Exception)


@pytest.mark.parametrize(
    ("value", "serializer", "content_type"),
    [
        (object(), None, JSON),
        ({1, 2}, "json", JSON),
        (object(), "msgpack", MSGPACK),
        (object(), "yaml", YAML),
        (lambda: 0, "pickle", PICKLE),
    ],
)
def test_a_value_that_cannot_be_encoded_names_its_type_and_the_format(
    value: Any, serializer: str | None, content_type: str
) -> None:
    needs(content_type)
    with pytest.raises(
        EncodeError, match=f"cannot encode {type(value).__name__} as {content_type}"
    ):
        dumps(value, serializer)


@pytest.mark.parametrize(
    ("name", "package", "hint"),
    [("yaml", "yaml", r"minibroker\[yaml\]"), ("msgpack", "msgpack", "minibroker")],
)
def test_a_missing_package_comes_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, hint: str
) -> None:
    serialization._package.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SerializerNotInstalled, match=f'{package} is missing: pip install "{hint}"'):
        dumps([1], name)
    with pytest.raises(SerializerNotInstalled, match="is missing"):
        loads(b"x", registry.name_to_type[name], "binary", accept={name})
