"""Answers kept on the disk, each whole or not at all, and never with a key."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tokenergy.company.refusal import refuse

KEPT_HEADERS: Final = ("content-type", "date", "etag", "last-modified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer of before."""

    body: bytes
    headers: Mapping[str, str]
    fetched_at: datetime


class Cache:
    """A folder of answers, one file each: a line of JSON, then the body."""

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        Raises:
            FindingsError: FEED_CACHE if it cannot be made.
        """
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._refuse(error)

    def read(self, name: str) -> Kept | None:
        """Return the answer kept under a name; None where there is none, or a damaged one."""
        try:
            head, _, body = self._file(name).read_bytes().partition(b"\n")
            told = json.loads(head)
            if told["name"] != name or told["sha256"] != hashlib.sha256(body).hexdigest():
                return None
            return Kept(
                body=body,
                headers=dict(told["headers"]),
                fetched_at=datetime.fromisoformat(told["fetched_at"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(
        self, name: str, *, body: bytes, headers: Mapping[str, str], fetched_at: datetime
    ) -> None:
        """Keep an answer: written beside, then moved into place.

        Raises:
            FindingsError: FEED_CACHE if the disk refuses.
        """
        head = {
            "name": name,
            "fetched_at": fetched_at.isoformat(),
            "headers": {key: headers[key] for key in KEPT_HEADERS if key in headers},
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        beside = ""
        try:
            handle, beside = tempfile.mkstemp(dir=self._folder, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(head).encode() + b"\n" + body)
            os.replace(beside, self._file(name))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            self._refuse(error)

    def _file(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:40]}.answer"

    def _refuse(self, error: OSError) -> None:
        refuse(
            "FEED_CACHE",
            path="cache",
            value=str(self._folder),
            reason=f"the cache cannot be written: {error.strerror}",
            remedy="Name another folder, or free some room",
        )
