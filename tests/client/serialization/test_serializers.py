"""The table of serializers: registering, accepting, plain content and errors."""

from __future__ import annotations

from typing import Any

import pytest

from minibroker_client.exceptions import (
    ContentDisallowed,
    DecodeError,
    EncodeError,
    SerializerNotInstalled,
)
from minibroker_client.serialization.serializers import SerializerRegistry, type_for

UPPER = "application/x-upper"


@pytest.fixture
def registry() -> SerializerRegistry:
    """A registry of the test's own, with one serializer besides text and raw."""
    own = SerializerRegistry()
    own.register("upper", str.upper, str.lower, UPPER, "ascii")
    return own


def test_a_serializer_is_used_by_name_and_by_content_type(registry: SerializerRegistry) -> None:
    assert registry.dumps("hi", "upper") == (UPPER, "ascii", "HI")
    assert registry.loads("HI", UPPER, "ascii") == "hi"
    registry.unregister("upper")
    assert registry.loads("HI", UPPER, "ascii") == "HI"
    with pytest.raises(SerializerNotInstalled, match="no serializer 'upper'"):
        registry.unregister("upper")
    with pytest.raises(SerializerNotInstalled, match=r"no serializer 'upper' \(there are raw, te"):
        registry.dumps("hi", "upper")


def test_either_direction_of_a_serializer_may_be_missing(registry: SerializerRegistry) -> None:
    registry.register("out", str.upper, None, "application/x-out")
    registry.register("in", None, str, "application/x-in")
    assert registry.dumps("a", "out")[2] == "A"
    with pytest.raises(SerializerNotInstalled, match="'in'"):
        registry.dumps("a", "in")


def test_an_encoder_must_return_bytes_or_text(registry: SerializerRegistry) -> None:
    registry.register("odd", len, None, "application/x-odd")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(EncodeError, match="the encoder of 'odd' returned int"):
        registry.dumps([], "odd")


def test_what_a_codec_raises_becomes_an_error_with_a_cause(registry: SerializerRegistry) -> None:
    with pytest.raises(EncodeError, match=f"cannot encode int as {UPPER}: ") as encoding:
        registry.dumps(5, "upper")
    assert isinstance(encoding.value.__cause__, TypeError)
    with pytest.raises(DecodeError, match=f"cannot decode {UPPER} content: ") as decoding:
        registry.loads(b"x", UPPER, "ascii")
    assert isinstance(decoding.value.__cause__, TypeError)


def test_a_codecs_own_errors_are_not_wrapped_again(registry: SerializerRegistry) -> None:
    def fail(_value: Any) -> Any:
        raise EncodeError("mine")

    def refuse(_body: Any) -> Any:
        raise ContentDisallowed("signature does not match")

    registry.register("own", fail, refuse, "application/x-own")
    with pytest.raises(EncodeError, match=r"^mine$"):
        registry.dumps([], "own")
    with pytest.raises(ContentDisallowed, match="signature"):
        registry.loads(b"x", "application/x-own", "binary")


def test_the_default_serializer_can_be_changed(registry: SerializerRegistry) -> None:
    registry.register("repr", repr, None, "text/x-repr")
    registry.set_default_serializer("repr")
    assert registry.dumps([1]) == ("text/x-repr", "utf-8", "[1]")
    with pytest.raises(SerializerNotInstalled, match="no serializer 'json'"):
        registry.set_default_serializer("json")


# --- plain bytes and text ------------------------------------------------------------------------


def test_bytes_and_text_need_no_serializer(registry: SerializerRegistry) -> None:
    assert registry.dumps(b"\xff") == ("application/data", "binary", b"\xff")
    assert registry.dumps("é") == ("text/plain", "utf-8", b"\xc3\xa9")
    assert registry.dumps("é", "raw") == ("application/data", "utf-8", b"\xc3\xa9")
    assert registry.dumps("é", "text") == ("text/plain", "utf-8", b"\xc3\xa9")


def test_subclasses_and_buffers_of_bytes_are_sent_as_bytes(registry: SerializerRegistry) -> None:
    class Blob(bytes):
        pass

    sent = ("application/data", "binary", b"x")
    assert registry.dumps(Blob(b"x")) == sent
    assert registry.dumps(bytearray(b"x"), "raw") == sent
    assert registry.dumps(memoryview(b"x"), "raw") == sent


@pytest.mark.parametrize(
    ("value", "serializer", "content_type"),
    [
        ("\ud800", None, "text/plain"),
        ("\ud800", "raw", "application/data"),
        ("\ud800", "text", "text/plain"),
        (5, "raw", "application/data"),
        (b"x", "text", "text/plain"),
    ],
)
def test_what_is_neither_bytes_nor_text_is_refused_by_name(
    registry: SerializerRegistry, value: Any, serializer: str | None, content_type: str
) -> None:
    with pytest.raises(
        EncodeError, match=f"cannot encode {type(value).__name__} as {content_type}"
    ):
        registry.dumps(value, serializer)


