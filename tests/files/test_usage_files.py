"""Usage files of every kind and make; made-up values in the true shapes.

OpenAI: the OpenAPI document 2.3.0 (UsageCompletionsResult, as the Rust client openai-client-base
generates it) and the columns of the dashboard's export. LiteLLM: `LiteLLM_SpendLogs` of its
Prisma schema (BerriAI/litellm, litellm-js/spend-logs/src/_types.ts and its SQL migrations).
"""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.files.cells import mark_of, number_of
from tokenergy.files.key_hash import KeyHash
from tokenergy.files.refused import RowRefused
from tokenergy.files.usage_files import UsageImport, read_usage, stream_usage

NOW = datetime(2026, 4, 1, tzinfo=UTC)
KEYS = KeyHash(b"t" * 32)
HOUR = datetime(2026, 3, 2, 5, tzinfo=UTC)
HEAD = "hour,model,tenant,input_tokens,cached,output_tokens,requests"


def read(path: Path, text: str | bytes, kind: Any = None, **options: Any) -> UsageImport:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_usage(path, kind, now=NOW, keys=KEYS, **options)


def codes(found: FindingsError) -> set[str]:
    return {finding.code for finding in found.findings}


def page(*results: dict[str, Any], end: int = 1772434800) -> dict[str, Any]:
    bucket = {
        "object": "bucket", "start_time": 1772431200, "end_time": end, "results": list(results),
    }  # fmt: skip
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None}


def result(**more: Any) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": 1000,
        "output_tokens": 500,
        "input_cached_tokens": 800,
        "num_model_requests": 5,
        "project_id": "proj_blue",
        "user_id": None,
        "api_key_id": None,
        "model": "m",
        "batch": False,
        "service_tier": "default",
    } | more


def spend(**more: Any) -> dict[str, Any]:
    return {
        "request_id": "r1",
        "call_type": "acompletion",
        "api_key": "0123456789abcdef" * 4,
        "spend": 0.00012,
        "total_tokens": 30,
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "startTime": "2026-03-02T05:00:00.100Z",
        "endTime": "2026-03-02T05:00:01.400Z",
        "completionStartTime": "2026-03-02T05:00:00.300Z",
        "model": "hosted_vllm/m",
        "model_group": "m",
        "user": "default_user_id",
        "end_user": "",
        "team_id": "team-blue",
        "organization_id": None,
        "request_tags": "[]",
        "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 16}}},
        "cache_hit": "False",
        "status": "success",
    } | more


def test_a_page_of_the_usage_api_is_read(tmp_path: Path) -> None:
    """1772431200 s after 1970 is 2026-03-02 06:00 UTC; a second result runs in a batch."""
    text = json.dumps(page(result(), result(batch=True, project_id=None, api_key_id="key_1")))
    found = read(tmp_path / "u.json", text)
    one, two = found.rows
    assert found.kind == "openai" and not found.refused and not found.findings
    assert one.start == datetime(2026, 3, 2, 6, tzinfo=UTC) and one.end - one.start == timedelta(
        hours=1
    )
    assert (one.input_tokens, one.cached_input_tokens, one.output_tokens) == (1000, 800, 500)
    assert (one.tenant, one.tier, one.requests_count) == ("proj_blue", "default", 5)
    assert (two.tenant, two.tier) == (KEYS.of("key_1"), "batch")
    assert one.source == "u.json:1"


def test_pages_lines_and_the_export_say_the_same(tmp_path: Path) -> None:
    rows = [result(model="a"), result(model="b")]
    pretty = read(tmp_path / "a.json", json.dumps(page(*rows), indent=2))
    pages = "\n".join(json.dumps(page(row)) for row in rows)
    lines = read(tmp_path / "a.jsonl", pages)
    several = read(tmp_path / "b.json", json.dumps([page(row) for row in rows]))
    columns = ["start_time", "end_time", *rows[0]]
    cells = [[1772431200, 1772434800, *row.values()] for row in rows]
    csv = "\n".join(",".join("" if c is None else str(c) for c in r) for r in [columns, *cells])
    export = read(tmp_path / "a.csv", csv)
    wanted = [(r.start, r.model, r.tenant, r.tier, r.input_tokens) for r in pretty.rows]
    assert len(wanted) == 2
    for other in (lines, several, export):
        assert other.kind == "openai"
        assert [(r.start, r.model, r.tenant, r.tier, r.input_tokens) for r in other.rows] == wanted


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"input_cached_tokens": 1001}, "USAGE_INCONSISTENT"),
        ({"total_tokens": 1501}, "USAGE_INCONSISTENT"),
        ({"output_reasoning_tokens": 501}, "USAGE_INCONSISTENT"),
        ({"model": None}, "MODEL_MISSING"),
        ({"input_tokens": -1}, "NEGATIVE_COUNT"),
        ({"input_tokens": 10**16}, "ABSURD_COUNT"),
        ({"input_tokens": 10.5}, "BAD_COUNT"),
        ({"input_tokens": True}, "BAD_NUMBER"),
        ({"input_tokens": None}, "MISSING_COUNT"),
        ({"object": "organization.usage.images.result"}, "NOT_COMPLETIONS"),
        ({"model": "sk-live-1234567890"}, "KEY_IN_NAME"),
    ],
)
def test_a_result_that_cannot_be_is_listed(tmp_path: Path, more: dict[str, Any], code: str) -> None:
    found = read(tmp_path / "u.json", json.dumps(page(result(), result(**more))))
    assert len(found.rows) == 1
    assert [(each.row, each.code) for each in found.refused] == [(2, code)]
    assert found.refused_counts == {code: 1}
    assert [each.code for each in found.findings] == [code]


