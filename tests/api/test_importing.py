"""Importing end to end: counts, refusals, tables that appear whole or not at all."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from tokenergy.api.importing import Imported, import_file
from tokenergy.cli.importing import import_
from tokenergy.errors import FindingsError, InputError

NOW = datetime(2026, 4, 1, tzinfo=UTC)
HEAD = "hour,model,tenant,input_tokens,output_tokens,cost_usd"


def usage(folder: Path, *rows: str, **options: Any) -> Imported:
    (folder / "u.csv").write_text("\n".join([HEAD, *rows]))
    return import_file("usage", folder / "u.csv", now=NOW, salt_folder=folder / "s", **options)


ROWS = ("2026-03-02T05:00Z,m,blue,10,4,0.5", "2026-03-02T05:00Z,m,,7,3,")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_is_written_with_its_types(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"o.{ending}"
    imported = usage(tmp_path, *ROWS, "2026-03-02T05:00Z,m,red,-1,3,", out=out)
    assert (imported.rows_count, imported.refused_count, imported.wrote) == (2, 1, str(out))
    assert imported.sums["input_tokens"] == 17 and imported.sums["spend_usd"] == 0.5
    assert "requests_count" not in imported.sums  # never told as 0
    assert sorted(each.name for each in tmp_path.iterdir()) == [out.name, "s", "u.csv"]
    if ending == "parquet":
        table = pl.read_parquet(out)
        assert table["start"].dtype == pl.Datetime("us", "UTC")
        assert table["tenant"].to_list() == ["blue", ""]
        assert table["spend_usd"].to_list() == [0.5, None]
        assert table["start"][0] == datetime(2026, 3, 2, 5, tzinfo=UTC)
        assert table["requests_count"].to_list() == [None, None]
        assert table.schema["input_tokens"] == pl.Int64


def test_what_was_written_can_be_read_again(tmp_path: Path) -> None:
    usage(tmp_path, *ROWS, out=tmp_path / "o.parquet")
    again = import_file("usage", tmp_path / "o.parquet", now=NOW, salt_folder=tmp_path / "s")
    assert (again.rows_count, again.sums["output_tokens"]) == (2, 7)


def test_nothing_is_left_where_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="NEGATIVE_COUNT"):
        usage(tmp_path, "2026-03-02T05:00Z,m,red,-1,3,", out=tmp_path / "o.csv")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["s", "u.csv"]


@pytest.mark.parametrize("out", ["o.xlsx", "no/o.csv", "u.csv"])
def test_a_place_that_cannot_be_written_is_told_first(tmp_path: Path, out: str) -> None:
    with pytest.raises(InputError, match=r"cannot write|exists already"):
        usage(tmp_path, *ROWS, out=tmp_path / out)


def test_refusals_are_listed_to_twenty_and_counted_beyond(tmp_path: Path) -> None:
    bad = [f"2026-03-02T05:00Z,m,t{at},-1,3," for at in range(30)]
    imported = usage(tmp_path, *ROWS, *bad)
    told = imported.to_dict()
    assert (len(imported.refused), imported.refused_count) == (20, 30)
    assert told["refused_not_listed_count"] == 10
    assert json.dumps(told["refused"]) and told["refused_counts"] == {"NEGATIVE_COUNT": 30}
    assert any("and 10 more" in line for line in imported.lines())


def test_unknown_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="litellm"):
        import_file("excel", tmp_path / "u.csv")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="decimal mark"):
        import_file("usage", tmp_path / "u.csv", mark=";")  # type: ignore[arg-type]


def test_invoices_and_points_are_tables_too(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text(
        "supplier,invoice_id,start,end,site,component,amount,currency\n"
        "grid,A,2026-03-01T00:00Z,2026-04-01T00:00Z,paris,energy,100,EUR\n"
    )
    imported = import_file(
        "invoices", tmp_path / "i.csv", out=tmp_path / "i.parquet", rates={"EUR": 1.08}
    )
    assert imported.sums == {"invoiced_usd": 108.0}
    assert pl.read_parquet(tmp_path / "i.parquet")["amount_nano_usd"].to_list() == [108 * 10**9]
    row = {
        "model": "m", "hardware": "h200", "conc": 4, "tp": 8,
        "power_valid": 1, "power_metric_schema_version": 2, "joules_per_output_token": 2.5,
    }  # fmt: skip
    (tmp_path / "b.jsonl").write_text(json.dumps(row))
    import_file("inferencex", tmp_path / "b.jsonl", out=tmp_path / "b.parquet")
    table = pl.read_parquet(tmp_path / "b.parquet")
    assert (table["batch_count"][0], table["boundary"][0]) == (4.0, "gpu")


def test_the_command_prints_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command("import")(import_)
    (tmp_path / "u.csv").write_text("\n".join([HEAD, *ROWS]))
    given = ["usage", "u.csv", "--out", "o.parquet", "--json"]
    answer = CliRunner().invoke(app, given)
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["rows_count"] == 2
    assert Path("o.parquet").is_file() and Path(".tokenergy/salt").is_file()
    shown = CliRunner().invoke(app, ["usage", "u.csv"])
    assert "2 rows of usage, 0 refused" in shown.stdout
    wrong = CliRunner().invoke(app, ["invoices", "u.csv", "--rate", "EUR"])
    assert isinstance(wrong.exception, InputError)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_formula_in_a_name_is_text_in_the_table_and_itself_when_read(
    tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"o.{ending}"
    usage(tmp_path, "2026-03-02T05:00Z,=1+1,-acme,10,4,", out=out)
    if ending == "csv":
        assert "'=1+1,'-acme," in out.read_text()
    else:
        assert pl.read_parquet(out)["model"].to_list() == ["=1+1"]
    import_file("usage", out, now=NOW, salt_folder=tmp_path / "s", out=tmp_path / "p.parquet")
    again = pl.read_parquet(tmp_path / "p.parquet")
    assert again.select("model", "tenant").row(0) == ("=1+1", "-acme")


def test_a_refused_row_is_told_once(tmp_path: Path) -> None:
    shown = list(usage(tmp_path, *ROWS, "2026-03-02T05:00Z,m,red,-1,3,").lines())
    assert len([line for line in shown if "NEGATIVE_COUNT" in line]) == 1
