"""`tokenergy operating-points`: the table for people, for scripts, and for a company file."""

from pathlib import Path

import pytest
import yaml
from commands import SMALL

from tokenergy.api import operating
from tokenergy.simulate.operating_sample import Effort


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating, "QUICK", Effort(requests_count=1_000, seeds_count=1))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-8")
    return path


WORDS = ["operating-points", "small.yaml", "--quick", "--workload", "nightly-europe"]


def test_the_table_says_what_binds_and_what_dispatch_takes_today(inside, small: Path) -> None:
    done = inside(*WORDS)
    assert done.status == 0, done.err
    told = " ".join(done.out.split())
    for word in ("nightly-europe", "small, texas-h100", "req/s", "bound", "now req/s",
                 "1,000 requests and 1 seed a", "modelled from data sheets",
                 "lognormal"):  # fmt: skip
        assert word in told
    assert "chat-america" not in told


def test_the_json_has_a_binding_limit_for_each_row(inside, small: Path) -> None:
    done = inside(*WORDS, "--json")
    assert done.status == 0, done.err
    told = done.json()
    assert len(told["rows"]) == 3
    for row in told["rows"]:
        assert row["bound"] in ("ttft", "tpot", "kv", "batch")
        assert row["rate_per_s"] > 0.0
        assert row["analytic"]["rate_per_s"] > 0.0
        assert row["half_load_error_share"] is not None
    assert told["findings"] == []
    assert told["company"] == "Small & [Sons] <b>"


def test_a_file_can_be_named_by_the_company(inside, small: Path) -> None:
    assert inside(*WORDS, "--out", "points.csv").status == 0
    tree = yaml.safe_load(small.read_text(encoding="utf-8"))
    small.write_text(yaml.safe_dump({**tree, "operating_points": "points.csv"}), encoding="utf-8")
    checked = inside("check", small, "--json").json()
    codes = [finding["code"] for finding in checked["findings"]]
    # nightly has its rows; chat on two models has none, and that is said once for each
    assert codes.count("OPERATING_ROW_MISSING") == 2
    assert checked["errors_count"] == 0
    assert inside("dispatch", small, "--hours", "6").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workload", "nobody"], "there is no workload 'nobody'"),
        (["--workload", ","], "names nothing"),
        (["--out", "none/points.csv"], "there is no folder"),
    ],
)
def test_what_is_asked_wrongly_is_told(inside, small: Path, words: list[str], said: str) -> None:
    done = inside("operating-points", small, *words)
    assert done.status == 2
    assert said in done.err
