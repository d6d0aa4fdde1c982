"""Where Vidur is: its package in an environment of its own, and a checkout where one is given.

Nothing of Vidur is part of this repository. `benchmarks/.peers/vidur-python` (ignored by git) is
made at the first run, by pip, with Vidur's package in it. A checkout of Vidur's public source
(a folder with `vidur/simulator.py` in it) is compared as well where there is one: at the path that
the environment variable TOKENERGY_VIDUR names, else at `benchmarks/.peers/vidur`.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peer import ask_peer, installed
from record import ROOT

PEERS = ROOT / "benchmarks" / ".peers"
RELEASE = "0.0.26"
NEEDS = (
    "numpy==2.4.6", "pandas==3.1.1", "scikit-learn==1.9.1", "wandb==0.31.0", "kaleido==1.5.0",
    "plotly_express==0.4.1", "seaborn==0.13.2", "matplotlib==3.11.2", "ddsketch==3.0.1",
    "fasteners==0.20", "huggingface_hub==2.4.0",
)  # fmt: skip
PACKAGE = ("--no-deps", f"vidur=={RELEASE}")
"""Without what only its web pages and its search for configurations need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vidur:
    """One Vidur to compare with."""

    name: str
    python: Path
    checkout: Path | None

    def simulate(self, case: dict[str, Any]) -> dict[str, Any]:
        """Run a case once, in a process of its own."""
        words = [] if self.checkout is None else [str(self.checkout)]
        answer: dict[str, Any] = ask_peer("vidur_peer.py", case, *words, python=self.python)
        return answer


def vidurs() -> tuple[list[Vidur], dict[str, str]]:
    """Return every Vidur that is here, and why one that is not is absent, by name."""
    found, absent = [], {}
    try:
        python = installed(PEERS / "vidur-python", NEEDS, PACKAGE)
        found.append(Vidur(name="package", python=python, checkout=None))
    except (OSError, subprocess.CalledProcessError) as error:
        absent["package"] = f"vidur {RELEASE} could not be installed ({told(error)})"
        python = None
    named = os.environ.get("TOKENERGY_VIDUR")
    checkout = Path(named) if named else PEERS / "vidur"
    if not (checkout / "vidur" / "simulator.py").exists():
        where = "TOKENERGY_VIDUR names no" if named else "no TOKENERGY_VIDUR, and no"
        absent["source"] = f"{where} folder with vidur/simulator.py (else benchmarks/.peers/vidur)"
        return found, absent
    try:  # the package may have no build for this Python, the source still runs
        python = python or installed(PEERS / "vidur-source-python", NEEDS)
        found.append(Vidur(name="source", python=python, checkout=checkout.resolve()))
    except (OSError, subprocess.CalledProcessError) as error:
        absent["source"] = f"what it needs could not be installed ({told(error)})"
    return found, absent


def told(error: OSError | subprocess.CalledProcessError) -> str:
    """Return a reason without paths: it is kept in a file that others read."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"the installer ended with {error.returncode}, what it said stands above"
    return error.strerror or type(error).__name__
