"""Verb: write a file whole: who reads sees the old one or the new one, never half of one."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_whole_file(path: Path, text: str) -> None:
    """Put a text in the place of a file, on the disk before it takes its name.

    Raises:
        OSError: if it cannot be written; the old file stands then.
    """
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8", newline=""
    ) as held:
        try:
            held.write(text)
            held.flush()
            os.fsync(held.fileno())
            os.chmod(held.name, 0o644)
            os.replace(held.name, path)
        except BaseException:
            Path(held.name).unlink(missing_ok=True)
            raise


def write_whole_bytes(path: Path, parts: Iterable[bytes]) -> None:
    """Put bytes, part by part, in the place of a file; errors as `write_whole_file`."""
    with tempfile.NamedTemporaryFile(
        "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as held:
        try:
            for part in parts:
                held.write(part)
            held.flush()
            os.fsync(held.fileno())
            os.chmod(held.name, 0o644)
            os.replace(held.name, path)
        except BaseException:
            Path(held.name).unlink(missing_ok=True)
            raise
