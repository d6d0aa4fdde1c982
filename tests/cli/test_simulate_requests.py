"""`tokenergy simulate COMPANY --requests FILE|generated` on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL

AZURE = Path(__file__).parents[2] / ".." / "shared" / "data" / "azure_llm_2023_conv.csv.gz"


def azure_rows(path: Path, count=80) -> Path:
    """Write a file of the shape of Azure's traces, with a zone."""
    rng = np.random.default_rng(0)
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for second in np.sort(rng.uniform(0.0, 1500.0, count)).tolist():
        minute, rest = divmod(second, 60.0)
        prompt, answer = rng.integers(10, 900), rng.integers(1, 300)
        lines.append(f"2023-11-16 18:{int(minute):02d}:{rest:09.6f}+00:00,{prompt},{answer}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_generated_requests_as_json(inside):
    ended = inside(
        "simulate", SMALL, "--requests", "generated", "--hours", 2, "--sample", 600,
        "--policies", "mpc", "--json",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    score = told["policies"]["mpc"]
    assert {"p50", "p90", "p99"} == set(score["tiers"]["chat"]["ttft_s"])
    assert score["value"]["share"] <= 1.0
    assert told["baseline"] is None and score["saving"] is None
    assert not Path(".tokenergy").exists()  # no ledger unless one is named


def test_a_file_of_requests_for_people(inside, tmp_path):
    file = azure_rows(tmp_path / "azure.csv")
    ended = inside(
        "simulate", SMALL, "--requests", file, "--workload", "chat-america",
        "--policies", "greedy,mpc", "--ledger", tmp_path / "r.sqlite",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    for words in ("time to the first token", "decisions by reason", "value kept", "80 requests of",
                  "ledger:"):  # fmt: skip
        assert words in ended.out, ended.out
    assert "saves" not in ended.out  # greedy_battery was not run


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--hours", 2), "--hours: only with --requests"),
        (("--requests", "generated", "--split"), "--split: only without --requests"),
        (("--requests", "generated", "--resume"), "--resume: only without --requests"),
        (("--requests", "generated", "--hours", 500), "the horizon ends after 48 h"),
        (("--requests", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_what_means_nothing_is_refused(inside, words, why):
    ended = inside("simulate", SMALL, *words)
    assert ended.status == 2
    assert why in ended.err.replace("\n", " ")


def test_a_file_must_say_its_workload(inside, tmp_path):
    """Two language workloads and no column that tells them apart."""
    ended = inside("simulate", SMALL, "--requests", azure_rows(tmp_path / "azure.csv"))
    assert ended.status == 2
    assert "workload" in ended.err


@pytest.mark.slow  # a trace of an hour, 19,366 requests: about 6 s
@pytest.mark.skipif(not AZURE.exists(), reason="../shared is absent: no Azure trace")
def test_the_azure_trace_on_a_small_company(inside):
    ended = inside(
        "simulate", SMALL, "--requests", AZURE, "--workload", "chat-america", "--zone", "UTC",
        "--policies", "mpc", "--json",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    tier = told["policies"]["mpc"]["tiers"]["chat"]
    assert tier["decided_count"] == 19_366
    assert tier["served_count"] + tier["refused_count"] == 19_366
    assert tier["played_share"] == 1.0
