"""The ledger's rows of a window: known figures only, rounded once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.finding import Finding
from tokenergy.company.ledger import UNIQUE_KEY
from tokenergy.company.usage import UsageRow
from tokenergy.metering.entries import EngineRow, engine_entries, finding_entries, usage_entries

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
END = START + timedelta(seconds=60)
ROW = EngineRow(
    engine="paris-1", start=START, end=END, site="paris", model="small", accelerator="H100",
    workload="chat", tier="chat", input_tokens=36_000, cached_tokens=18_000, output_tokens=18_000,
    energy_tier="measured", reason="host modelled: 150 W",
    joules={"gpu": 21_900.0, "host": 9_000.0, "idle": 2_100.0, "overhead": 6_600.0},
    usd={"energy": 0.0011, "gpu_rent": 0.0333333333333, "facility": None, "staff": 0.02},
)  # fmt: skip


def key(row):
    return tuple(getattr(row, name) for name in UNIQUE_KEY)


def usage(source, output=5, **more):
    return UsageRow(start=START, end=END, model="small", input_tokens=1, output_tokens=output,
                    source=source, **more)  # fmt: skip


def test_a_window_in_rows():
    """0.018 Mtok out; 39,600 J in four parts; 1/30 USD of rent is 33,333,333 nano-dollars."""
    rows = list(engine_entries("Little/observe", ROW))
    by_name = {(row.kind, row.component): row for row in rows}
    assert by_name["interval", "serve"].quantity == 0.018
    assert by_name["interval", "cached_input"].quantity == 0.018
    assert by_name["interval", "gpu_rent"].amount_nano_usd == 33_333_333
    assert ("interval", "facility") not in by_name
    assert sum(row.energy_microjoules for row in rows) == 39_600_000_000
    assert {row.boundary for row in rows if row.kind == "meter"} == {"facility"}
    assert {(row.source, row.part, row.policy) for row in rows} == {
        ("observe", "paris-1", "as_observed")
    }


def test_what_nobody_knows_leaves_no_row():
    nothing = replace(
        ROW, input_tokens=None, cached_tokens=None, output_tokens=None,
        joules=dict.fromkeys(ROW.joules), usd=dict.fromkeys(ROW.usd),
    )  # fmt: skip
    assert list(engine_entries("r", nothing)) == []
    known = replace(nothing, output_tokens=0)
    assert [row.quantity for row in engine_entries("r", known)] == [0.0]


def test_no_two_rows_of_windows_and_engines_have_one_key():
    ones = [
        replace(ROW, engine=engine, start=start, end=start + timedelta(seconds=60))
        for engine in ("paris-1", "paris-2")
        for start in (START, END)
    ]
    rows = [row for one in ones for row in engine_entries("r", one)]
    assert len({key(row) for row in rows}) == len(rows)


@given(
    usd=st.dictionaries(
        st.sampled_from(["energy", "gpu_rent", "staff"]), st.floats(-1e6, 1e6), max_size=3
    )
)
def test_each_amount_is_rounded_once(usd):
    rows = engine_entries("r", replace(ROW, usd=usd, joules={}))
    paid = {row.component: row.amount_nano_usd for row in rows if row.unit == ""}
    assert paid == {name: round(amount * 1e9) for name, amount in usd.items()}


def test_usage_is_known_by_what_it_says():
    """Row 1 of one export is row 7 of another; of twins in one file there are two."""
    first = list(usage_entries("r", iter([usage("a.csv:1"), usage("a.csv:2")])))
    later = list(usage_entries("r", iter([usage("b.csv:7"), usage("b.csv:8", output=6)])))
    assert len({key(row) for row in first}) == 2
    assert key(first[0]) == key(later[0])
    assert key(later[1]) not in {key(row) for row in first}
    tenants = [usage("c.csv:1", tenant="acme"), usage("c.csv:2", tenant="beta")]
    assert len({key(row) for row in usage_entries("r", iter(tenants))}) == 2
    assert first[0].reason == "a.csv:1"


def test_findings_of_one_code_and_place_are_two():
    twice = (Finding(code="X", path="p", reason="a", remedy="r"),) * 2
    rows = list(finding_entries("r", twice, start=START, end=END))
    assert len({key(row) for row in rows}) == 2
