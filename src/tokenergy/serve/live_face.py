"""The files that the board maker draws for the page, and the one that asks it to draw.

`page.html` is the shell and knows no company. `face.json` is the view of the board in force. Both
are written whole, so that a look at the file's time tells whether there is another one. Nobody
looks, nobody draws: `face.asked` is touched while somebody does.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from tokenergy.company.serving.live import Binding, LiveFace, LivePage

PAGE: Final = "page.html"
FACE: Final = "face.json"
ASKED: Final = "face.asked"
ASK_EVERY_S: Final = 30.0
LOOKS_FOR_S: Final = 120.0
"""How long after it was last asked somebody counts as looking."""
Mark = tuple[int, int, int]


class _Face(msgspec.Struct):
    """What of a face a worker reads; the rest is for the page alone."""

    made_at: str = "1970-01-01T00:00Z"
    binding: tuple[Binding, ...] = ()


class FaceFiles:
    """Keeps the promises of `company.serving.live.LiveFaces` over a gateway's folder."""

    def __init__(self, folder: Path, *, ticks: Callable[[], float] = time.monotonic) -> None:
        """Take the folder; nothing is read yet."""
        self._folder, self._ticks = folder, ticks
        self._asked_s = float("-inf")
        self._page: tuple[Mark, LivePage] | None = None
        self._face: tuple[Mark, LiveFace] | None = None

    def page(self) -> LivePage | None:
        """Return the shell; None: it is not there yet."""
        mark = self._mark(PAGE)
        if mark is None:
            return None
        if self._page is None or self._page[0] != mark:
            with suppress(OSError):  # replaced this moment: the next look finds it
                body = (self._folder / PAGE).read_bytes()
                self._page = mark, LivePage(sha256(body).hexdigest()[:16], body)
        return None if self._page is None else self._page[1]

    def face(self) -> LiveFace | None:
        """Return the newest face; None: none was drawn yet, or it is no JSON."""
        mark = self._mark(FACE)
        if mark is None:
            self._face = None
        elif self._face is None or self._face[0] != mark:
            with suppress(OSError, ValueError):  # what msgspec raises is one
                text = (self._folder / FACE).read_bytes()
                told = msgspec.json.decode(text, type=_Face)
                name = "-".join(map(str, mark))
                made_at_s = datetime.fromisoformat(told.made_at).timestamp()
                self._face = (
                    mark,
                    LiveFace(name, text.replace(b"\n", b" "), made_at_s, told.binding),
                )
        return None if self._face is None else self._face[1]

    def ask(self) -> None:
        """Tell whoever draws that somebody looks; a folder that takes no file is told elsewhere."""
        if self._ticks() - self._asked_s < ASK_EVERY_S:
            return
        self._asked_s = self._ticks()
        with suppress(OSError):
            (self._folder / ASKED).touch()
            os.utime(self._folder / ASKED)

    def _mark(self, name: str) -> Mark | None:
        try:
            told = (self._folder / name).stat()
        except OSError:
            return None
        return told.st_mtime_ns, told.st_size, told.st_ino


def is_looked_at(folder: Path, *, now_s: float) -> bool:
    """Tell whether somebody has looked lately.

    Args:
        folder: of the gateway.
        now_s: seconds since the Unix epoch, as the file system has it.
    """
    try:
        return now_s - (folder / ASKED).stat().st_mtime < LOOKS_FOR_S
    except OSError:
        return False
