"""NVML's shared library as a stand-in, and a process that loads it as it would load the real one.

The process has the real `pynvml`, whose `CDLL("libnvidia-ml.so.1")` the loader answers from the
folder that `LD_LIBRARY_PATH` names. What the boards say stands in a file, see nvml_stand_in.c.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

HERE = Path(__file__).parent
COMPILER = which("cc") or which("gcc")
READER = """
import json, sys
from datetime import UTC, datetime, timedelta
from tokenergy.company.observe import Engine
from tokenergy.errors import FindingsError
from tokenergy.feeds.meters.open_meter import open_meter

second, meter = 0.0, None
noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
for line in sys.stdin:
    asked = json.loads(line)
    second = asked.get("second", second)
    try:
        if "devices" in asked:
            engine = Engine.model_validate({
                "name": "e", "metrics_url": "http://127.0.0.1:1/metrics", "fleet": "f",
                "model": "m", "meter": {"kind": "nvml", "devices": asked["devices"]}})
            meter = open_meter(
                engine, clock=lambda: noon + timedelta(seconds=second), ticks=lambda: second)
            told = {"claims": sorted(meter.claims)}
        elif asked.get("close"):
            meter.close()
            told = {}
        else:
            reading = meter.read()
            told = {"microjoules": reading.energy_microjoules, "tier": reading.tier,
                    "reason": reading.reason, "span_s": reading.span_s}
    except FindingsError as error:
        told = {"codes": [each.code for each in error.findings], "reason": str(error)}
    print(json.dumps(told), flush=True)
"""


@dataclass
class StandInBoard:
    """One board; see nvml_stand_in.c for what -1 and -2 mean."""

    uuid: str
    millijoules: int = 1_000_000
    milliwatts: int = 250_000
    mig: int = -1
    state: str = "ok"
    pids: tuple[int, ...] = ()


class StandIn:
    """The file that the library reads, and the process that reads the library."""

    def __init__(self, folder: Path, boards: list[StandInBoard]) -> None:
        self.file = folder / "boards"
        self.boards = boards
        self.epoch = 1
        self.process: subprocess.Popen[str] | None = None
        self.write()

    def write(self) -> None:
        lines = [f"driver {self.epoch}"]
        for each in self.boards:
            pids = ",".join(str(pid) for pid in each.pids) or "-"
            lines.append(
                f"board {each.uuid} {each.millijoules} {each.milliwatts} {each.mig} "
                f"{each.state} {pids}"
            )
        fresh = self.file.with_suffix(".new")
        fresh.write_text("\n".join(lines) + "\n")
        fresh.replace(self.file)

    def ask(self, **words: Any) -> dict[str, Any]:
        """Tell the process something, after the file says what the boards do now."""
        self.write()
        process = self.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(words) + "\n")
        process.stdin.flush()
        told: dict[str, Any] = json.loads(process.stdout.readline())
        return told

    def read(self, second: float) -> dict[str, Any]:
        return self.ask(second=second)


def compiled(folder: Path, *flags: str) -> Path:
    """Compile the library under its real name; return its folder."""
    assert COMPILER is not None
    folder.mkdir(exist_ok=True)
    name = "libnvidia-ml.so.1"
    subprocess.run(
        [
            *(COMPILER, "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", *flags),
            *(f"-Wl,-soname,{name}", "-o", str(folder / name), str(HERE / "nvml_stand_in.c")),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder


@contextmanager
def stand_in(library: Path, folder: Path, *boards: StandInBoard) -> Iterator[StandIn]:
    """Run a process that finds the library where its loader looks."""
    held = StandIn(folder, list(boards))
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(library),
        "NVML_STAND_IN": str(held.file),
    }
    with subprocess.Popen(
        [sys.executable, "-c", READER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        held.process = process
        try:
            yield held
        finally:
            process.kill()