def test_text_is_decoded_in_its_charset_and_binary_is_left_alone(
    registry: SerializerRegistry,
) -> None:
    assert registry.loads(b"\xe9", "text/plain", "Latin-1") == "é"
    assert registry.loads(memoryview(b"\xe9"), "image/png", "latin-1") == "é"
    assert registry.loads(b"\xe9", "image/png", "BINARY") == b"\xe9"
    assert registry.loads("é", "text/plain", "latin-1") == "é"
    with pytest.raises(DecodeError, match="cannot decode application/data content: 'utf-8' codec"):
        registry.loads(b"\xe9", None, None)


@pytest.mark.parametrize("charset", ["zlib", "hex", "no-such", "utf-8\0"])
def test_a_charset_that_is_not_one_is_refused(registry: SerializerRegistry, charset: str) -> None:
    with pytest.raises(DecodeError, match="cannot decode text/plain content"):
        registry.loads(b"x\x9c", "text/plain", charset)


def test_empty_text_is_text_and_an_empty_body_is_not_given_to_a_decoder(
    registry: SerializerRegistry,
) -> None:
    assert registry.loads(b"", "text/plain", "utf-8") == ""
    assert registry.loads(b"", UPPER, "utf-8") == b""


# --- accepting -----------------------------------------------------------------------------------


@pytest.mark.semantics(130)
def test_accept_takes_names_and_content_types(registry: SerializerRegistry) -> None:
    accepting: list[Any] = [{"upper"}, [UPPER], ("text", "upper"), "upper", UPPER]
    for accept in accepting:
        assert registry.loads("HI", UPPER, "ascii", accept=accept) == "hi"
    refusing: list[Any] = [set(), [], {"text"}, "text", f"{UPPER}-not"]
    for accept in refusing:
        with pytest.raises(ContentDisallowed, match=f"untrusted content of type upper .{UPPER}"):
            registry.loads("HI", UPPER, "ascii", accept=accept, force=True)


@pytest.mark.semantics(130)
def test_plain_data_needs_no_place_in_accept(registry: SerializerRegistry) -> None:
    assert registry.loads(b"x", "application/data", "binary", accept=set()) == b"x"
    assert registry.loads(b"x", None, None, accept={"upper"}) == "x"
    with pytest.raises(ContentDisallowed, match=r"text \(text/plain\)"):
        registry.loads(b"x", "text/plain", "utf-8", accept={"upper"})


def test_content_of_an_unknown_type_is_named_in_the_refusal(registry: SerializerRegistry) -> None:
    with pytest.raises(ContentDisallowed, match=r"of type image/png$"):
        registry.loads(b"x", "image/png", "binary", accept={"upper"})


def test_a_name_in_accept_that_does_not_exist_is_an_error(registry: SerializerRegistry) -> None:
    with pytest.raises(SerializerNotInstalled, match=r"no serializer 'uper' \(there are raw, text"):
        registry.loads("HI", UPPER, "ascii", accept=["uper"])


def test_a_disabled_content_type_needs_accept_or_force(registry: SerializerRegistry) -> None:
    registry.disable("upper")
    with pytest.raises(ContentDisallowed, match=f"disabled content of type upper .{UPPER}"):
        registry.loads("HI", UPPER, "ascii")
    assert registry.loads("HI", UPPER, "ascii", accept={"upper"}) == "hi"
    assert registry.loads("HI", UPPER, "ascii", force=True) == "hi"
    registry.enable(UPPER)
    assert registry.loads("HI", UPPER, "ascii") == "hi"


def test_a_disabled_content_type_stays_so_when_it_is_registered_again(
    registry: SerializerRegistry,
) -> None:
    registry.disable("upper")
    registry.register("loud", str.upper, str.lower, UPPER)
    with pytest.raises(ContentDisallowed):
        registry.loads("HI", UPPER, "ascii")


def test_all_but_some_can_be_disabled(registry: SerializerRegistry) -> None:
    registry.register("low", str.lower, str.upper, "application/x-low")
    registry.disable_all_but(["low"])
    assert registry.loads("hi", "application/x-low", "ascii") == "HI"
    assert registry.loads(b"x", "text/plain", "ascii") == "x"
    with pytest.raises(ContentDisallowed):
        registry.loads("HI", UPPER, "ascii")


def test_a_content_type_stands_for_itself() -> None:
    assert type_for("a/b", {}) == "a/b"
    assert type_for("a", {"a": "x/a"}) == "x/a"
    with pytest.raises(SerializerNotInstalled, match=r"no serializer 'b' \(there are a\)"):
        type_for("b", {"a": "x/a"})