def test_an_empty_bucket_and_a_strange_tier_are_told(tmp_path: Path) -> None:
    text = json.dumps([page(result(service_tier="turbo")), page()])
    found = read(tmp_path / "u.json", text)
    assert found.rows[0].tier == "default"
    assert {each.code for each in found.findings} == {"TIER_UNKNOWN", "EMPTY_BUCKET"}


def test_a_bucket_that_has_not_ended_is_told_and_one_to_come_is_refused(tmp_path: Path) -> None:
    later = int((NOW + timedelta(days=1)).timestamp())
    early = page(result(), end=later)
    to_come = page(result(model="b"), end=later + 3600)
    to_come["data"][0]["start_time"] = later
    found = read(tmp_path / "u.json", json.dumps([early, to_come]))
    assert len(found.rows) == 1
    assert {each.code for each in found.findings} == {"USAGE_UNFINISHED", "IN_FUTURE"}


def test_spend_logs_are_read(tmp_path: Path) -> None:
    text = json.dumps([spend(), spend(request_id="r2", team_id=None, model_group="")])
    one, two = read(tmp_path / "s.json", text).rows
    assert (one.model, one.tenant, one.spend_usd) == ("m", "team-blue", 0.00012)
    assert (one.input_tokens, one.cached_input_tokens, one.output_tokens) == (20, 16, 10)
    assert (two.model, two.tenant) == ("hosted_vllm/m", KEYS.of("default_user_id"))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"request_id": "r1"}, "DUPLICATE_ROW"),
        ({"cache_hit": "True"}, "CACHE_HIT"),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, "NO_TOKENS"),
        ({"metadata": '{"cut'}, "BAD_METADATA"),
        ({"total_tokens": 31}, "USAGE_INCONSISTENT"),
        ({"startTime": "2026-03-02 05:00:00.100"}, "NAIVE_TIMESTAMP"),
        ({"endTime": "2026-03-02T04:00:00Z"}, "BAD_SPAN"),
    ],
)
def test_a_log_that_gives_no_tokens_is_listed(
    tmp_path: Path, more: dict[str, Any], code: str
) -> None:
    text = "\n".join(json.dumps(each) for each in (spend(), spend(**({"request_id": "r2"} | more))))
    found = read(tmp_path / "s.jsonl", text)
    assert (len(found.rows), [each.code for each in found.refused]) == (1, [code])


def test_bytes_are_told_whatever_the_name(tmp_path: Path) -> None:
    """A mark, semicolons, German numbers; Windows-1252; UTF-16; packed; Parquet."""
    german = "hour;model;tenant;input_tokens;cached;output_tokens;requests\n" + (
        "2026-03-02T05:00Z;m;Büro;1.234.567;0;2.000;3\n"
    )
    marked = read(tmp_path / "a.txt", b"\xef\xbb\xbf" + german.encode())
    assert {each.code for each in marked.findings} == {"IMPORT_ENCODING", "IMPORT_DELIMITER"}
    for name, raw in {
        "b.csv": german.encode("cp1252"),
        "c.csv": german.encode("utf-16"),
        "d.csv.gz": gzip.compress(german.encode()),
    }.items():
        found = read(tmp_path / name, raw)
        (row,) = found.rows
        assert (row.tenant, row.input_tokens, row.output_tokens) == ("Büro", 1_234_567, 2_000)
    pl.DataFrame(
        {
            "hour": [HOUR, HOUR + timedelta(hours=1)],
            "model": ["m", "m"],
            "input_tokens": [5, 6],
            "output_tokens": [1, None],
        }
    ).write_parquet(tmp_path / "e.parquet")
    table = read_usage(tmp_path / "e.parquet", now=NOW, keys=KEYS)
    assert [row.start for row in table.rows] == [HOUR]
    assert [each.code for each in table.refused] == ["MISSING_COUNT"]


