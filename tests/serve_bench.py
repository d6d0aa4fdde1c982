"""The fault drivers of `benchmarks/`, as tests call them: in their short form.

They need a C compiler for the fake upstream and the load generator; without one these tests skip,
but never in CI.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import serve_faults
import serve_faults_backends
import serve_faults_disk
import serve_native
from serve_fault import PASSED, Found

__all__ = ["PASSED", "need_cc", "passes", "serve_faults_backends", "serve_native"]


def need_cc() -> None:
    """Skip a test where there is no C compiler; fail it in CI."""
    if shutil.which(os.environ.get("CC", "cc")):
        return
    reason = "no C compiler (cc): the fake upstream and the load generator cannot be built"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def passes(name: str) -> Found:
    """Try one fault of `serve_faults.drivers`, and fail with its verdict."""
    need_cc()
    try:
        found = serve_faults.tried(name)
    except serve_faults_disk.NoDisk as error:
        pytest.skip(str(error))
    assert found.verdict == PASSED, f"{found.told()}"
    assert found.tried > 0
    assert found.lost == 0
    return found
