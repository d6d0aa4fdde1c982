"""The shell of the live page as a file: made once a release, by a process of its own.

    python -m tokenergy.api.live_page DIR

The scripts that draw charts come out of vl-convert, which takes seconds and 150 MB to hand them
over. So whoever makes boards does not wait for that: another process makes the page, stands back
behind all others, and ends. It keeps a copy beside the feeds, and the next gateway takes that.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Final

from tokenergy import __version__
from tokenergy.api.serving_plan import write_whole
from tokenergy.errors import InputError
from tokenergy.serve.live_face import PAGE

KEPT: Final = Path(".tokenergy") / "page"
"""Where pages of other gateways of this folder lie."""
KEY: Final = "page.key"
"""Tells what the page that lies there was made of."""
NICE: Final = 10
DRAWN_WITH: Final = ("altair", "vl-convert-python")


class PageFile:
    """Puts the page into a gateway's folder; nobody waits for it."""

    def __init__(self, folder: Path, *, kept: Path = KEPT) -> None:
        """Take the folder of the gateway; nothing is made yet."""
        self._folder, self._kept = folder, kept
        self._process: subprocess.Popen[bytes] | None = None
        self.status: int | None = None
        """How the process that made it ended; None: none did."""

    def begin(self) -> None:
        """Begin to make it, where there is no copy."""
        with contextlib.suppress(OSError, InputError):
            if taken_over(self._folder, kept=self._kept):
                return
        words = [sys.executable, "-m", "tokenergy.api.live_page", str(self._folder)]
        self._process = subprocess.Popen([*words, "--kept", str(self._kept)])

    def look(self) -> bool:
        """Note how it went; return whether it went wrong this moment."""
        if self._process is None or self._process.poll() is None:
            return False
        self.status, self._process = self._process.returncode, None
        return self.status != 0

    def close(self) -> None:
        """End the process that makes it, if it still does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


def taken_over(folder: Path, *, kept: Path = KEPT) -> bool:
    """Put a page that was made before into a gateway's folder; return whether there was one.

    Raises:
        OSError, InputError: if a file cannot be read or written.
    """
    key = page_key()
    with contextlib.suppress(OSError):
        if (folder / KEY).read_text(encoding="ascii") == key and (folder / PAGE).exists():
            return True
    copy = kept / f"{key}.html"
    if not copy.exists():
        return False
    _write(folder, copy.read_bytes(), key)
    return True


def page_key() -> str:
    """Return what a page is made of, in a few characters: our files, and what draws."""
    held = sha256(__version__.encode())
    for name in DRAWN_WITH:
        with contextlib.suppress(PackageNotFoundError):
            held.update(f"{name} {version(name)}".encode())
    page = files("tokenergy.page")
    for folder in (page, page.joinpath("static")):
        for each in sorted(folder.iterdir(), key=lambda one: one.name):
            if each.is_file():
                held.update(each.name.encode() + each.read_bytes())
    return held.hexdigest()[:16]


def main(words: Sequence[str] | None = None) -> None:
    """Make the page, and keep a copy of it."""
    from tokenergy.page.live import live_html

    parser = argparse.ArgumentParser(prog="tokenergy.api.live_page")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kept", type=Path, default=KEPT)
    given = parser.parse_args(words)
    os.nice(NICE)
    key, text = page_key(), live_html().encode()
    _write(given.folder, text, key)
    with contextlib.suppress(OSError, InputError):  # the next gateway makes its own then
        given.kept.mkdir(parents=True, exist_ok=True)
        for old in given.kept.glob("*.html"):
            old.unlink(missing_ok=True)
        write_whole(given.kept / f"{key}.html", text)


def _write(folder: Path, text: bytes, key: str) -> None:
    write_whole(folder / PAGE, text)
    write_whole(folder / KEY, key.encode())


if __name__ == "__main__":
    main()