def test_stamps_without_a_zone_need_one(tmp_path: Path) -> None:
    text = f"{HEAD}\n2026-03-02T06:00,m,t,1,0,1,1\n"
    with pytest.raises(FindingsError) as caught:
        read(tmp_path / "u.csv", text)
    assert codes(caught.value) == {"NAIVE_TIMESTAMP"}
    found = read(tmp_path / "u.csv", text, time_zone="Europe/Paris")
    assert found.rows[0].start == HOUR
    with pytest.raises(FindingsError, match="ZONE_UNKNOWN"):
        read(tmp_path / "u.csv", text, time_zone="Paris")


def test_a_day_has_23_hours_and_an_hour_is_shown_twice_or_never(tmp_path: Path) -> None:
    text = "day,model,input_tokens,output_tokens\n2026-03-29,m,1,1\n2026-03-28,m,1,1\n"
    now = {"time_zone": "Europe/Paris"}
    first, second = read(tmp_path / "d.csv", text, **now).rows
    assert (first.end - first.start, second.end - second.start) == (
        timedelta(hours=23),
        timedelta(hours=24),
    )
    rows = "2026-03-29T02:30,m,t,1,0,1,1\n2025-10-26T02:30,m,t,1,0,1,1\n"
    text = f"{HEAD}\n{rows}2026-03-02T06:00,m,t,1,0,1,1\n"
    found = read(tmp_path / "h.csv", text, **now)
    assert [each.code for each in found.refused] == ["STAMP_NOT_IN_ZONE", "STAMP_TWICE"]


def test_rows_of_another_width_twice_and_unclosed_are_listed(tmp_path: Path) -> None:
    good = "2026-03-02T05:00Z,m,t,10,0,1,1"
    text = f'{HEAD}\n{good}\n{good}\n1,2,3\n\n{good[:-1]}2\n2026-03-02T05:00Z,"m,t,1,0,1,1\n'
    found = read(tmp_path / "u.csv", text)
    assert len(found.rows) == 2
    told = [(each.row, each.code) for each in found.refused]
    assert told[:2] == [(3, "DUPLICATE_ROW"), (4, "ROW_WIDTH")]
    assert told[2][1] == "ROW_UNREADABLE"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "IMPORT_EMPTY"),
        (f"{HEAD}\n".encode(), "IMPORT_EMPTY"),
        (b"[]", "IMPORT_EMPTY"),
        (b'[{"hour": ', "IMPORT_FILE_FORMAT"),
        (b'{"a": \n', "IMPORT_FILE_FORMAT"),
        (b"a,b\n1,2\n", "IMPORT_KIND_UNKNOWN"),
        (b"a,a\n1,2\n", "IMPORT_COLUMNS"),
        (b"\x00\x01\x02\x03", "IMPORT_FILE_FORMAT"),
        (gzip.compress(HEAD.encode() * 900)[:-20], "IMPORT_FILE_UNREADABLE"),
        (b"PAR1 and no more", "IMPORT_FILE_UNREADABLE"),
        (b"supplier,amount,currency\na,1,USD\n", "IMPORT_KIND_UNKNOWN"),
        (f"{HEAD}\nx,m,t,1,0,1,1\n2026-03-02T05:00Z,m,t,-1,0,1,1\n".encode(), "BAD_STAMP"),
    ],
)
def test_what_is_no_usage_file_is_an_error(tmp_path: Path, raw: bytes, code: str) -> None:
    with pytest.raises(FindingsError) as caught:
        read(tmp_path / "u.csv", raw)
    assert code in codes(caught.value)


def test_a_missing_file_and_missing_columns_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="IMPORT_FILE_MISSING"):
        read_usage(tmp_path / "none.csv", now=NOW, keys=KEYS)
    with pytest.raises(FindingsError) as caught:
        read(tmp_path / "u.csv", f"{HEAD}\n2026-03-02T05:00Z,m,t,1,0,1,1\n", "litellm")
    assert len(caught.value.findings) == 5  # all but the model
    assert "usage" in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("1.234.567", None, 1_234_567),
        ("1,234,567", None, 1_234_567),
        ("1 234 567", ".", 1_234_567),
        ("1\u202f234", None, 1_234),
        ("1'234", None, 1_234),
        ("1.234,5", None, 1_234.5),
        ("1,234.5", None, 1_234.5),
        ("1,234", ".", 1_234),
        ("1,234", ",", 1.234),
        ("1.234", ",", 1_234),
        ("0,125", None, 0.125),
        ("-12,5", None, -12.5),
        ("1e-5", None, 1e-5),
    ],
)
def test_numbers_in_the_marks_of_their_file(cell: str, mark: Any, value: float) -> None:
    assert float(number_of(cell, "amount", mark)) == value


