"""Files of requests, each known shape, and what is refused: all faults of a file at once."""

import gzip
import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.company.ledger import LedgerEntry
from tokenergy.errors import FindingsError, InputError
from tokenergy.files.key_hash import KeyHash
from tokenergy.files.request_traces import RatesJoin, read_trace
from tokenergy.files.trace_usage import _split
from tokenergy.synthetic.requests import RequestShape

KEYS = KeyHash(b"s" * 32)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
GENERAL = """arrival,input_tokens,output_tokens,cached_tokens,workload,session,tenant,value_usd
2026-03-02T08:00:00Z,100,20,0,chat,c1,acme,0.5
2026-03-02T09:00:00.25+01:00,200,30,120,batch,,beta,
2026-03-02T08:00:03Z,150,10,,,c1,acme,0
"""
AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:51.2224670,879,55"""


@pytest.fixture
def write(tmp_path):
    def written(text, name="trace.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def read(path, **more):
    return read_trace(path, **({"workloads": ("chat",), "keys": KEYS} | more))


def codes(path, **more):
    with pytest.raises(FindingsError) as caught:
        read(path, **more)
    return {finding.code for finding in caught.value.findings}


# ---- the general table ---------------------------------------------------------------------


def test_every_column_of_the_general_table_is_read(write) -> None:
    """The second row is of 09:00:00.25 at +01:00: a quarter second after the first."""
    told = read(write(GENERAL), workloads=("chat", "batch"), workload="chat")
    trace = told.trace
    assert told.kind == "requests" and told.sample_share == (1.0, 1.0)
    assert trace.start == START
    assert trace.arrival_s.tolist() == [0.0, 0.25, 3.0]
    assert trace.span_s == 3.0
    assert trace.input_tokens.tolist() == [100, 200, 150]
    assert trace.output_tokens.tolist() == [20, 30, 10]
    assert trace.cached_tokens.tolist() == [0, 120, 0]
    assert trace.workload.tolist() == [0, 1, 0]
    assert trace.session.tolist() == [0, -1, 0]
    assert [trace.tenants[at] for at in trace.tenant] == ["acme", "beta", "acme"]
    assert trace.value_usd.tolist()[::2] == [0.5, 0.0] and np.isnan(trace.value_usd[1])
    assert trace.source == "trace.csv"


@pytest.mark.parametrize("shape", ["gz", "semicolons", "json", "parquet", "bom"])
def test_one_table_in_many_dresses_is_one_trace(write, tmp_path, shape) -> None:
    plain = read(write(GENERAL), workloads=("chat", "batch"), workload="chat").trace
    if shape == "gz":
        path = write(gzip.compress(GENERAL.encode()), "log.csv.gz")
    elif shape == "semicolons":
        path = write(GENERAL.replace("0.5", "0:5").replace(",", ";").replace("0:5", "0,5"))
    elif shape == "bom":
        path = write(b"\xef\xbb\xbf" + GENERAL.encode())
    else:
        frame = pl.read_csv(GENERAL.encode(), infer_schema_length=None)
        path = tmp_path / f"log.{shape}"
        if shape == "parquet":
            moments = pl.col("arrival").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC")
            frame.with_columns(moments).write_parquet(path)
        else:
            frame.write_ndjson(path)
    other = read(path, workloads=("chat", "batch"), workload="chat").trace
    for name in ("arrival_s", "input_tokens", "cached_tokens", "workload", "session", "value_usd"):
        assert np.array_equal(getattr(plain, name), getattr(other, name), equal_nan=True), name
    assert plain.start == other.start and plain.tenants == other.tenants


def test_seconds_need_a_start(write) -> None:
    path = write("arrival_s,prompt_tokens,completion_tokens\n0.5,10,1\n2,20,2\n")
    assert codes(path) == {"TRACE_START_UNSTATED"}
    assert codes(path, start=datetime(2026, 3, 2)) == {"NAIVE_TIMESTAMP"}
    trace = read(path, start=START, span_s=10.0).trace
    assert trace.arrival_s.tolist() == [0.5, 2.0] and trace.span_s == 10.0
    assert trace.start == START


@pytest.mark.parametrize("unit", [1, 1000])
def test_seconds_and_milliseconds_since_1970_are_moments(write, unit) -> None:
    rows = "".join(f"{round((1_772_438_400 + at) * unit)},10,1\n" for at in (0, 60))
    trace = read(write("timestamp,input_tokens,output_tokens\n" + rows)).trace
    assert trace.start == datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert trace.arrival_s.tolist() == [0.0, 60.0]


def test_every_fault_of_a_file_is_told_at_once(write) -> None:
    rows = ("2026-03-02T08:00:05Z,0,3,0,chat", "2026-03-02T08:00:01,10,1.5,0,chatt",
            "soon,10,2,11,chat")  # fmt: skip
    path = write("arrival,input_tokens,output_tokens,cached_tokens,workload\n" + "\n".join(rows))
    with pytest.raises(FindingsError) as caught:
        read(path)
    told = {f.code: f for f in caught.value.findings}
    assert set(told) == {
        "NAIVE_TIMESTAMP", "TRACE_ARRIVAL", "TRACE_UNSORTED", "TRACE_TOKENS",
        "TRACE_TOKENS_FRACTION", "TRACE_CACHED", "TRACE_WORKLOAD_UNKNOWN",
    }  # fmt: skip
    assert told["TRACE_TOKENS"].path == "trace.csv.input_tokens"
    assert "(row 2)" in told["TRACE_TOKENS"].reason
    assert "nearest is 'chat'" in told["TRACE_WORKLOAD_UNKNOWN"].remedy
    assert "(row 3)" in told["NAIVE_TIMESTAMP"].reason


def test_bad_rows_are_left_out_where_that_is_asked_for(write) -> None:
    path = write("arrival_s,input_tokens,output_tokens\n0,10,1\n1,10,0\n2,,3\n3,10,x\n4,9,1\n")
    assert codes(path, start=START) == {"TRACE_TOKENS"}
    told = read(path, start=START, leave_out_bad=True)
    assert told.left_out_count == 3
    assert told.trace.arrival_s.tolist() == [0.0, 4.0]
    assert {(f.code, f.severity) for f in told.findings} == {("TRACE_TOKENS", "warning")}


def test_an_unsorted_file_is_sorted_where_that_is_asked_for(write) -> None:
    path = write("arrival_s,input_tokens,output_tokens\n5,10,1\n1,20,2\n")
    assert codes(path, start=START) == {"TRACE_UNSORTED"}
    told = read(path, start=START, sort=True)
    assert told.trace.input_tokens.tolist() == [20, 10]
    assert [f.code for f in told.findings] == ["TRACE_SORTED"]
    assert "row 3" in told.findings[0].reason


def test_keys_and_users_are_hashed(write) -> None:
    path = write(
        "arrival_s,input_tokens,output_tokens,tenant,user\n0,1,1,acme,ann\n"
        "1,1,1,sk-abcdef123456,ann\n2,1,1,,ann\n"
    )
    trace = read(path, start=START).trace
    assert trace.tenants == ("acme", KEYS.of("sk-abcdef123456"), KEYS.of("ann"))


def test_an_empty_file_and_a_missing_one_are_told(write, tmp_path) -> None:
    assert codes(write("arrival_s,input_tokens,output_tokens\n"), start=START) == {"IMPORT_EMPTY"}
    assert codes(tmp_path / "none.csv") == {"IMPORT_FILE_MISSING"}
    assert codes(write(b"\x1f\x8b\x08rubbish", "a.csv.gz")) == {"IMPORT_FILE_UNREADABLE"}


def test_what_has_no_known_shape_is_refused_with_the_known_ones(write) -> None:
    with pytest.raises(FindingsError) as caught:
        read(write("utc,pjm\n2026-03-02T00:00Z,31\n"))
    (finding,) = caught.value.findings
    assert finding.code == "TRACE_KIND_UNKNOWN"
    assert "ContextTokens" in finding.limit and "hash_ids" in finding.limit


def test_a_trace_without_workloads_is_the_only_ones(write) -> None:
    path = write("arrival_s,input_tokens,output_tokens\n0,10,1\n1,1,1\n")
    assert read(path, start=START).trace.workloads == ("chat",)
    assert codes(path, start=START, workloads=("a", "b")) == {"TRACE_WORKLOAD_UNSTATED"}
    assert codes(path, start=START, workloads=()) == {"TRACE_WORKLOAD_UNSTATED"}
    assert codes(path, start=START, workload="cat") == {"TRACE_WORKLOAD_UNKNOWN"}
    named = read(path, start=START, workloads=("a", "b"), workload="b").trace
    assert named.workload.tolist() == [1, 1]
    with pytest.raises(InputError, match="span_s is 0"):
        read(path, start=START, span_s=0.0)


# ---- Azure ---------------------------------------------------------------------------------


def test_azures_stamps_need_a_zone(write) -> None:
    """Without one both faults are told: the zone, and whose requests they are."""
    path = write(AZURE)
    assert codes(path, workloads=("a", "b")) == {"NAIVE_TIMESTAMP", "TRACE_WORKLOAD_UNSTATED"}
    utc, west = read(path, zone="UTC").trace, read(path, zone="America/Los_Angeles").trace
    assert utc.start == datetime(2023, 11, 16, 18, 15, 46, 680590, tzinfo=UTC)
    assert west.start - utc.start == timedelta(hours=8)
    assert utc.arrival_s.tolist() == pytest.approx([0.0, 4.314579, 4.541877], abs=1e-9)
    assert "taken for America/Los_Angeles" in west.source
    assert codes(path, zone="Mars/Olympus") == {"ZONE_UNKNOWN"}


def test_an_hour_that_clocks_show_twice_is_no_moment(write) -> None:
    path = write(AZURE.replace("2023-11-16 18:15:50", "2023-11-05 01:15:50"))
    assert "TRACE_ARRIVAL" in codes(path, zone="America/New_York")


def test_the_real_azure_trace(shared_data) -> None:
    """19,366 requests in 58 minutes, means 1,155 and 211 (data/README, section 4)."""
    path = shared_data / "azure_llm_2023_conv.csv.gz"
    told = read(path, zone="UTC")
    trace = told.trace
    assert told.findings == () and told.kind == "azure_llm"
    assert trace.requests_count == 19_366
    assert trace.input_tokens.mean() == pytest.approx(1154.7, abs=0.05)
    assert trace.output_tokens.mean() == pytest.approx(211.126, abs=0.001)
    assert (trace.input_tokens.max(), trace.output_tokens.max()) == (14_050, 1_000)
    assert trace.span_s == pytest.approx(3501.722, abs=0.001)
    day = trace.repeated(86_400.0)
    assert [f.code for f in day.findings()] == ["TRACE_REPEATED"]


# ---- Mooncake ------------------------------------------------------------------------------

ROWS = (
    {"timestamp": 0, "input_length": 1100, "output_length": 5, "hash_ids": [0, 1, 2]},
    {"timestamp": 10, "input_length": 1300, "output_length": 5, "hash_ids": [0, 1, 3]},
    {"timestamp": 10, "input_length": 900, "output_length": 5, "hash_ids": [4, 1]},
    {"timestamp": 3000, "input_length": 1100, "output_length": 5, "hash_ids": [0, 1, 2]},
    {"timestamp": 3000, "input_length": 7, "output_length": 5, "hash_ids": []},
)


def test_mooncakes_hashes_are_cached_tokens(write) -> None:
    """Of [0, 1, 3] the first two stood before: 1,024 tokens; of [4, 1] the head is new: none.

    The last block of [0, 1, 2] holds 1,100 - 1,024 tokens, so all of it is 1,100, not 1,536.
    """
    path = write("\n".join(map(json.dumps, ROWS)), "trace.jsonl")
    assert codes(path) == {"TRACE_START_UNSTATED"}
    told = read(path, start=START)
    assert told.kind == "mooncake"
    assert told.trace.cached_tokens.tolist() == [0, 1024, 0, 1100, 0]
    assert told.trace.arrival_s.tolist() == [0.0, 0.01, 0.01, 3.0, 3.0]
    assert [f.code for f in told.findings] == ["TRACE_CACHE_ENDLESS"]
    assert "one cache without end" in told.trace.source


def test_hashes_that_are_no_list_are_told(write) -> None:
    path = write("timestamp,input_length,output_length,hash_ids\n0,9,1,[0]\n10,9,1,[0]\n")
    assert codes(path, start=START) == {"TRACE_HASHES"}


def known_by_hand(prompts):
    """How many blocks at the head of each prompt stood before, one after another."""
    seen, known = set(), []
    for ids in prompts:
        count = 0
        while count < len(ids) and ids[count] in seen:
            count += 1
        known.append(count)
        seen |= set(ids)
    return known


@settings(max_examples=60, deadline=None)
@given(prompts=st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=12))
def test_known_blocks_are_those_that_a_set_finds(tmp_path_factory, prompts) -> None:
    rows = (
        {"timestamp": at, "input_length": 10_000, "output_length": 1, "hash_ids": ids}
        for at, ids in enumerate(prompts, start=1)
    )
    path = tmp_path_factory.mktemp("mooncake") / "trace.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    cached = read(path, start=START).trace.cached_tokens
    assert cached.tolist() == [512 * count for count in known_by_hand(prompts)]


# ---- rates ---------------------------------------------------------------------------------


def join_of(rates_column="chat_rate", **more):
    shape = RequestShape.of_means(
        "chat", requests_per_s=np.zeros(1), input_tokens=300, output_tokens=100
    )
    return RatesJoin(columns={"chat": rates_column}, shapes={"chat": shape}, **more)


def test_rates_need_a_start_and_a_join(write) -> None:
    path = write("second,chat_rate,other\n0,2,1\n600,4,1\n1200,,1\n")
    assert codes(path) == {"TRACE_START_UNSTATED", "TRACE_JOIN_UNSTATED"}
    told = read(path, start=START, join=join_of())
    trace = told.trace
    assert told.kind == "rates" and trace.is_synthetic
    assert "joined with lengths that are not the file's" in trace.source
    assert trace.span_s == 1200.0
    # 600 x 2 and 600 x 4 requests, some of them in conversations: within 6 sd of a Poisson.
    counts = np.bincount((trace.arrival_s // 600).astype(int), minlength=2)
    assert abs(counts[0] - 1200) < 6 * 35 * 2 and abs(counts[1] - 2400) < 6 * 49 * 2
    assert trace.same_as(read(path, start=START, join=join_of()).trace)


def test_faults_of_a_join_are_told_at_once(write) -> None:
    path = write("second,chat_rate\n0,2\n600,x\n1300,1\n")
    join = RatesJoin(columns={"chat": "chat_rat", "films": "chat_rate"}, shapes=join_of().shapes)
    assert codes(path, join=join) == {
        "TRACE_START_UNSTATED", "UNKNOWN_COLUMN", "TRACE_WORKLOAD_UNKNOWN", "SERIES_MISALIGNED",
        "TRACE_RATE",
    }  # fmt: skip


def test_lengths_may_come_from_another_trace(write) -> None:
    other = read(write(AZURE, "azure.csv"), zone="UTC").trace
    path = write("second,chat_rate\n0,2\n600,4\n")
    trace = read(path, start=START, join=join_of(lengths_from=other)).trace
    assert set(zip(trace.input_tokens, trace.output_tokens, strict=True)) == {
        (374, 44), (396, 109), (879, 55),
    }  # fmt: skip
    assert (trace.session == -1).all() and not trace.cached_tokens.any()
    assert "pairs of lengths drawn from azure.csv" in trace.source


def test_the_real_servegen_windows(shared_data) -> None:
    """deepseek-r1 has 144 windows of 10 minutes, mean 16/s: a day of 86,400 s (README, 4)."""
    path = shared_data / "servegen_rps_10min.csv.gz"
    shape = RequestShape.of_means(
        "reason", requests_per_s=np.zeros(1), input_tokens=300, output_tokens=100
    )
    shape = replace(shape, sample_share=0.1)
    join = RatesJoin(columns={"reason": "reason/deepseek-r1"}, shapes={"reason": shape})
    told = read(path, start=START, join=join, workloads=("reason",))
    assert told.trace.span_s == 86_400.0
    rates = pl.read_csv(path)["reason/deepseek-r1"].drop_nulls().to_numpy()
    assert rates.size == 144
    assert told.sample_share == (0.1,)
    assert 10 * told.trace.mean_requests_per_s == pytest.approx(rates.mean(), rel=0.02)


# ---- usage ---------------------------------------------------------------------------------

BUCKETS = """start_time,end_time,model,project_id,num_model_requests,input_tokens,\
input_cached_tokens,output_tokens
1772438400,1772442000,small,p1,4,1003,101,10
1772442000,1772445600,small,p2,1,50,0,7
"""


def test_a_bucket_becomes_its_requests(write) -> None:
    """1,003 tokens over 4 requests are 251, 251, 251, 250; 101 cached 26, 25, 25, 25."""
    told = read(write(BUCKETS), spread="even")
    trace = told.trace
    assert told.kind == "openai"
    assert trace.start == START and trace.span_s == 7200.0
    assert trace.arrival_s.tolist() == [450.0, 1350.0, 2250.0, 3150.0, 5400.0]
    assert trace.input_tokens.tolist() == [251, 251, 251, 250, 50]
    assert trace.cached_tokens.tolist() == [26, 25, 25, 25, 0]
    assert trace.output_tokens.tolist() == [3, 3, 2, 2, 7]
    assert [trace.tenants[at] for at in trace.tenant] == ["p1"] * 4 + ["p2"]
    assert "USAGE_SPREAD" in {f.code for f in told.findings}
    assert "spread over it (even" in trace.source


def test_a_bucket_spread_at_random_stays_within_it_and_in_order(write) -> None:
    trace = read(write(BUCKETS), seed=3).trace
    assert (np.diff(trace.arrival_s) >= 0).all()
    assert ((trace.arrival_s < 3600).sum(), trace.requests_count) == (4, 5)
    assert trace.input_tokens.sum() == 1053
    assert trace.same_as(read(write(BUCKETS), seed=3).trace)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 50)), min_size=1, max_size=20))
def test_sums_of_buckets_are_kept_to_the_token(rows) -> None:
    sums, counts = [a for a, _ in rows], np.array([b for _, b in rows])
    parts = np.split(_split(sums, counts), np.cumsum(counts)[:-1])
    for total, part in zip(sums, parts, strict=True):
        assert part.sum() == total and part.max() - part.min() <= 1


def test_usage_that_does_not_count_requests_is_none(write) -> None:
    path = write("hour,model,input_tokens,output_tokens\n2026-03-02T08:00Z,small,100,10\n")
    assert codes(path) >= {"USAGE_UNCOUNTED"}


def test_rows_of_a_log_are_requests_at_their_start(write) -> None:
    path = write(
        "request_id,startTime,endTime,model,prompt_tokens,completion_tokens,user\n"
        "b,2026-03-02T08:00:09Z,2026-03-02T08:00:10Z,small,20,2,ann\n"
        "a,2026-03-02T08:00:00Z,2026-03-02T08:00:30Z,small,10,1,bob\n"
    )
    told = read(path)
    assert told.kind == "litellm"
    assert told.trace.arrival_s.tolist() == [0.0, 9.0]
    assert told.trace.input_tokens.tolist() == [10, 20]
    assert told.trace.span_s == 30.0
    assert "USAGE_SPREAD" not in {f.code for f in told.findings}


# ---- our own ledger ------------------------------------------------------------------------


def entry(component, quantity, *, request_id="r1", second=0, **more):
    given = {
        "run_id": "run", "source": "serve", "kind": "request", "request_id": request_id,
        "start": START + timedelta(seconds=second), "end": START + timedelta(seconds=second + 1),
        "tenant": "acme", "workload": "chat", "component": component, "quantity": quantity,
        "unit": "Mtok",
    }  # fmt: skip
    return LedgerEntry(**(given | more))


def of_ledger(write, entries, **more):
    path = write(b"SQLite format 3\x00 and more", "ledger.sqlite")
    return read(path, open_ledger=lambda _: nullcontext(entries), **more)


def test_requests_of_a_ledger_are_read(write) -> None:
    told = of_ledger(
        write,
        [
            entry("serve", 44e-6, request_id="r2", second=5),
            entry("input", 374e-6, request_id="r2", second=5),
            entry("serve", 109e-6), entry("input", 396e-6), entry("cached_input", 96e-6),
            entry("energy", 3.0, unit="MWh"),
        ],
    )  # fmt: skip
    trace = told.trace
    assert told.kind == "ledger" and trace.start == START
    assert trace.arrival_s.tolist() == [0.0, 5.0]
    assert trace.input_tokens.tolist() == [396, 374]
    assert trace.cached_tokens.tolist() == [96, 0]
    assert trace.output_tokens.tolist() == [109, 44]


@pytest.mark.parametrize(
    ("entries", "code", "word"),
    [
        ([entry("serve", 1.0, kind="interval")], "LEDGER_NO_REQUESTS", "1 of interval"),
        ([entry("serve", 1.0, source="observe")], "LEDGER_NO_REQUESTS", "1 of usage"),
        ([entry("serve", 1e-6)], "LEDGER_INPUT_MISSING", "1"),
        ([entry("input", 1e-6), entry("input", 1e-6, run_id="b")], "LEDGER_RUNS", "b, run"),
    ],
)
def test_a_ledger_without_requests_says_what_it_holds(write, entries, code, word) -> None:
    with pytest.raises(FindingsError) as caught:
        of_ledger(write, entries)
    told = {finding.code: finding for finding in caught.value.findings}
    assert told[code].value == word


def test_a_ledger_is_refused_where_nobody_can_open_it(write) -> None:
    assert codes(write(b"SQLite format 3\x00", "a.sqlite")) == {"TRACE_IS_LEDGER"}
