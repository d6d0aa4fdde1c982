"""Servers that refuse, reset, stall, flood or talk nonsense; `make bench-serve` at length."""

from pathlib import Path

import pytest
from serve_bench import PASSED, serve_faults_backends

pytestmark = pytest.mark.slow  # a gateway before a dozen broken servers, whose limits pass: 10 s

NAMES = (
    *(case.name for case in serve_faults_backends.CASES),
    "flood_of_4xx",
    "all_refuse",
    "files",
)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder: Path = tmp_path_factory.mktemp("backends")
    return dict(serve_faults_backends.broken(folder))


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_server_is_told_rightly(name: str, broken: dict[str, object]) -> None:
    found = broken[name]
    assert found.verdict == PASSED, found.told()  # type: ignore[attr-defined]
