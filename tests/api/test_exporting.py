"""`export`: one small company's ledger as files that pass, said in findings what they lack."""

import csv
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from commands import SMALL
from ledger_rows import two_hours

import tokenergy as te
from tokenergy.api.exporting import Exported, export
from tokenergy.errors import FindingsError, InputError
from tokenergy.store.sqlite import SqliteLedger


@pytest.fixture(scope="module")
def opened() -> te.OpenCompany:
    return te.load(SMALL, days=1)


@pytest.fixture(scope="module")
def ledger(opened: te.OpenCompany, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("export") / "small.sqlite"
    te.simulate(opened, policies=("nearest", "mpc"), ledger=file)
    return file


@pytest.mark.parametrize("version", ["1.2", "1.4"])
@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_a_simulated_ledger_passes(opened, ledger, tmp_path, version, format):
    out = tmp_path / "f"
    done = export("focus", opened, ledger=ledger, version=version, format=format, out=out)
    assert done.conformance is not None and done.conformance.failures == ()
    assert done.rows_count == done.conformance.rows_count > 100
    assert done.run_id.endswith("/mpc") and not done.simulated
    assert "FOCUS_SIMULATED" in {finding.code for finding in done.findings}


def test_power_is_billed_as_the_ledger_was_settled(opened, ledger, tmp_path):
    out = tmp_path / "f.parquet"
    done = export("focus", opened, ledger=ledger, format="parquet", out=out, basis="usage")
    with SqliteLedger(ledger, read_only=True) as held:
        sums = {row.group["kind"]: row for row in held.sums(["kind"], run_id=done.run_id)}
    table = pl.read_parquet(out)
    power = table.filter(pl.col("ResourceType") == "Power contract")["BilledCost"].sum()
    assert power == pytest.approx(sums["settlement"].amount_usd, rel=1e-9)
    assert done.totals_usd["power_settled_usd"] == pytest.approx(power, rel=1e-9)
    tokens = table.filter(pl.col("SkuMeter") == "Output Tokens")["PricingQuantity"].sum()
    assert tokens == pytest.approx(sums["interval"].served_mtok * 1e6, rel=1e-9)


def test_without_a_ledger_it_simulates_and_says_so(opened, tmp_path):
    file = tmp_path / "new" / "l.sqlite"
    done = export("focus", opened, ledger=file, out=tmp_path / "f.csv")
    assert done.simulated and file.is_file() and "there was no ledger" in str(done)
    again = export("focus", opened, ledger=file, out=tmp_path / "f.csv")  # replaces its own
    assert not again.simulated and again.rows_count == done.rows_count
    assert done.to_dict()["conformance"]["passed"] is True


def test_what_is_no_export_is_not_replaced(opened, ledger, tmp_path):
    for name, text in {"a.csv": b"mine", "b.parquet": b"PAR1"}.items():
        out = tmp_path / name
        out.write_bytes(text)
        with pytest.raises(InputError, match="exists already"):
            export("focus", opened, ledger=ledger, out=out, format=name[2:])
        assert out.read_bytes() == text


def test_contracts_and_events(opened, ledger, tmp_path):
    contracts = export("focus-contracts", opened, out=tmp_path / "c.csv")
    assert contracts.version == "1.4" and contracts.conformance is not None
    assert contracts.conformance.passed
    assert [finding.code for finding in contracts.findings] == ["COMMITMENT_OPEN_ENDED"]
    events = export("cloudevents", opened, ledger=ledger, out=tmp_path / "e.jsonl")
    assert events.rows_count == 0
    assert [finding.code for finding in events.findings] == ["CLOUDEVENTS_NONE"]
    assert export("cloudevents", opened, ledger=ledger, out=tmp_path / "e.jsonl").rows_count == 0


def test_a_run_is_named_or_chosen(opened, ledger, tmp_path):
    with SqliteLedger(ledger, read_only=True) as held:
        runs = held.runs()
    nearest = next(run for run in runs if run.endswith("/nearest"))
    done = export("focus", opened, ledger=ledger, run=nearest, out=tmp_path / "f.csv")
    assert done.run_id == nearest
    with pytest.raises(InputError, match="holds no run 'x'"):
        export("focus", opened, ledger=ledger, run="x", out=tmp_path / "f.csv")
    with pytest.raises(InputError, match="no ledger"):
        export("focus", opened, ledger=tmp_path / "no.sqlite", run="x", out=tmp_path / "g.csv")


def observed(opened: te.OpenCompany, file: Path) -> Exported:
    with SqliteLedger(file) as held:
        held.append(two_hours())
    return export("focus", opened, ledger=file, out=file.with_name("f.csv"))


def test_an_observed_ledger_is_priced_by_tier(opened, tmp_path):
    """No workload of the company is called `chat-us`: the price of the tier stands in, 8 USD."""
    done = observed(opened, tmp_path / "l.sqlite")
    with done.file.open(newline="") as held:
        tokens = [row for row in csv.DictReader(held) if row["SkuMeter"] == "Output Tokens"]
    assert [float(row["BilledCost"]) for row in tokens] == [16.0, 8.0, 4.0]
    assert "FOCUS_LIST_MISSING" in {finding.code for finding in done.findings}


def test_marginal_is_refused_where_the_ledger_has_none(opened, ledger, tmp_path):
    out = tmp_path / "f.csv"
    with pytest.raises(FindingsError, match="BASIS_UNKNOWN"):
        export("focus", opened, ledger=ledger, basis="marginal", out=out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"kind": "xls"}, "focus, focus-contracts, cloudevents"),
        ({"kind": "focus", "version": "1.0"}, r"1\.2 or 1\.4"),
        ({"kind": "focus", "format": "xls"}, "csv, parquet, jsonl"),
        ({"kind": "focus", "basis": "best"}, "usage, allocation, marginal"),
        ({"kind": "focus-contracts", "version": "1.2"}, "has no contract commitments"),
        ({"kind": "cloudevents", "format": "csv"}, "jsonl"),
    ],
)
def test_unknown_words_are_refused_before_any_work(opened, tmp_path, words, said):
    with pytest.raises(InputError, match=said):
        export(**{"company": opened, "out": tmp_path / "f", **words})
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_the_name_is_the_format(opened, ledger, tmp_path):
    done = export("focus", opened, ledger=ledger, out=tmp_path / "f.parquet")
    assert done.format == "parquet" and pl.read_parquet(done.file).height == done.rows_count
    with pytest.raises(InputError, match=r"ends in \.parquet and the format is csv"):
        export("focus", opened, ledger=ledger, format="csv", out=tmp_path / "g.parquet")


