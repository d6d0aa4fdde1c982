"""What a worker of the gateway imports to decide: no files, no tables, no solver."""

import subprocess
import sys

HEAVY = (
    "pydantic",
    "numpy",
    "numba",
    "polars",
    "highspy",
    "altair",
    "rich",
    "typer",
    "yaml",
    "click",
)
"""A worker that idles at 60 MB has room for none of them."""
MODULES = """
import pkgutil, sys
import tokenergy.routing
for found in pkgutil.iter_modules(tokenergy.routing.__path__):
    __import__(f"tokenergy.routing.{found.name}")
import tokenergy.company.board_findings
import tokenergy.company.board_made
import tokenergy.company.serving.plan
import tokenergy.company.serving.ports
import tokenergy.company.serving.record
import tokenergy.api
print(*sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def test_deciding_imports_no_files_no_tables_and_no_solver() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES, *HEAVY],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == []


def test_a_worker_imports_no_files_no_tables_and_no_solver() -> None:
    code = "import sys; import tokenergy.api.worker, tokenergy.api.serving\n"
    done = subprocess.run(
        [sys.executable, "-c", code + MODULES.splitlines()[-1], *HEAVY],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(done.stdout.split()) <= {"click"}  # uvicorn has a command line of its own
