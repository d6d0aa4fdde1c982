"""How the benchmark of the plan runs a process: in its time, and what memory it held at most."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from peer import peer_python
from record import ROOT

HIPO = ROOT / "benchmarks" / ".peers" / "hipo"
HIPO_RELEASES = ("highspy==1.15.1", "highspy-extras==1.15.1")
"""HiPO needs a second package, whose newest release goes with this one."""
SAMPLED_S = 0.2


def peer_command(network: Path, answer: Path, method: str) -> list[str]:
    """Return how PyPSA is asked; HiPO comes with a HiGHS of its own."""
    script = ROOT / "benchmarks" / "pypsa_plan_peer.py"
    command = [str(peer_python()), str(script), str(network), str(answer), method]
    return ["env", f"PYTHONPATH={hipo_folder()}", *command] if "hipo" in method else command


def hipo_folder() -> Path:
    """Return the folder of a HiGHS with HiPO; install it if it is not there."""
    ready = HIPO / ".ready"
    if not ready.exists() or ready.read_text() != "\n".join(HIPO_RELEASES):
        install = [str(peer_python()), "-m", "pip", "install", "--disable-pip-version-check"]
        if shutil.which("uv"):
            install = ["uv", "pip", "install", "--python", str(peer_python())]
        options = ["--quiet", "--no-deps", "--upgrade", "--target", str(HIPO)]
        subprocess.run([*install, *options, *HIPO_RELEASES], check=True)
        ready.write_text("\n".join(HIPO_RELEASES))
    return HIPO


def run(command: list[str], limit_s: float) -> tuple[float, str | None]:
    """Run a command; return the most memory that it and its children held, and why it failed."""
    began, most_mb = time.perf_counter(), 0.0
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=os.environ.copy())
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            most_mb = max(most_mb, held_mb(watched))
            if time.perf_counter() - began > limit_s:
                for each in (*watched.children(recursive=True), watched):
                    each.kill()
                process.wait()
                return most_mb, f"not done after {limit_s:,.0f} s"
            time.sleep(SAMPLED_S)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode:
        return most_mb, f"failed: {text.strip().splitlines()[-1] if text.strip() else '?'}"
    return most_mb, None


def done(command: list[str], limit_s: float = 600.0) -> None:
    """Run a command that has to succeed.

    Raises:
        SystemExit: with why it did not.
    """
    _, fault = run(command, limit_s)
    if fault:
        raise SystemExit(f"{' '.join(command)}: {fault}")


def held_mb(watched: psutil.Process) -> float:
    """Return what a process and its children hold now; what they share counts once."""
    total = 0.0
    try:
        for each in (watched, *watched.children(recursive=True)):
            total += each.memory_full_info().pss / 1e6
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return 0.0
    return total
