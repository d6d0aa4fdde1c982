"""Noun: the bytes of a stream, cut into whole server-sent events wherever its chunks end."""

from typing import Final

MOST_EVENT_BYTES_COUNT: Final = 16 * 1024 * 1024
"""An event with a picture in it fits; a server that never ends one does not fill the memory."""
FIELDS: Final = (b"data", b"event", b"id", b"retry", b"error")
"""Fields of an event; `error` is how llama.cpp once told one."""


class EventCutter:
    r"""Holds back the bytes of an event that has not ended yet.

    Line ends are told apart only while carriage returns come: then they leave as `\n`.

    Attributes:
        overflowed: whether an event was longer than allowed.
    """

    __slots__ = ("_held", "overflowed")

    def __init__(self) -> None:
        """Begin with nothing held."""
        self._held = bytearray()
        self.overflowed = False

    @property
    def holds(self) -> bool:
        """Whether an event has begun and not ended."""
        return bool(self._held)

    def whole(self, chunk: bytes) -> list[bytes]:
        """Return the events that are whole now, each with its empty line at the end."""
        held = self._held
        if held:
            begin = max(0, len(held) - 1)
            held += chunk
        else:
            begin = 0
            held += chunk
        if b"\r" in chunk or b"\r" in held[begin : begin + 1]:
            self._without_returns()
            begin = 0
        end = held.rfind(b"\n\n", begin)
        if end < 0:
            self.overflowed = len(held) > MOST_EVENT_BYTES_COUNT
            return []
        text = bytes(held[: end + 2])
        del held[: end + 2]
        return cut(text)

    def rest(self) -> bytes:
        """Return what is held, and hold nothing more."""
        left = bytes(self._held)
        self._held.clear()
        return left

    def _without_returns(self) -> None:
        r"""Write every line end as `\n`; a return at the end waits for what comes after it."""
        held = self._held
        last = held.endswith(b"\r")
        text = bytes(held[:-1] if last else held)
        held[:] = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if last:
            held += b"\r"


def cut(text: bytes) -> list[bytes]:
    """Return the events of a text that ends with an empty line; empty ones are left out."""
    if text.count(b"\n\n") == 1:
        return [text]
    return [part + b"\n\n" for part in text[:-2].split(b"\n\n") if part.strip(b"\n")]


def read_event(event: bytes) -> tuple[bytes, bytes | None] | None:
    """Return the name and the data of an event; data None: it has none, such as a comment.

    None in place of both: a line of it is no field, so it is no event.
    """
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:
        return b"", event[6:-2]
    name, data = b"", None
    for line in event.split(b"\n"):
        if not line or line.startswith(b":"):
            continue
        field, colon, value = line.partition(b":")
        if field not in FIELDS or not colon:
            return None
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value
        elif field == b"error":
            name, data = b"error", value
        elif field == b"data":
            data = value if data is None else data + b"\n" + value
    return name, data
