"""Compiled code is kept on disk, never stale, and not needed."""

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np

from tokenergy.compiled import source_digest

CALLER = """
import sys
from tokenergy.compiled import compiled
from callee import price

@compiled
def total(count):
    return count * price(count)

if __name__ == "__main__":
    print(total(3), sum(total.stats.cache_hits.values()))
"""


def run_caller(folder: Path, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "caller.py"], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def write(folder: Path, callee: str) -> None:
    (folder / "caller.py").write_text(CALLER, encoding="utf-8")
    (folder / "callee.py").write_text(
        "from tokenergy.compiled import compiled_part\n" + textwrap.dedent(callee),
        encoding="utf-8",
    )


def test_a_changed_callee_in_another_file_is_seen_and_a_broken_kept_file_passed_over(
    tmp_path: Path,
) -> None:
    """numba alone would run the old law: the caller's file has not changed."""
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    write(tmp_path, "@compiled_part\ndef price(count):\n    return 10\n")
    assert run_caller(tmp_path, **kept) == ["30", "0"]
    assert run_caller(tmp_path, **kept) == ["30", "1"]
    write(tmp_path, "@compiled_part\ndef price(count):\n    return 20\n")
    assert run_caller(tmp_path, **kept) == ["60", "0"]
    for file in (tmp_path / "kept").rglob("*.nbc"):  # a broken one is passed over
        file.chmod(stat.S_IRUSR | stat.S_IWUSR)
        file.write_bytes(file.read_bytes()[:100])
    assert run_caller(tmp_path, **kept) == ["60", "0"]


def test_without_a_writable_place_it_runs_all_the_same(tmp_path: Path) -> None:
    """numba raises while a function is decorated where it can write neither here nor at home.

    The kept place and the home lie below a file, where nobody can make a folder.
    """
    write(tmp_path, "@compiled_part\ndef price(count):\n    return 10\n")
    blocked = tmp_path / "a file"
    blocked.write_text("", encoding="utf-8")
    (tmp_path / "__pycache__").write_text("", encoding="utf-8")
    places = {
        name: str(blocked / "below") for name in ("NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME")
    }
    assert run_caller(tmp_path, **places) == ["30", "0"]


def test_it_runs_uncompiled(tmp_path: Path) -> None:
    """NUMBA_DISABLE_JIT, for a debugger, leaves plain functions."""
    write(tmp_path, "@compiled_part\ndef price(count):\n    return 10\n")
    caller = tmp_path / "caller.py"
    caller.write_text(caller.read_text(encoding="utf-8").replace(
        ", sum(total.stats.cache_hits.values())", ""
    ), encoding="utf-8")  # fmt: skip
    assert run_caller(tmp_path, NUMBA_DISABLE_JIT="1") == ["30"]


def test_a_digest_holds_all_that_compiled_code_would() -> None:
    """Byte code, constants, and globals: those of the functions it calls, and of theirs."""

    def made(body: str = "inner(x)", price: object = 1, inner: str = "x + PRICE") -> str:
        room: dict[str, object] = {"PRICE": price, "np": np}
        text = f"def inner(x):\n  return {inner}\ndef outer(x):\n  return {body}\n"
        exec(text, room)  # a module of its own, as a changed file would be
        return source_digest(room["outer"])  # type: ignore[arg-type]

    assert made() == made()
    others = [
        made(body="inner(x) + 1"),
        made(inner="x - PRICE"),
        made(inner="x + PRICE + 2"),
        made(price=2),
        made(price=1.0),
        made(price=np.arange(3)),
        made(price=np.arange(3) + 1),
        made(price=np.dtype(np.int64)),
        made(price=np.dtype([("a", np.int64)])),
        made(price=np.dtype([("b", np.int64)])),
        made(inner="np.sin(x)"),
    ]
    assert len({made(), *others}) == 1 + len(others)
