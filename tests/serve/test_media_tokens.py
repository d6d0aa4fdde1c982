import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.serve.media_tokens import audio_tokens, image_size, image_tokens, tile_tokens


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (100, 100, 255),  # one tile
        (512, 512, 255),
        (1024, 1024, 765),  # 768 x 768: four tiles
        (2048, 4096, 1105),  # 1024 x 2048, then 768 x 1536: 2 x 3 tiles
        (4096, 64, 765),  # 2048 x 32: 4 x 1 tiles
    ],
)
def test_tiles(width: int, height: int, tokens: int) -> None:
    """85 + 170 a tile of 512; OpenAI's guide gives 765 and 1105 for the third and fourth."""
    assert tile_tokens(width, height) == tokens


def jpeg(width: int, height: int) -> bytes:
    thumbnail = b"\xff\xe1" + struct.pack(">H", 502) + b"\0" * 500
    frame = b"\xff\xc0" + struct.pack(">HBHH", 11, 8, height, width) + b"\0" * 6
    return b"\xff\xd8" + thumbnail + frame


def test_sizes_are_read_from_the_heads_of_files() -> None:
    assert image_size(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 7, 9)) == (7, 9)
    assert image_size(b"GIF89a" + struct.pack("<HH", 7, 9)) == (7, 9)
    assert image_size(jpeg(7, 9)) == (7, 9)
    lossy = b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 7, 9)
    assert image_size(lossy) == (7, 9)
    wide = b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x06\0\0\x08\0\0"
    assert image_size(wide) == (7, 9)
    lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 6 | 8 << 14) + b"\0" * 9
    assert image_size(lossless) == (7, 9)


@given(st.binary(max_size=80), st.sampled_from([b"", b"\xff\xd8", b"RIFF\0\0\0\0WEBPVP8X"]))
def test_no_bytes_whatever_raise(junk: bytes, head: bytes) -> None:
    size = image_size(head + junk)
    assert size is None or len(size) == 2


def test_an_unknown_image_counts_as_one_of_a_thousand_pixels() -> None:
    assert image_tokens({"image_url": {"url": "http://a.example/x"}}) == 765
    assert image_tokens({"image_url": {"url": "data:image/png;base64,????"}}) == 765
    assert image_tokens({"image_url": {"url": "http://a.example/x", "detail": "low"}}) == 85
    assert image_tokens({}) == 765


def test_audio_counts_ten_tokens_a_second() -> None:
    """WAV of 32,000 bytes/s: 96,000 bytes and the head are 3.001 s: 31 tokens."""
    head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHII", 1, 1, 16_000, 32_000)
    data = base64.b64encode(head + b"\0" * 96_000).decode()
    assert audio_tokens({"input_audio": {"data": data, "format": "wav"}}) == 31
    packed = base64.b64encode(b"\1" * 32_000).decode()
    assert audio_tokens({"input_audio": {"data": packed, "format": "mp3"}}) == 21
    assert audio_tokens({}) == 300
