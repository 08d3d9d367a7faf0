"""The table of serializers: which one encodes a value, and which may decode a body.

Knows no serializer but plain bytes and text; the others are registered by the package.
Registering changes the table; do it at start-up. Encoding and decoding are thread-safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import ContentDisallowed, DecodeError, EncodeError, SerializerNotInstalled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    Encoder = Callable[[Any], bytes | str]
    Decoder = Callable[[Any], Any]

__all__ = ["SerializerRegistry", "type_for"]

_RAW_TYPE = "application/data"
_TEXT_TYPE = "text/plain"
_TRUSTED = frozenset({_RAW_TYPE, "application/text"})
"""Content types that need no place in `accept`, as nothing but text decoding is done to them."""
_NO_CHARSET = frozenset({"binary", "ascii-8bit"})


@dataclass(slots=True, eq=False)
class _Codec:
    """How one serializer encodes, and what it writes into the message's properties."""

    content_type: str
    content_encoding: str
    encoder: Encoder


class SerializerRegistry:
    """Serializers by name (for senders) and by content type (for receivers).

    `name_to_type` and `type_to_name` are for reading only.
    """

    def __init__(self) -> None:
        self._encoders: dict[str, _Codec] = {}
        self._decoders: dict[str, Decoder] = {}
        self._disabled: frozenset[str] = frozenset()
        self._default = "json"
        self.name_to_type: dict[str, str] = {}
        self.type_to_name: dict[str, str] = {}
        self.register("text", _encode_text, None, _TEXT_TYPE)
        self.register("raw", None, None, _RAW_TYPE, "binary")  # dumps knows how

    def register(
        self,
        name: str,
        encoder: Encoder | None,
        decoder: Decoder | None,
        content_type: str,
        content_encoding: str = "utf-8",
    ) -> None:
        """Add a serializer, or replace the one of that name.

        `encoder` turns a value into `bytes` or `str`; `decoder` gets the body as it arrived
        (`bytes`, another buffer, or `str`). Either may be None: then that direction is not
        possible. A content type that is disabled stays so.
        """
        if encoder is not None:
            self._encoders[name] = _Codec(content_type, content_encoding, encoder)
        if decoder is not None:
            self._decoders[content_type] = decoder
        self.name_to_type[name] = content_type
        self.type_to_name[content_type] = name

    def unregister(self, name: str) -> None:
        """Remove a serializer. Raises `SerializerNotInstalled` when there is none of that name."""
        content_type = type_for(name, self.name_to_type)
        self._encoders.pop(name, None)
        self._decoders.pop(content_type, None)
        self.type_to_name.pop(content_type, None)
        del self.name_to_type[name]

    def enable(self, name: str) -> None:
        """Let `loads` decode this name or content type when the caller gives no `accept`."""
        self._disabled -= {type_for(name, self.name_to_type)}

    def disable(self, name: str) -> None:
        """Refuse this name or content type in `loads` when the caller gives no `accept`."""
        self._disabled |= {type_for(name, self.name_to_type)}

    def disable_all_but(self, allowed: Iterable[str]) -> None:
        """Disable every content type that has a decoder, and enable the `allowed` ones."""
        kept = {type_for(name, self.name_to_type) for name in allowed}
        self._disabled = (self._disabled | self._decoders.keys()) - kept

    def set_default_serializer(self, name: str) -> None:
        """What `dumps` uses for a value that is neither `bytes` nor `str` when none is named."""
        self._codec(name)
        self._default = name

    def dumps(self, data: Any, serializer: str | None = None) -> tuple[str, str, bytes | str]:
        """Encode a value: `(content_type, content_encoding, body)`.

        Without a `serializer`, `bytes` travel as they are (`application/data`, `binary`), `str` as
        UTF-8 (`text/plain`) and everything else through the default serializer (json). Raises
        `SerializerNotInstalled` for an unknown name, `EncodeError` when the value does not fit.
        """
        if type(data) is bytes and (not serializer or serializer == "raw"):
            return "application/data", "binary", data
        if not serializer:
            if isinstance(data, str):
                return _TEXT_TYPE, "utf-8", _utf8(data, _TEXT_TYPE)
            serializer = "raw" if isinstance(data, bytes) else self._default
        if serializer == "raw":
            return _encode_raw(data)
        codec = self._codec(serializer)
        try:
            body = codec.encoder(data)
        except (SerializerNotInstalled, EncodeError):
            raise
        except Exception as exc:
            raise _encode_error(data, codec.content_type, exc) from exc
        if not isinstance(body, (bytes, str)):
            found = type(body).__name__
            raise EncodeError(f"the encoder of {serializer!r} returned {found}, not bytes or str")
        return codec.content_type, codec.content_encoding, body

    def loads(
        self,
        data: Any,
        content_type: str | None,
        content_encoding: str | None,
        accept: Collection[str] | None = None,
        force: bool = False,
    ) -> Any:
        """Decode a body by what its producer said it is.

        `accept` lists content types or names; with it, nothing else is decoded, except plain data.
        Without it, all but the disabled content types are, and with `force` those, too. Content of
        a type that nobody registered comes back as text by `content_encoding` (default UTF-8), or
        as the bytes it is when that is `binary`. Empty content is not given to a decoder. Raises
        `ContentDisallowed`; `DecodeError` (cause: what the decoder raised);
        `SerializerNotInstalled` when the decoder's package is missing.
        """
        content_type = content_type or _RAW_TYPE
        if accept is not None:
            if content_type not in _TRUSTED:
                self._check_accepted(content_type, accept)
        elif content_type in self._disabled and not force:
            raise self._refusal(content_type, "disabled")
        decoder = self._decoders.get(content_type)
        if decoder is None:
            return _decode_text(data, content_type, content_encoding)
        if not data:
            return data
        try:
            return decoder(data)
        except (SerializerNotInstalled, DecodeError):
            raise
        except Exception as exc:
            raise _decode_error(content_type, exc) from exc

    def _check_accepted(self, content_type: str, accept: Collection[str]) -> None:
        # `x in "string"` would find parts of the string, so a lone string is made a list first.
        names = (accept,) if isinstance(accept, str) else accept
        if content_type in names:
            return
        if content_type not in {type_for(name, self.name_to_type) for name in names}:
            raise self._refusal(content_type, "untrusted")

    def _refusal(self, content_type: str, why: str) -> ContentDisallowed:
        name = self.type_to_name.get(content_type)
        shown = f"{name} ({content_type})" if name else content_type
        return ContentDisallowed(f"refusing to decode {why} content of type {shown}")

    def _codec(self, name: str) -> _Codec:
        try:
            return self._encoders[name]
        except KeyError:
            raise _unknown(name, self.name_to_type) from None


