"""The verb `thesis`: its table, its JSON, its exit status, and the options for prices."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from commands import tokenergy

from tokenergy.cli.show_thesis import rates, significant
from tokenergy.errors import InputError


def table(file: Path, zones: Sequence[str]) -> Path:
    """Write four weeks of prices, free at night."""
    rows = [",".join(("utc", *zones))]
    for hour in range(28 * 24):
        stamp = datetime(2025, 3, 1) + timedelta(hours=hour)
        price = 0 if hour % 24 < 6 else 40 + hour % 24
        rows.append(",".join((f"{stamp:%Y-%m-%dT%H:%MZ}", *[str(price)] * len(zones))))
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def test_the_table_says_synthetic_first_and_a_no_with_its_reason(inside) -> None:
    done = inside("thesis", "--only", "T1,T12,T14")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("SYNTHETIC prices, so nothing on them is evidence")
    heads = next(line for line in lines if line.startswith("id "))
    assert heads.split()[:2] == ["id", "claim"]
    assert any(line.startswith("T1 ") and "PASS" in line for line in lines)
    assert any(line.startswith("T14 FAIL: Waiting for free power") for line in lines)
    assert lines[-1] == "2 of 3 hold; 1 do not: T14."


def test_what_cannot_be_told_says_why_and_is_no_no(inside, tmp_path: Path) -> None:
    table(tmp_path / "p.csv", ["US-A", "US-B", "US-C"])
    words = ("thesis", "--only", "T1,T7", "--prices", "p.csv")
    done = inside(*words, "--strict")
    lines = done.out.splitlines()
    assert any(line.startswith("T7 n/a: 672 h of prices are too few") for line in lines)
    assert lines[-1] == "1 of 2 hold; 1 cannot be told yet: T7."
    assert done.status == 0


@pytest.mark.slow  # runs claims by the command
def test_the_table_fits_a_narrow_terminal(tmp_path: Path) -> None:
    done = tokenergy("thesis", "--only", "T4,T14", cwd=tmp_path, columns=80)
    assert done.status == 0
    assert max(map(len, done.out.splitlines())) <= 80


def test_what_an_experiment_says_of_its_presets_is_shown(inside) -> None:
    out = inside("thesis", "--only", "T3,T14").out
    assert "T3 warning PRESET_UNVERIFIED sora_cantor: " in out
    assert out.count("PRESET_UNVERIFIED catalogue.ranges") == 1  # for all experiments at once


def test_the_json_has_the_keys_of_the_issue_and_is_the_same_again(inside) -> None:
    done = inside("thesis", "--only", "T1,T12,T14", "--json")
    told = done.json()
    assert (done.status, done.err) == (0, "")
    for result in told["results"]:
        assert {"id", "claim", "label", "number", "threshold", "verdict"} <= set(result)
    assert told["synthetic"]
    assert inside("thesis", "--only", "T1,T12,T14", "--json").out == done.out


@pytest.mark.parametrize("text", ["", ",", " , "])
@pytest.mark.parametrize("option", ["--only", "--zones"])
def test_an_option_that_names_nothing_is_not_left_out(inside, option: str, text: str) -> None:
    done = inside("thesis", option, text)
    assert (done.status, done.out) == (2, "")
    assert f"{option} {text!r} names nothing" in done.err


def test_a_no_is_an_answer_unless_strict(inside) -> None:
    assert inside("thesis", "--only", "T14").status == 0
    assert inside("thesis", "--only", "T14", "--strict").status == 1
    assert inside("thesis", "--only", "T14", "--strict", "--json").status == 1
    assert inside("thesis", "--only", "T1,T12", "--strict").status == 0


def test_prices_of_a_file(inside, tmp_path: Path) -> None:
    table(tmp_path / "p.csv", ["US-A", "B", "C", "D"])
    words = ("thesis", "--only", "T14", "--prices", "p.csv", "--usd-per", "B=1.5")
    told = inside(*words, "--usd-per", "C=2", "--json").json()
    assert told["synthetic"] == []
    assert told["zones"] == ["US-A", "B", "C"]
    assert told["prices_source"].endswith("stated rates: B x 1.5 USD, C x 2 USD")
    assert told["results"][0]["label"] == "evidence"
    codes = [warning["code"] for warning in told["warnings"]]
    assert codes == ["CURRENCY_UNSTATED", "PRICES_SHORT", "PRESET_UNVERIFIED"]
    said = inside(*words, "--usd-per", "C=2", "--zones", "US-A,B,C")
    assert "SYNTHETIC" not in said.out
    assert "warning PRICES_SHORT prices: less than a year" in said.out


def test_mixed_currencies_are_refused(inside, tmp_path: Path) -> None:
    table(tmp_path / "p.csv", ["US-A", "B", "C", "D"])
    done = inside("thesis", "--prices", "p.csv", "--zones", "US-A,B,C")
    assert (done.status, done.out) == (2, "")
    assert done.err.count("CURRENCY_MIXED") == 2
    told = inside("thesis", "--prices", "p.csv", "--zones", "US-A,B,C", "--json")
    assert told.status == 2
    assert told.json()["errors_count"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "T15,U"), "unknown experiments: 'T15', 'U'; known: T1, T2"),
        (("--prices", "no.csv"), "PRICES_FILE_MISSING"),
        (("--zones", "US-A"), "name it (--prices)"),
        (("--usd-per", "DE-LU"), "write ZONE=RATE"),
        (("--seed", "-1"), "the seed is 0 or more, not -1"),
    ],
)
def test_what_is_refused(inside, words: tuple[str, ...], said: str) -> None:
    done = inside("thesis", *words)
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert said in done.err


def test_rates_are_read_and_all_faults_named() -> None:
    assert rates(["DE-LU=1.08", " FR = 2 ", "a=b=3"]) == {"DE-LU": 1.08, "FR": 2.0, "a=b": 3.0}
    with pytest.raises(InputError) as refused:
        rates(["A=1", "A=2", "=3", "B", "C=x"])
    assert "'A=2', '=3', 'B', 'C=x'" in str(refused.value)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0"), (0.0062834, "0.00628"), (2.3456, "2.35"), (-12345.6, "-12,346"), (100.0, "100")],
)
def test_three_digits_that_mean_something(number: float, text: str) -> None:
    assert significant(number) == text
