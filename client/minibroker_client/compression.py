"""Compressed bodies: the registry of compressions, and decompression within a limit.

Names, signatures and content types are Kombu's (lz4 is an addition). Knows nothing of messages and
does no I/O. A body is one compressed stream: a cut one and one with bytes after its end are
refused.

A few kilobytes can be made to decompress into gigabytes. Every built-in decoder therefore stops
when its output passes a limit: `max_size` of the call, or `registry.max_size` for the process.

Registering changes a table of the process; do it at start-up. The rest is thread-safe.
"""

from __future__ import annotations

import sys
import zlib
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from .exceptions import (
    CompressionNotInstalled,
    DecodeError,
    DecompressedTooLarge,
    EncodeError,
    SerializationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Encoder = Callable[[Any], bytes]
    Decoder = Callable[[Any], bytes]
    BoundedDecoder = Callable[[Any, int], bytes]

__all__ = [
    "DEFAULT_MAX_SIZE",
    "CompressionRegistry",
    "compress",
    "decompress",
    "encoders",
    "get_decoder",
    "get_encoder",
    "register",
    "registry",
]

DEFAULT_MAX_SIZE = 128 * 1024 * 1024
"""Bytes that a compressed body may grow to, unless somebody says otherwise."""


class CompressionRegistry:
    """Compressions by content type and by alias.

    `max_size` is the limit in bytes for what a body decompresses to, where a call gives none; set
    it at start-up.
    """

    def __init__(self) -> None:
        self.max_size = DEFAULT_MAX_SIZE
        self._aliases: dict[str, str] = {}
        self._encoders: dict[str, Encoder] = {}
        self._decoders: dict[str, BoundedDecoder] = {}
        self._loaders: dict[str, Callable[[], tuple[Encoder, BoundedDecoder]]] = {}

    def register(
        self,
        encoder: Encoder,
        decoder: Decoder,
        content_type: str,
        aliases: Iterable[str] | None = None,
    ) -> None:
        """Add a compression, or replace the one of that content type.

        `decoder` takes the body and no limit: its result is measured when it is there. Use
        `register_bounded` for one that can stop early.
        """
        self.register_bounded(
            encoder, partial(_decode_then_measure, decoder), content_type, aliases or ()
        )

    def register_bounded(
        self,
        encoder: Encoder,
        decoder: BoundedDecoder,
        content_type: str,
        aliases: Iterable[str] = (),
    ) -> None:
        """Add a compression whose `decoder(body, max_size)` stops by itself.

        It raises `DecompressedTooLarge` when its output passes `max_size` bytes.
        """
        self._encoders[content_type] = encoder
        self._decoders[content_type] = decoder  # last: _load takes it for a sign
        self._aliases.update(dict.fromkeys(aliases, content_type))

    def register_lazy(
        self,
        loader: Callable[[], tuple[Encoder, BoundedDecoder]],
        content_type: str,
        aliases: Iterable[str],
    ) -> None:
        """Add a compression whose package is imported when it is first used.

        `loader` returns what `register_bounded` takes, or raises `CompressionNotInstalled`.
        """
        self._loaders[content_type] = loader
        self._aliases.update(dict.fromkeys(aliases, content_type))

    def encoders(self) -> list[str]:
        """The content types that can be used here, those with a missing package left out."""
        for content_type in self._loaders:
            try:
                self._load(content_type)
            except CompressionNotInstalled:
                continue
        return list(self._encoders)

    def get_encoder(self, t: str) -> tuple[Encoder, str]:
        """The encoder and content type for an alias or content type.

        Raises `CompressionNotInstalled` when it is unknown, or its package is missing.
        """
        content_type = self._load(t)
        return self._encoders[content_type], content_type

    def get_decoder(self, t: str) -> Decoder:
        """A function that undoes a compression, within the process's limit.

        Raises `CompressionNotInstalled` as `get_encoder` does.
        """
        return partial(self.decompress, content_type=self._load(t))

    def compress(self, body: bytes | str, content_type: str) -> tuple[bytes, str]:
        """Compress a body (`str` as UTF-8): `(bytes, content type for the compression header)`.

        Raises `CompressionNotInstalled`, or `EncodeError` for what is not bytes or text.
        """
        encoder, full_type = self.get_encoder(content_type)
        try:
            return encoder(body.encode() if isinstance(body, str) else body), full_type
        except Exception as exc:
            raise EncodeError(f"cannot compress as {full_type}: {exc}") from exc

    def decompress(self, body: bytes, content_type: str, *, max_size: int | None = None) -> bytes:
        """Undo a compression, named by alias or content type, up to `max_size` bytes of result.

        `max_size=None` means the process's limit. Raises `DecompressedTooLarge` beyond it,
        `DecodeError` for what is damaged, cut or followed by more, `CompressionNotInstalled`.
        """
        full_type = self._load(content_type)
        limit = self.max_size if max_size is None else max_size
        if not 0 <= limit < sys.maxsize:
            raise ValueError(f"max_size is {limit}, not between 0 and {sys.maxsize - 1} bytes")
        try:
            return self._decoders[full_type](body, limit)
        except DecompressedTooLarge as exc:
            raise DecompressedTooLarge(f"{full_type} content: {exc}") from None
        except SerializationError:
            raise
        except Exception as exc:
            raise DecodeError(f"cannot decompress {full_type} content: {exc}") from exc

    def _load(self, t: str) -> str:
        """The content type for an alias or content type, which can be used from now on."""
        content_type = self._aliases.get(t, t)
        if content_type in self._decoders:
            return content_type
        loader = self._loaders.get(content_type)
        if loader is None:
            known = ", ".join(sorted(self._aliases))
            raise CompressionNotInstalled(f"no compression {t!r} (there are {known})")
        self.register_bounded(*loader(), content_type)
        return content_type


# --- decoding within a limit ---------------------------------------------------------------------


class _Decompressor(Protocol):
    """What bz2, lzma, zlib, lz4 and zstd have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: Any, max_length: int, /) -> bytes: ...


def _check_size(size: int, max_size: int) -> None:
    if size > max_size:
        raise DecompressedTooLarge(f"decompresses to more than {max_size} bytes")


def _check_end(eof: bool, unused: bytes | None) -> None:
    if not eof:
        raise ValueError("the content is cut short")
    if unused:
        raise ValueError("the content goes on after its end")


def _decode_then_measure(decoder: Decoder, body: Any, max_size: int) -> bytes:
    found = decoder(body)
    _check_size(len(found), max_size)
    return found


def _decode_once(decompressor: _Decompressor, body: Any, max_size: int) -> bytes:
    """For a decompressor that lets its buffer grow with the output."""
    found = decompressor.decompress(body, max_size + 1)
    _check_size(len(found), max_size)
    _check_end(decompressor.eof, decompressor.unused_data)
    return found


def _zlib_decode(body: Any, max_size: int) -> bytes:
    # Kombu's "gzip" is the zlib format; 32 + 15 takes that and real gzip from others.
    return _decode_once(zlib.decompressobj(wbits=47), body, max_size)


# --- lz4 -----------------------------------------------------------------------------------------


def _lz4_decode(new: Callable[[], _Decompressor], body: Any, max_size: int) -> bytes:
    # lz4 allocates all it is allowed to write before it writes: 128 MiB for a body of 30 bytes.
    step = min(max_size + 1, max(65_536, 4 * len(body)))
    decompressor = new()
    parts = [decompressor.decompress(body, step)]
    size = len(parts[0])
    while parts[-1] and not decompressor.eof and size <= max_size:
        parts.append(decompressor.decompress(b"", step))
        size += len(parts[-1])
    _check_size(size, max_size)
    _check_end(decompressor.eof, decompressor.unused_data)
    return b"".join(parts)


# --- zstd ----------------------------------------------------------------------------------------

# RFC 8878, 3.1.1.1.2: decoders should take windows of up to 8 MiB.
_MIN_ZSTD_WINDOW_LOG = 23
# A block is at most 128 KiB of output (RFC 8878, 3.1.1.2.3) from at least 4 bytes of input.
_ZSTD_MAX_RATIO = 128 * 1024 // 4


def _window_log(max_size: int) -> int:
    """How large a window, as a power of 2, a sender may ask us to allocate."""
    return min(max(max_size.bit_length(), _MIN_ZSTD_WINDOW_LOG), 27)


def _stdlib_zstd_decode(module: Any, body: Any, max_size: int) -> bytes:
    _check_size(module.get_frame_info(body).decompressed_size or 0, max_size)
    options = {module.DecompressionParameter.window_log_max: _window_log(max_size)}
    return _decode_once(module.ZstdDecompressor(options=options), body, max_size)


def _zstandard_decode(module: Any, body: Any, max_size: int) -> bytes:
    """For the package `zstandard`, which cannot limit its output, but can be fed in pieces."""
    _check_size(module.frame_content_size(body), max_size)
    context = module.ZstdDecompressor(max_window_size=1 << _window_log(max_size))
    decompressor = context.decompressobj()
    parts: list[bytes] = []
    size = at = 0
    view = memoryview(body)
    while at < len(view) and not decompressor.eof:
        # A piece that cannot grow over what is left, if that is not too small to get on with.
        piece = max((max_size - size) // _ZSTD_MAX_RATIO, 64)
        parts.append(decompressor.decompress(view[at : at + piece]))
        size += len(parts[-1])
        _check_size(size, max_size)
        at += piece
    _check_end(decompressor.eof, decompressor.unused_data or bytes(view[at:]))
    return b"".join(parts)


# --- brotli --------------------------------------------------------------------------------------


def _brotli_decode(new: Callable[[], Any], body: Any, max_size: int) -> bytes:
    decompressor = new()
    found: bytes = decompressor.process(body, output_buffer_limit=max_size + 1)
    _check_size(len(found), max_size)
    _check_end(decompressor.is_finished(), b"")  # brotli itself refuses what follows the end
    return found


# --- packages, imported when first used ----------------------------------------------------------


def _first_of(names: tuple[str, ...], extra: str) -> Any:
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    hint = f'pip install "minibroker[{extra}]"' if extra else "part of a complete Python"
    raise CompressionNotInstalled(f"the package {names[-1]} is missing: {hint}")


def _load_bz2() -> tuple[Encoder, BoundedDecoder]:
    bz2 = _first_of(("bz2",), "")
    return bz2.compress, lambda body, limit: _decode_once(bz2.BZ2Decompressor(), body, limit)


def _load_lzma() -> tuple[Encoder, BoundedDecoder]:
    lzma = _first_of(("lzma",), "")

    def decode(body: Any, max_size: int) -> bytes:
        # The dictionary is allocated before the first byte comes out; the header may ask for 4 GiB.
        memory = max(max_size, DEFAULT_MAX_SIZE)
        return _decode_once(lzma.LZMADecompressor(memlimit=memory), body, max_size)

    return lzma.compress, decode


def _load_lz4() -> tuple[Encoder, BoundedDecoder]:
    frame = _first_of(("lz4.frame",), "lz4")
    return frame.compress, partial(_lz4_decode, frame.LZ4FrameDecompressor)


def _load_zstd() -> tuple[Encoder, BoundedDecoder]:
    # The standard library's (3.14), its backport, which Kombu uses, or the older package.
    module = _first_of(("compression.zstd", "backports.zstd", "zstandard"), "zstd")
    decode = _stdlib_zstd_decode if hasattr(module, "get_frame_info") else _zstandard_decode
    return module.compress, partial(decode, module)


def _load_brotli() -> tuple[Encoder, BoundedDecoder]:
    brotli = _first_of(("brotli",), "brotli")
    if not hasattr(brotli.Decompressor, "can_accept_more_data"):
        raise CompressionNotInstalled(
            'brotli before 1.2 has no limit: pip install "minibroker[brotli]"'
        )
    return brotli.compress, partial(_brotli_decode, brotli.Decompressor)


registry = CompressionRegistry()
"""The compressions of this process."""

register = registry.register
encoders = registry.encoders
get_encoder = registry.get_encoder
get_decoder = registry.get_decoder
compress = registry.compress
decompress = registry.decompress

registry.register_bounded(zlib.compress, _zlib_decode, "application/x-gzip", ("gzip", "zlib"))
registry.register_lazy(_load_bz2, "application/x-bz2", ("bzip2", "bzip", "bz2"))
registry.register_lazy(_load_lzma, "application/x-lzma", ("lzma", "xz"))
registry.register_lazy(_load_lz4, "application/x-lz4", ("lz4",))
registry.register_lazy(_load_zstd, "application/zstd", ("zstd", "zstandard"))
registry.register_lazy(_load_brotli, "application/x-brotli", ("brotli",))
