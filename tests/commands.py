"""The command line, run as its user does, for tests."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SMALL = Path(__file__).with_name("small.yaml")
MERIDIAN = ROOT / "examples" / "meridian.yaml"
TRACE = "Traceback (most recent call last)"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return its output as strict JSON: one object, no NaN, no Infinity, no key twice."""
        return strict(self.out)


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), f"a key stands twice: {pairs}"
        return dict(pairs)

    value = json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    assert isinstance(value, dict)
    return value


def environment(columns: int | None = None) -> dict[str, str]:
    """Return an environment in which nothing but `columns` says how wide the terminal is."""
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")}
    return kept if columns is None else {**kept, "COLUMNS": str(columns)}


def tokenergy(*words: object, cwd: Path, columns: int | None = None, limit_s: float = 60) -> Ended:
    """Run the real command in a folder, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tokenergy", *map(str, words)],
        cwd=cwd,
        env=environment(columns),
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    return Ended(status=done.returncode, out=done.stdout, err=done.stderr)


def listing(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder and what it holds; folders are there with nothing."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
