"""Verb: tell how many tokens a picture, a recording or a file is, by rule and never by its base64.

Rules are those that OpenAI published for gpt-4o; another model's own rule differs by some tens of
per cent, which the usage of its answers shows. They are expectations for the price, no bill.
"""

import base64
import binascii
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

LOW_DETAIL_TOKENS: Final = 85
TILE_TOKENS: Final = 170
TILE_PIXELS_COUNT: Final = 512
UNKNOWN_IMAGE_TOKENS: Final = 765
"""An image of 1024 x 1024 pixels."""
AUDIO_TOKENS_PER_S: Final = 10.0
AUDIO_BYTES_PER_S: Final = 16_000.0
"""Packed audio of 128 kbit/s; the formats that tell their own rate are read (WAV)."""
UNKNOWN_AUDIO_TOKENS: Final = 300
FILE_TOKENS: Final = 3_000
"""Some four pages with their pictures; a guess."""
VIDEO_TOKENS: Final = 10_000
"""A guess."""
HEAD_CHARS_COUNT: Final = 87_384
"""So much base64 is read of an image to find its size: 64 KiB."""
URL_KEYS: Final = frozenset(
    {"url", "image_url", "video_url", "audio_url", "file_url", "image", "video", "audio"}
)
URL_CHARS_COUNT: Final = 64


def image_tokens(part: Mapping[str, Any]) -> int:
    """Return the tokens of an image part of a chat or a response."""
    inner = part.get("image_url", part.get("input_image"))
    url, detail = inner, part.get("detail")
    if isinstance(inner, dict):
        url, detail = inner.get("url"), inner.get("detail", detail)
    if detail == "low":
        return LOW_DETAIL_TOKENS
    size = image_size(_head_of(url)) if isinstance(url, str) else None
    return UNKNOWN_IMAGE_TOKENS if size is None else tile_tokens(*size)


def tile_tokens(width: int, height: int) -> int:
    """Return 85 + 170 for each tile of 512 x 512 pixels.

    The image is first made to fit 2048 x 2048 and then to have a shorter side of at most 768.
    """
    shrink = min(1.0, 2048 / max(width, height))
    shrink *= min(1.0, 768 / max(1.0, min(width, height) * shrink))
    across = math.ceil(max(1.0, width * shrink) / TILE_PIXELS_COUNT)
    down = math.ceil(max(1.0, height * shrink) / TILE_PIXELS_COUNT)
    return LOW_DETAIL_TOKENS + TILE_TOKENS * across * down


def audio_tokens(part: Mapping[str, Any]) -> int:
    """Return the tokens of an audio part: ten for each second of it."""
    inner = part.get("input_audio")
    data = inner.get("data") if isinstance(inner, dict) else None
    if not isinstance(data, str):
        return UNKNOWN_AUDIO_TOKENS
    size_count = len(data) * 3 // 4
    head = _decoded(data[:64])
    rate = AUDIO_BYTES_PER_S
    if len(head) >= 32 and head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        rate = float(max(1, struct.unpack_from("<I", head, 28)[0]))
    return max(1, math.ceil(size_count / rate * AUDIO_TOKENS_PER_S))


def file_tokens(_part: Mapping[str, Any]) -> int:
    """Return the tokens of a file, which nobody opens here."""
    return FILE_TOKENS


def video_tokens(_part: Mapping[str, Any]) -> int:
    """Return the tokens of a video, which nobody opens here."""
    return VIDEO_TOKENS


RULES: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any]], int]]]] = {
    "image_url": ("vision", image_tokens),
    "input_image": ("vision", image_tokens),
    "input_audio": ("audio", audio_tokens),
    "audio_url": ("audio", audio_tokens),
    "file": ("files", file_tokens),
    "input_file": ("files", file_tokens),
    "file_url": ("files", file_tokens),
    "video_url": ("video", video_tokens),
    "input_video": ("video", video_tokens),
}
"""Type of a part, or the key that gives it away, to the feature that it needs and its rule."""


def remote_urls_count(value: object, key: str = "") -> int:
    """Return how many places of a part a server would fetch, from a network or its own disk."""
    if isinstance(value, str):
        if value[:5].lower() == "data:":
            return 0
        return int(key in URL_KEYS or "://" in value[:URL_CHARS_COUNT])
    if isinstance(value, dict):
        return sum(remote_urls_count(inner, name) for name, inner in value.items())
    if isinstance(value, list):
        return sum(remote_urls_count(inner, key) for inner in value)
    return 0


def image_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels from the first bytes of a PNG, GIF, WebP or JPEG."""
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) >= 24:
        return struct.unpack_from(">II", head, 16)
    if head[:6] in (b"GIF87a", b"GIF89a") and len(head) >= 10:
        return struct.unpack_from("<HH", head, 6)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp_size(head)
    if head[:2] == b"\xff\xd8":
        return _jpeg_size(head)
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return (
            int.from_bytes(head[24:27], "little") + 1,
            int.from_bytes(head[27:30], "little") + 1,
        )
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return None
        kind = head[at + 1]
        if kind == 0xFF or kind == 0x01 or 0xD0 <= kind <= 0xD8:
            at += 1 if kind == 0xFF else 2
            continue
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        at += 2 + int(struct.unpack_from(">H", head, at + 2)[0])
    return None


def _head_of(url: str) -> bytes:
    """Return the first bytes of a data URL; b"" of any other."""
    if url[:5].lower() != "data:":
        return b""
    comma = url.find(",", 0, 256)
    if comma < 0 or "base64" not in url[:comma].lower():
        return b""
    return _decoded(url[comma + 1 : comma + 1 + HEAD_CHARS_COUNT])


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""