def test_a_draft_is_called_one(opened, ledger, tmp_path):
    draft = export("focus", opened, ledger=ledger, version="1.4", out=tmp_path / "d.csv")
    usual = export("focus", opened, ledger=ledger, out=tmp_path / "f.csv")
    assert str(draft).startswith("focus 1.4 (a draft): ") and draft.to_dict()["draft"] is True
    assert str(usual).startswith("focus: ") and usual.to_dict()["draft"] is False


def test_the_sides_of_the_file_add_up_and_are_told_apart(opened, ledger, tmp_path):
    """What tokens bear and what no token bears are what is billed to the company."""
    done = export("focus", opened, ledger=ledger, out=tmp_path / "f.csv")
    usd = done.totals_usd
    borne = usd["borne_by_tokens_usd"] + usd["borne_by_no_token_usd"]
    assert borne == pytest.approx(usd["billed_to_us_usd"], rel=1e-9)
    table = pl.read_csv(done.file, infer_schema_length=None)
    own = table.filter(pl.col("x_CostBasis") == "invoice")
    assert own["BilledCost"].sum() == pytest.approx(usd["billed_to_us_usd"], rel=1e-9)
    rest = table.filter(pl.col("x_CostBasis") != "invoice")
    assert rest["BilledCost"].sum() == pytest.approx(usd["billed_for_tokens_usd"], rel=1e-9)
    assert "FOCUS_TWO_SIDES" in {finding.code for finding in done.findings}
    assert "USD" in str(done) and done.to_dict()["currency"] == "USD"


def test_findings_say_where_and_what_to_do(opened, tmp_path):
    told = str(export("focus-contracts", opened, out=tmp_path / "c.csv"))
    assert "COMMITMENT_OPEN_ENDED at contracts[3]" in told and "State start and end" in told


def test_the_ledger_of_another_company_is_refused(opened, ledger, tmp_path):
    other = replace(opened, company=opened.company.model_copy(update={"company": "Other"}))
    with SqliteLedger(ledger, read_only=True) as held:
        run = held.runs()[0]
    for named in (None, run):
        with pytest.raises(InputError, match="tells of another company than 'Other'"):
            export("focus", other, ledger=ledger, run=named, out=tmp_path / "f.csv")
    with pytest.raises(InputError, match="it is a folder"):
        export("focus", opened, ledger=tmp_path, out=tmp_path / "f.csv")
    assert list(tmp_path.iterdir()) == []