def type_for(name: str, name_to_type: Mapping[str, str]) -> str:
    """The content type for a name; a content type, which has a slash, stands for itself.

    Raises `SerializerNotInstalled` when the name is not in the table.
    """
    if "/" in name:
        return name
    try:
        return name_to_type[name]
    except KeyError:
        raise _unknown(name, name_to_type) from None


def _unknown(name: str, name_to_type: Mapping[str, str]) -> SerializerNotInstalled:
    known = ", ".join(sorted(name_to_type))
    return SerializerNotInstalled(f"no serializer {name!r} (there are {known})")


def _encode_error(data: Any, content_type: str, exc: Exception) -> EncodeError:
    return EncodeError(f"cannot encode {type(data).__name__} as {content_type}: {exc}")


def _decode_error(content_type: str, exc: Exception) -> DecodeError:
    return DecodeError(f"cannot decode {content_type} content: {exc}")


# --- plain bytes and text ------------------------------------------------------------------------


def _utf8(text: str, content_type: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:  # a lone surrogate
        raise _encode_error(text, content_type, exc) from exc


def _encode_raw(data: Any) -> tuple[str, str, bytes]:
    if isinstance(data, str):
        return _RAW_TYPE, "utf-8", _utf8(data, _RAW_TYPE)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return _RAW_TYPE, "binary", bytes(data)
    raise EncodeError(f"cannot encode {type(data).__name__} as {_RAW_TYPE}: not bytes or str")


def _encode_text(data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode()
    raise TypeError("not str")


def _decode_text(data: Any, content_type: str, content_encoding: str | None) -> Any:
    charset = (content_encoding or "utf-8").lower()
    if charset in _NO_CHARSET or isinstance(data, str):
        return data
    try:
        # Not codecs.decode: that takes "zlib" for a charset and lets a sender have a bomb unpacked.
        return str(data, charset)
    except (LookupError, ValueError) as exc:
        raise _decode_error(content_type, exc) from exc
