"""Compression: Kombu's formats both ways, and bodies that are damaged or would explode."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import threading
import tracemalloc
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibroker_client import compression
from minibroker_client.compression import (
    DEFAULT_MAX_SIZE,
    CompressionRegistry,
    compress,
    decompress,
    encoders,
    get_decoder,
    get_encoder,
    registry,
)
from minibroker_client.exceptions import (
    CompressionNotInstalled,
    DecodeError,
    DecompressedTooLarge,
    EncodeError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

kombu: Any = pytest.importorskip("kombu.compression")

NAMES = ["zlib", "gzip", "bzip2", "bzip", "lzma", "xz", "lz4", "zstd", "zstandard", "brotli"]
KINDS = ["zlib", "bzip2", "lzma", "lz4", "zstd", "brotli"]
MIB = 1024 * 1024


def available(name: str) -> str:
    """The name, or a skipped test when its package is missing here."""
    try:
        get_encoder(name)
    except CompressionNotInstalled as exc:
        pytest.skip(str(exc))
    return name


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return available(request.param)


def kombu_knows(name: str) -> bool:
    return bool(name in kombu._aliases)


# --- round trips ---------------------------------------------------------------------------------

bodies = st.binary() | st.tuples(st.binary(max_size=9), st.integers(0, 30_000)).map(
    lambda pair: pair[0] * pair[1]
)


@settings(deadline=None)
@given(bodies)
def test_what_is_compressed_comes_back(body: bytes) -> None:
    for content_type in encoders():
        packed, name = compress(body, content_type)
        assert name == content_type
        assert decompress(packed, name) == body
        assert decompress(packed, name, max_size=len(body)) == body


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.semantics(129)
def test_each_name_has_kombus_content_type_and_format(name: str) -> None:
    available(name)
    if not kombu_knows(name):
        pytest.skip(f"Kombu has no {name} here")
    body = b"spam and eggs " * 5000
    packed, content_type = compress(body, name)
    theirs, their_type = kombu.compress(body, name)
    assert content_type == their_type
    assert kombu.decompress(packed, content_type) == body
    assert decompress(theirs, their_type) == body


def test_text_is_compressed_as_utf_8() -> None:
    assert decompress(*compress("grün", "zlib")) == "grün".encode()


def test_gzip_files_and_legacy_lzma_are_read_too() -> None:
    assert decompress(gzip.compress(b"x"), "gzip") == b"x"
    assert decompress(lzma.compress(b"x", lzma.FORMAT_ALONE), "lzma") == b"x"


def test_the_codecs_are_handed_out_by_name() -> None:
    encoder, content_type = get_encoder("bzip2")
    assert content_type == "application/x-bz2"
    assert get_decoder("bzip2")(encoder(b"x")) == b"x"
    assert get_decoder(content_type)(bz2.compress(b"y")) == b"y"


# --- damaged -------------------------------------------------------------------------------------


def test_a_body_cut_at_any_byte_is_refused(kind: str) -> None:
    packed, content_type = compress(bytes(range(256)) * 3, kind)
    for cut in range(len(packed)):
        with pytest.raises(DecodeError, match=f"cannot decompress {content_type} content: "):
            decompress(packed[:cut], kind)


def test_bytes_after_the_end_are_refused(kind: str) -> None:
    packed, content_type = compress(b"spam" * 40, kind)
    for tail in (b"\0", b"more", packed, b"x" * 100_000):
        with pytest.raises(DecodeError, match=f"cannot decompress {content_type} content: "):
            decompress(packed + tail, kind)


@settings(deadline=None)
@given(st.binary())
def test_garbage_is_refused_with_the_cause(garbage: bytes) -> None:
    for content_type in encoders():
        error = error_of(partial(decompress, garbage, content_type, max_size=MIB))
        assert error is None or isinstance(error, DecompressedTooLarge) or error.__cause__


def error_of(call: Callable[[], object]) -> DecodeError | None:
    try:
        call()
    except DecodeError as exc:
        return exc
    return None


def test_what_is_not_bytes_is_an_error_of_the_codec(kind: str) -> None:
    with pytest.raises(DecodeError, match="cannot decompress"):
        decompress(5, kind)  # type: ignore[arg-type]  # the mistake tested
    with pytest.raises(EncodeError, match="cannot compress as application/"):
        compress(5, kind)  # type: ignore[arg-type]  # the mistake tested


# --- bombs ---------------------------------------------------------------------------------------


def streamed(kind: str, size: int) -> bytes:
    """Zeroes, compressed without telling the size in advance where the format could."""
    if kind != "zstd":
        return compress(bytes(size), kind)[0]
    zstandard = pytest.importorskip("zstandard")
    packer = zstandard.ZstdCompressor().compressobj()
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """20 MiB of zeroes each."""
    return {}


def test_a_bomb_is_refused_without_the_memory_it_asks_for(
    kind: str, bombs: dict[str, bytes]
) -> None:
    bomb = bombs.setdefault(kind, streamed(kind, 20 * MIB))
    assert peak_of_refusal(partial(decompress, bomb, kind, max_size=MIB)) < 12 * MIB


def peak_of_refusal(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(DecompressedTooLarge, match="more than 1048576 bytes"):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_limit_is_exact(kind: str) -> None:
    for size in (0, 1, 1000, 65_536, 300_000):
        packed, content_type = compress(bytes(size), kind)
        assert decompress(packed, kind, max_size=size) == bytes(size)
        if size:
            with pytest.raises(
                DecompressedTooLarge,
                match=f"^{content_type} content: decompresses to more than {size - 1} bytes$",
            ):
                decompress(packed, kind, max_size=size - 1)


def test_the_limit_of_the_process_is_128_mib_and_can_be_set(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry.max_size == DEFAULT_MAX_SIZE == 128 * MIB
    packed, _ = compress(bytes(5000), kind)
    monkeypatch.setattr(registry, "max_size", 4999)
    with pytest.raises(DecompressedTooLarge, match="more than 4999 bytes"):
        decompress(packed, kind)
    with pytest.raises(DecompressedTooLarge, match="more than 4999 bytes"):
        get_decoder(kind)(packed)
    assert decompress(packed, kind, max_size=5000) == bytes(5000)


@pytest.mark.parametrize("size", [-1, sys.maxsize])
def test_a_limit_that_makes_no_sense_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"max_size is {size}, not between 0"):
        decompress(zlib.compress(b""), "zlib", max_size=size)


def test_the_largest_limit_works(kind: str) -> None:
    packed, _ = compress(b"spam", kind)
    assert decompress(packed, kind, max_size=2**63 - 2) == b"spam"


def test_an_lzma_dictionary_larger_than_any_result_is_not_allocated() -> None:
    packed = lzma.compress(b"x", lzma.FORMAT_ALONE)
    greedy = packed[:1] + (1 << 30).to_bytes(4, "little") + packed[5:]  # the size is in the header
    with pytest.raises(DecodeError, match="application/x-lzma content: Memory usage limit"):
        decompress(greedy, "lzma")


def test_a_zstd_window_larger_than_any_result_is_not_allocated() -> None:
    # A frame header that asks for a 64 MiB window, then one empty last block (RFC 8878, 3.1.1.1).
    frame = bytes.fromhex("28b52ffd 00 80 010000")
    available("zstd")
    assert decompress(frame, "zstd") == b""
    with pytest.raises(DecodeError, match="too much memory"):
        decompress(frame, "zstd", max_size=MIB)


# --- the package zstandard -----------------------------------------------------------------------


@pytest.fixture
def zstandard() -> Any:
    return pytest.importorskip("zstandard")


def test_the_older_zstd_package_does_the_same(zstandard: Any, bombs: dict[str, bytes]) -> None:
    decode = partial(compression._zstandard_decode, zstandard)
    body = bytes(range(256)) * 5000
    packed = zstandard.compress(body)
    assert decode(packed, len(body)) == body
    assert decode(memoryview(packed), DEFAULT_MAX_SIZE) == body
    for damaged in (packed[:-1], packed + b"\0", packed + packed, packed + b"x" * 9000):
        with pytest.raises(ValueError, match=r"the content (is cut short|goes on after its end)"):
            decode(damaged, DEFAULT_MAX_SIZE)
    bomb = bombs.setdefault("zstd", streamed("zstd", 20 * MIB))
    assert peak_of_refusal(partial(decode, bomb, MIB)) < 12 * MIB


def test_the_older_zstd_package_is_used_when_it_is_the_only_one(
    zstandard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    encoder, decoder = compression._load_zstd()
    assert decoder(encoder(b"spam"), 4) == b"spam"
    with pytest.raises(zstandard.ZstdError, match="too much memory"):
        decoder(bytes.fromhex("28b52ffd 00 80 010000"), MIB)


# --- the registry --------------------------------------------------------------------------------


def test_a_compression_of_ones_own_is_measured_when_it_is_done() -> None:
    own = CompressionRegistry()
    own.register(lambda body: body[::-1], lambda body: body[::-1], "application/x-rev", ["rev"])
    assert own.compress(b"abc", "rev") == (b"cba", "application/x-rev")
    assert own.decompress(b"cba", "rev", max_size=3) == b"abc"
    with pytest.raises(DecompressedTooLarge):
        own.decompress(b"cba", "rev", max_size=2)
    own.register(zlib.compress, zlib.decompress, "application/x-own")
    assert own.encoders() == ["application/x-rev", "application/x-own"]


def test_a_decoders_own_errors_are_not_wrapped_again() -> None:
    def fail(_body: bytes, _max_size: int) -> bytes:
        raise DecodeError("mine")

    own = CompressionRegistry()
    own.register_bounded(bytes, fail, "application/x-own")
    with pytest.raises(DecodeError, match=r"^mine$"):
        own.decompress(b"", "application/x-own")


def test_a_compression_of_ones_own_takes_the_place_of_a_lazy_one() -> None:
    own = CompressionRegistry()
    own.register_lazy(lambda: pytest.fail("not to be loaded"), "application/x-lz4", ["lz4"])
    own.register(bytes, bytes, "application/x-lz4")
    assert own.encoders() == ["application/x-lz4"]
    assert own.decompress(b"x", "lz4") == b"x"


def test_a_compression_that_does_not_exist_is_named() -> None:
    for call in (get_encoder, get_decoder, partial(decompress, b""), partial(compress, b"")):
        with pytest.raises(
            CompressionNotInstalled, match=r"no compression 'zip' .there are brotli,"
        ):
            call("zip")


@pytest.mark.parametrize(
    ("loader", "hidden", "text"),
    [
        (
            compression._load_zstd,
            ["compression.zstd", "backports.zstd", "zstandard"],
            r'zstandard is missing: pip install "minibroker\[zstd\]"',
        ),
        (compression._load_brotli, ["brotli"], r'pip install "minibroker\[brotli\]"'),
        (compression._load_lzma, ["lzma"], "lzma is missing: part of a complete Python"),
    ],
)
def test_a_missing_package_comes_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
    loader: Callable[[], tuple[Any, Any]],
    hidden: list[str],
    text: str,
) -> None:
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    own = CompressionRegistry()
    own.register(bytes, bytes, "application/x-own")
    own.register_lazy(loader, "application/x-lazy", ["lazy"])
    with pytest.raises(CompressionNotInstalled, match=text):
        own.compress(b"", "lazy")
    assert own.encoders() == ["application/x-own"]


def test_a_brotli_that_cannot_stop_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    brotli = pytest.importorskip("brotli")
    monkeypatch.setattr(brotli, "Decompressor", object)
    with pytest.raises(CompressionNotInstalled, match=r"brotli before 1.2 has no limit"):
        compression._load_brotli()


def test_many_threads_may_load_a_package_at_once() -> None:
    own = CompressionRegistry()
    own.register_lazy(compression._load_lz4, "application/x-lz4", ["lz4"])
    packed, _ = compress(b"spam", "lz4")
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(own.decompress(packed, "lz4")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"spam"] * 8
