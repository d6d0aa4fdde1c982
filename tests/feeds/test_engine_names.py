import re
from datetime import date

import pytest

from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_names import (
    STARTED,
    load_names,
    recognise,
    versions,
    wanted_of,
)


def test_every_row_names_its_source_and_day() -> None:
    rows = load_names()
    assert {row.engine for row in rows} == {"vllm", "sglang", "llama.cpp"}
    for row in rows:
        assert row.source
        assert row.retrieved_on <= date(2026, 11, 24)
        assert re.fullmatch(r"[a-z]+:[a-z_]+", row.name)
        assert row.kind == ("gauge" if row.quantity in ("running", "waiting") else "counter")


@pytest.mark.parametrize("key", list(versions()))
def test_each_version_is_found_by_its_own_names(key: tuple[str, str]) -> None:
    """Newer versions stand first: an older one must not hide behind their names."""
    for needed_only in (False, True):
        names = [row.name for row in versions()[key] if row.needed or not needed_only]
        found = recognise(names, path="x")
        assert (found.engine, found.version) == key


def test_names_without_total_and_with_underscores_are_the_same_names() -> None:
    names = [row.name for row in versions()["sglang", "since 0.4"]]
    for seen in (
        [name.removesuffix("_total") for name in names],
        [name.replace(":", "_") for name in names],
        [name.removesuffix("_total").replace(":", "_") for name in names],
    ):
        assert recognise(seen, path="x").engine == "sglang"
        assert set(seen) <= wanted_of("sglang")
    assert STARTED in wanted_of("vllm")
    assert wanted_of("vllm") < wanted_of("")


def test_a_missing_name_is_told_by_version_with_what_is_there() -> None:
    seen = ["vllm:prompt_tokens_total", "vllm:num_requests_running"]
    others = (*seen, "vllm:generated_tokens_total", "python_info")
    with pytest.raises(FindingsError) as caught:
        recognise(seen, path="http://there/metrics", others=lambda: others)
    (finding,) = caught.value.findings
    assert finding.code == "ENGINE_NAMES_UNKNOWN"
    assert "vllm 0.4 to 0.10 (V0): vllm:generation_tokens_total" in finding.reason
    assert "sglang" not in finding.reason  # the page is vLLM's
    assert "vllm:generated_tokens_total" in finding.value
    assert "engine_metrics.csv" in finding.remedy


def test_a_page_of_something_else_tells_what_every_engine_would_have() -> None:
    with pytest.raises(FindingsError) as caught:
        recognise([], path="x", others=lambda: ("node_cpu_seconds_total",))
    reason = caught.value.findings[0].reason
    assert all(engine in reason for engine in ("vllm", "sglang", "llama.cpp"))
    assert caught.value.findings[0].value == "node_cpu_seconds_total"