@pytest.mark.parametrize(
    ("cell", "mark", "code"),
    [
        ("1.234", None, "AMBIGUOUS_NUMBER"),
        ("1,234", None, "AMBIGUOUS_NUMBER"),
        ("12.5", ",", "BAD_NUMBER"),
        ("1,23,456", ".", "BAD_NUMBER"),
        ("nan", ".", "BAD_NUMBER"),
        ("inf", None, "BAD_NUMBER"),
        ("", None, "BAD_NUMBER"),
    ],
)
def test_numbers_that_may_be_two_are_refused(cell: str, mark: Any, code: str) -> None:
    with pytest.raises(RowRefused) as caught:
        number_of(cell, "amount", mark)
    assert caught.value.code == code


def test_a_file_shows_its_mark_or_none() -> None:
    assert mark_of(["1.234", "5", "x,y"]) is None
    assert mark_of(["1.234", "0,5"]) == ","
    assert mark_of(["1,5", "1.5"]) is None


@given(st.integers(0, 10**15), st.sampled_from([".", ","]))
def test_a_count_reads_the_same_however_it_is_grouped(count: int, mark: Any) -> None:
    by = "," if mark == "." else "."
    for text in (f"{count}", f"{count:,}".replace(",", by), f"{count:,}".replace(",", " ")):
        assert number_of(text, "tokens", mark) == count


@given(
    st.lists(st.tuples(st.integers(-5, 50), st.integers(-5, 50), st.integers(0, 50)), min_size=1)
)
def test_every_row_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[int, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("u") / "u.csv"
    lines = [
        f"2026-03-02T05:00Z,m,t{at},{given},{cached},{made},1"
        for at, (given, cached, made) in enumerate(cells)
    ]
    path.write_text("\n".join([HEAD, *lines]))
    good = [c for c in cells if c[0] >= 0 and 0 <= c[1] <= c[0]]
    if not good:
        with pytest.raises(FindingsError):
            read_usage(path, now=NOW, keys=KEYS)
        return
    found = read_usage(path, now=NOW, keys=KEYS)
    assert len(found.rows) == len(good)
    assert found.refused_count == len(cells) - len(good) == len(found.refused)
    assert sum(row.input_tokens for row in found.rows) == sum(c[0] for c in good)


def test_rows_stream_without_being_held(tmp_path: Path) -> None:
    """The first row comes while a later one, that cannot be read, still lies ahead."""
    path = tmp_path / "u.jsonl"
    row = {"hour": "2026-03-02T05:00Z", "model": "m", "input_tokens": 1, "output_tokens": 1}
    lines = [json.dumps(row | {"tenant": f"t{at}"}) for at in range(5_000)]
    path.write_text("\n".join([*lines, "not json"]))
    with stream_usage(path, now=NOW, keys=KEYS) as stream:
        assert next(stream.rows).tenant == "t0"
        assert not stream.refusals.count
        assert sum(1 for _ in stream.rows) == 4_999
        assert stream.refusals.counts == {"ROW_UNREADABLE": 1}


@pytest.mark.parametrize("stamp", ["9999-12-31", "²²²²²²²²²²", "9" * 5000, "2200-01-02"])
def test_a_stamp_outside_the_calendar_refuses_its_row(tmp_path: Path, stamp: str) -> None:
    rows = [f"{day},m,a,1,0,2,1" for day in ("2026-03-02", stamp)]
    text = "\n".join([HEAD.replace("hour", "day"), *rows])
    found = read(tmp_path / "u.csv", text, time_zone="Europe/Paris")
    assert len(found.rows) == 1
    assert [each.code for each in found.refused] == ["BAD_STAMP"]


def test_lines_of_json_may_be_broken_at_the_first(tmp_path: Path) -> None:
    good = '{"hour":"2026-03-02T05:00Z","model":"m","input_tokens":1,"output_tokens":2}'
    for at in range(3):
        lines = [good, good.replace("05:", "06:")]
        lines.insert(at, good[:30])
        found = read(tmp_path / f"{at}.jsonl", "\n".join(lines))
        assert len(found.rows) == 2
        assert [(each.row, each.code) for each in found.refused] == [(at + 1, "ROW_UNREADABLE")]


def test_json_nested_without_end_is_refused_as_a_file(tmp_path: Path) -> None:
    text = '{"a":' * 100_000 + "1" + "}" * 100_000
    with pytest.raises(FindingsError, match="IMPORT_FILE_FORMAT"):
        read(tmp_path / "u.jsonl", text)


def test_a_folder_and_a_company_file_are_told_as_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="it is a folder"):
        read_usage(tmp_path, keys=KEYS)
    with pytest.raises(FindingsError, match="it is a YAML file"):
        read(tmp_path / "company.yaml", "company: Meridian\n")
