"""The verb `economics`, by someone who breaks things: odd companies, ledgers, pipes, widths."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL, Ended, tokenergy

from tokenergy.company.ledger import LedgerEntry
from tokenergy.store.sqlite import SqliteLedger

KEYS = (
    "usd_per_mtok_full", "usd_per_mtok_marginal", "share_kwh", "share_powered_capacity",
    "share_silicon", "mw_binds_h", "margin_by_tier", "share_unprofitable",
    "break_even_conversion", "n_star", "unused_capacity_usd",
)  # fmt: skip


def changed(folder: Path, source: Path = SMALL, **tiers: dict[str, Any]) -> Path:
    """Write a company of one day in which the named tiers are changed."""
    company = yaml.safe_load(source.read_text(encoding="utf-8"))
    company["horizon"]["days"] = 1
    for tier in company["tiers"]:
        for key, value in tiers.get(tier["name"], {}).items():
            tier.pop(key, None) if value is None else tier.update({key: value})
    file = folder / "changed.yaml"
    file.write_text(yaml.safe_dump(company, sort_keys=False), encoding="utf-8")
    return file


USERS = {"count": 1_000_000, "top_tenth_share": 0.65, "churn_share_per_month": 0.05,
         "acquisition_usd_per_user": 8.0}  # fmt: skip
FREE = {"price_usd_per_mtok": 0, "value": None, "from_conversion": {"uplift_share": 1e-7,
        "ltv_usd": 100}, "users": {"count": 3_000_000, "top_tenth_share": 0.65}}  # fmt: skip


def panels(done: Ended) -> dict[str, list[str]]:
    """Return the lines of each numbered panel."""
    assert (done.status, done.err) == (0, "")
    found: dict[str, list[str]] = {}
    at = "0"
    for line in done.out.splitlines():
        at = line[0] if re.match(r"\d  [A-Z]", line) else at
        found.setdefault(at, []).append(line)
    return found


# ---- the keys, and the ways that users may be missing ------------------------------------


def test_the_keys_are_there_with_paying_and_free_users(inside, tmp_path: Path) -> None:
    told = inside("economics", changed(tmp_path, chat={"users": USERS}, nightly=FREE), "--json")
    assert told.status == 0
    held = told.json()
    assert set(KEYS) <= set(held)
    shares = held["share_kwh"] + held["share_powered_capacity"] + held["share_silicon"]
    assert 0.0 < shares <= 1.0 + 1e-12
    tiers = sum(tier["full_margin_usd"] for tier in held["margin_by_tier"])
    company = held["company_margin"]
    assert tiers - held["unused_capacity_usd"] - company["staff_usd"] == pytest.approx(
        company["margin_usd"], rel=1e-6
    )
    assert held["paid_share"] == 0.25
    assert held["share_unprofitable"] == pytest.approx(0.75)  # all of the free ones


def test_a_company_without_users_says_so_and_leaves_no_hole(inside) -> None:
    found = panels(inside("economics", SMALL))
    assert list(found) == [str(number) for number in range(10)]
    assert "who holds it" in found["3"][0]
    assert "no tier has users" in found["4"][0]
    text = "\n".join(line for lines in found.values() for line in lines)
    assert "\n\n\n" not in text
    assert "Along the path" not in text


@pytest.mark.parametrize(
    ("tiers", "words"),
    [
        ({"nightly": FREE}, ["none pay", "warning NO_PAYING_USERS"]),
        ({"chat": {"users": USERS}}, ["all pay", "paid back in"]),
        (
            {
                "chat": {
                    "price_usd_per_mtok": None,
                    "price_usd_per_user_month": 20,
                    "value": None,
                    "value_usd_per_mtok": 8,
                    "users": USERS | {"count": 1},
                }
            },
            ["all pay"],
        ),
        (
            {
                "chat": {
                    "price_usd_per_mtok": None,
                    "price_usd_per_user_month": 0,
                    "value": None,
                    "value_usd_per_mtok": 8,
                    "users": USERS | {"churn_share_per_month": 1, "top_tenth_share": 0.999},
                }
            },
            ["none pay", "never paid back"],
        ),
        ({"chat": {"users": USERS | {"top_tenth_share": 0.1, "churn_share_per_month": 0}}}, []),
    ],
)
def test_odd_audiences_are_told_as_they_are(
    inside, tmp_path: Path, tiers: dict[str, dict[str, Any]], words: list[str]
) -> None:
    done = inside("economics", changed(tmp_path, **tiers))
    assert done.status == 0
    for word in words:
        assert word in done.out
    assert not re.search(r"\b(nan|inf|None)\b", done.out)
    assert "-0.00%" not in done.out


def test_nothing_served_is_told_without_a_table_of_nothing(inside, tmp_path: Path) -> None:
    nothing = {
        "price_usd_per_mtok": 0,
        "value": None,
        "value_usd_per_mtok": 0,
        "must_serve": False,
        "quality_floor_share": None,
    }
    found = panels(inside("economics", changed(tmp_path, chat=nothing, nightly=nothing)))
    assert found["5"] == ["5  Levers: no token was served, so nothing moves its cost.", ""]
    told = inside("economics", changed(tmp_path, chat=nothing, nightly=nothing), "--json").json()
    assert told["usd_per_mtok_full"] is told["share_kwh"] is None
    assert told["unused_capacity_usd"] > 0.0


def test_the_panels_say_their_bases_and_words(inside, tmp_path: Path) -> None:
    growth = {"months": 13, "logistic": {"limit_ratio": 2, "rate_share_per_year": 1},
              "token_price_decline_share_per_year": 0.3}  # fmt: skip
    file = changed(tmp_path, chat={"users": USERS, "fixed_usd_per_year": 1e6}, nightly=FREE)
    company = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(company | {"growth": growth}), encoding="utf-8")
    found = {name: "\n".join(lines) for name, lines in panels(inside("economics", file)).items()}
    assert "in `all` staff and what is fixed for a tier besides" in found["2"]
    assert "5th to 95th percentile" in found["2"]
    assert "A month by what tokens use, capital in it: A paying user leaves" in found["3"]
    assert (
        "of subscriptions that free requests are believed to bring are in no margin" in found["3"]
    )
    assert "lifetime value is" in found["3"]
    assert "with perfect foresight" in found["4"]
    assert "to come: subscriptions" in found["4"]
    assert "price x" in found["4"]
    assert "tokens x" not in found["4"]  # that knob stands still
    assert re.search(r"^12 ", found["4"], re.MULTILINE)  # the last month is shown
    assert "Hedge ratio: contracted MWh over the load" in found["9"]


def test_a_warning_of_the_heading_is_not_said_again(inside, tmp_path: Path) -> None:
    out = inside("economics", changed(tmp_path, nightly=FREE)).out
    codes = re.findall(r"^warning (\S+ \S+):", out, re.MULTILINE)
    assert "NO_PAYING_USERS" in " ".join(codes)
    assert len(codes) == len(set(codes))


# ---- two curves, and the free tier's turn ------------------------------------------------


def test_sora_like_shows_both_curves_and_where_the_free_tier_turns(sora_shown: str) -> None:
    found = panels(Ended(status=0, out=sora_shown, err=""))["4"]
    head = next(line for line in found if line.startswith("users "))
    assert head.split()[:2] == ["users", "profit"]
    assert "restrained" in head
    text = "\n".join(found)
    turn = re.search(r"Today: At ([\d,]+) users .* one more user begins to lose", text)
    assert turn is not None
    assert int(turn[1].replace(",", "")) < 1_400_000  # today's users are past it
    assert "of 1,400,000 users 1,280,000 stay" in text
    assert "of subscriptions to come are lost" in text
    assert re.search(
        r"With restraint: The company makes a loss up to [\d,]+(?: users)?, a profit", text
    )


# ---- ledgers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "there is no ledger a.sqlite"),
        ("folder", "a.sqlite is a folder"),
        ("hello", "file is not a database"),
        ("", "is no ledger of version 1"),
    ],
)
def test_what_is_no_ledger_is_refused_in_both_forms(
    inside, tmp_path: Path, made: str | None, said: str
) -> None:
    if made == "folder":
        (tmp_path / "a.sqlite").mkdir()
    elif made is not None:
        (tmp_path / "a.sqlite").write_text(made, encoding="utf-8")
    done = inside("economics", SMALL, "--ledger", "a.sqlite")
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    told = inside("economics", SMALL, "--ledger", "a.sqlite", "--json")
    assert (told.status, said in told.json()["error"]) == (2, True)


@pytest.mark.parametrize(
    "words", [("--days", 0), ("--days", "nan"), ("--from", "yesterday"), ("--from", "2026-03-02")]
)
def test_other_horizons_are_refused_where_they_are_none(inside, words: tuple[object, ...]) -> None:
    done = inside("economics", SMALL, *words)
    assert (done.status, done.out) == (2, "")
    assert "Traceback" not in done.err


# ---- how it looks ------------------------------------------------------------------------


@pytest.mark.slow  # the economics of a company, by the command
def test_in_a_narrow_terminal_sentences_break_and_figures_stay(tmp_path: Path) -> None:
    file = changed(tmp_path, chat={"users": USERS}, nightly=FREE)
    wide = tokenergy("economics", file.name, cwd=tmp_path).out
    done = tokenergy("economics", file.name, cwd=tmp_path, columns=60)
    assert done.status == 0
    assert "…" not in done.out
    assert set(wide.replace("─", "").split()) == set(done.out.replace("─", "").split())
    said = [line for line in done.out.splitlines() if "  " not in line and "─" not in line]
    assert max(map(len, said)) <= 60


@pytest.mark.slow  # the economics of a company, by the command
def test_another_currency_is_in_the_answer(inside, tmp_path: Path) -> None:
    file = changed(tmp_path, chat={"users": USERS})
    company = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(company | {"currency": "EUR"}), encoding="utf-8")
    out = inside("economics", file).out
    assert "money is in EUR" in out
    answer = out.split("Does it pay?\n")[1].splitlines()[:5]
    assert not any("USD" in line for line in answer)
    assert "EUR/Mtok" in out
    for verb in ("economics", "price", "dispatch", "simulate"):
        said = inside(verb, file).out.splitlines()
        assert not [each for each in said if "USD" in each and not each.startswith("warning")]
    assert "EUR" in answer[0] + answer[2]


@pytest.mark.slow  # a whole demo by the command
def test_the_demo_ends_with_the_answer_in_five_lines(inside) -> None:
    lines = inside("demo", SMALL, "--out", "a.html", "--ledger", "a.sqlite").out.splitlines()
    assert lines[-6].startswith("Does it pay?")
    assert [line[:3] for line in lines[-5:]] == [f"{number}. " for number in range(1, 6)]


def test_twice_is_byte_identical(inside) -> None:
    assert inside("economics", SMALL, "--json").out == inside("economics", SMALL, "--json").out


def test_a_preset_that_nobody_checked_is_refused_unless_it_is_asked_for(inside, tmp_path) -> None:
    file = tmp_path / "rumour.yaml"
    text = SMALL.read_text(encoding="utf-8")
    file.write_text(f"{text}\npresets: [chatgpt_prompt]\n", encoding="utf-8")
    refused = inside("economics", file)
    assert (refused.status, refused.out) == (2, "")
    assert "PRESET_UNVERIFIED" in refused.err
    assert "economics --allow-unverified" in refused.err
    shown = inside("economics", file, "--allow-unverified")
    assert (shown.status, shown.err) == (0, "")
    assert "chatgpt_prompt.wh_per_prompt" in shown.out
    assert "warning PRESET_UNVERIFIED" in shown.out


@pytest.mark.slow  # a report and a demo by the command
def test_report_and_demo_read_the_users_of_the_ledger_too(inside, tmp_path: Path) -> None:
    file = changed(tmp_path, chat={"users": USERS})
    company = yaml.safe_load(file.read_text(encoding="utf-8"))
    start = datetime.fromisoformat(str(company["horizon"]["start"]))
    with SqliteLedger(tmp_path / "a.sqlite") as held:
        held.append(
            LedgerEntry(
                run_id="live", source="serve", kind="request", request_id=f"r{at}", start=start,
                end=start + timedelta(hours=1), tenant=f"user-{at}", tier="chat",
                component="serve", quantity=mtok, unit="Mtok",
            )
            for at, mtok in enumerate((1.0, 9.0))
        )  # fmt: skip
    done = inside("report", file, "--ledger", "a.sqlite", "--out", "r.html")
    assert (done.status, done.err) == (0, "")
    assert "from the requests of a ledger" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert inside("report", file, "--ledger", "none.sqlite").status == 2
    told = inside("demo", file, "--ledger", "a.sqlite", "--out", "d.html", "--json").json()
    (tier,) = (each for each in told["economics"]["users"]["tiers"] if each["tier"] == "chat")
    assert (tier["source"], tier["observed_count"]) == ("ledger", 2)
