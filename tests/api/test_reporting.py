"""The report of real runs: its bill, its decisions, and runs of odd shapes or that fail."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL

import tokenergy as te
from tokenergy.api.decided import decided
from tokenergy.api.gathered import Gathered
from tokenergy.api.own_ledger import refuse_foreign_requests
from tokenergy.api.settling import settled_run
from tokenergy.company.ledger import LedgerEntry
from tokenergy.errors import InputError
from tokenergy.page.claims import claims
from tokenergy.store.sqlite import SqliteLedger

INFEASIBLE = Path(__file__).resolve().parents[2] / "examples" / "broken" / "infeasible.yaml"


def opened(folder: Path, **changes: Any) -> te.OpenCompany:
    """Open one day of the small company with some of its keys changed."""
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(SMALL.read_text()) | changes))
    return te.load(file, days=1)


def report_text(company: te.OpenCompany, folder: Path, **more: Any) -> str:
    """Return the report of one policy, its board an hour long."""
    out = te.report(
        company,
        out=folder / "report.html",
        policies=["greedy_battery"],
        board=te.price(company, hours=1),
        **more,
    )
    return out.read_text(encoding="utf-8")


def test_the_bill_of_a_report_is_that_of_settle(
    small: te.OpenCompany, simulation: te.Simulation
) -> None:
    told = settled_run(small, simulation.runs["mpc"])
    same = te.settle(small)
    assert told.to_dict() == same.to_dict()
    added = told.added_up()
    assert "lines" not in added
    assert math.fsum(row["amount_usd"] for row in added["rows"]) == pytest.approx(same.bill_usd)
    data = Gathered(small, simulation=simulation).data()
    assert data.settlement == added


def test_decisions_add_up_to_the_scorecard(small: te.OpenCompany) -> None:
    """With a quarter of its megawatts the company has to refuse; every Mtok has one decision."""
    tight = replace(small)
    world = replace(small.world, import_limit_mw=0.25 * small.world.import_limit_mw)
    tight.__dict__["world"] = world
    simulation = te.simulate(tight, policies=("greedy", "mpc"))
    rows = {name: decided(world, run) for name, run in simulation.runs.items()}
    for policy, score in simulation.card.policies.items():
        for tier, fate in score.tiers.items():
            mine = [row for row in rows[policy] if row["tier"] == tier]
            served = sum(row["quantity"] for row in mine if row["decision"] != "refuse")
            assert served == pytest.approx(fate.served_mtok)
            refused = sum(row["quantity"] for row in mine if row["decision"] == "refuse")
            assert refused == pytest.approx(fate.refused_mtok, abs=1e-5)
            assert sum(row["asked_share"] for row in mine) == pytest.approx(1.0)
        lost_usd = sum(row["lost_usd"] for row in rows[policy])
        lost = score.parts["refused"] + score.parts["downgraded"]
        assert lost_usd == pytest.approx(lost, rel=1e-6)
        assert lost_usd > 0.0
    assert all(row["reason"] for row in rows["mpc"])
    assert not any(row["reason"] for row in rows["greedy"]), "it prices nothing"
    why = {row["reason"] for row in rows["mpc"] if row["decision"] == "refuse"}
    assert why <= {"marginal_cost_exceeds_value", "overloaded"}


def test_one_interval_a_site_without_traffic_and_an_empty_ledger(tmp_path: Path) -> None:
    """A horizon of one interval of a day; an office that has no GPUs; a ledger with no row."""
    told = yaml.safe_load(SMALL.read_text())
    office = told["sites"][1] | {"name": "office"}
    spot = told["contracts"][1] | {"id": "office-spot", "site": "office"}
    company = opened(
        tmp_path,
        horizon=told["horizon"] | {"step_h": 24},
        sites=[*told["sites"], office],
        contracts=[*told["contracts"], spot],
    )
    SqliteLedger(tmp_path / "empty.sqlite").close()
    text = report_text(company, tmp_path, usage_ledger=tmp_path / "empty.sqlite")
    assert '<th scope="row">office</th>' in text
    assert "The bill, line by line" in text
    assert "No ledger with requests was read" in text
    assert ">nan<" not in text.lower()


def test_a_company_without_traffic_has_a_report_without_costs_of_a_token(tmp_path: Path) -> None:
    rows = [f"2026-{2 + at // 216:02d}-{_day(at)}T{at % 24:02d}:00:00Z,0" for at in range(312)]
    (tmp_path / "zeros.csv").write_text("\n".join(("utc,rate", *rows)))
    told = yaml.safe_load(SMALL.read_text())
    series = {"series": {"file": "zeros.csv", "column": "rate"}}
    idle = [workload | {"arrivals": series} for workload in told["workloads"]]
    text = report_text(opened(tmp_path, workloads=idle), tmp_path)
    assert "No token was served: there is no cost of a token." in text
    assert "Nothing was asked for in this run" in text
    assert ">nan<" not in text.lower()


def _day(at: int) -> str:
    """Return the day of the month of hour `at` after 2026-02-20T00:00Z."""
    return f"{20 + at // 24 if at < 216 else (at - 216) // 24 + 1:02d}"


def test_a_run_that_fails_leaves_a_report_that_says_what_failed(tmp_path: Path) -> None:
    out = tmp_path / "failed.html"
    out.write_text("<!doctype html> of yesterday")
    with pytest.raises(te.FindingsError) as caught:
        te.report(te.load(INFEASIBLE), out=out)
    (finding,) = caught.value.findings
    text = out.read_text(encoding="utf-8")
    assert "this run failed" in text
    assert "simulating the policies" in text
    assert finding.code in text
    assert finding.remedy.rstrip(".") in text
    assert caught.value.__notes__ == [f"what failed stands in the report, too: {out}"]
    assert [path.name for path in tmp_path.iterdir()] == ["failed.html"]


@pytest.mark.parametrize(("run", "refused"), [("Other/serve", True), ("small/serve", False)])
def test_a_ledger_of_another_company_is_refused_before_anything_runs(
    small: te.OpenCompany, tmp_path: Path, run: str, refused: bool
) -> None:
    row = LedgerEntry(
        run_id=run.replace("small", small.company.company), source="serve", kind="request",
        request_id="r", start=datetime(2026, 3, 2, tzinfo=UTC), tier="chat",
        end=datetime(2026, 3, 3, tzinfo=UTC), component="serve", quantity=1.0, unit="Mtok",
    )  # fmt: skip
    with SqliteLedger(tmp_path / "a.sqlite") as held:
        held.append([row])
    name = small.company.company
    if not refused:
        return refuse_foreign_requests(tmp_path / "a.sqlite", name)
    with pytest.raises(InputError, match=r"requests of another company .* \(Other/serve\)"):
        te.report(small, out=tmp_path / "a.html", usage_ledger=tmp_path / "a.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["a.sqlite"]
    return None


def test_a_report_among_its_own_pictures_is_refused_before_anything_runs(
    small: te.OpenCompany, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(InputError, match="which is for pictures"):
        te.report(small, out=tmp_path / "pictures" / "a.html", charts=tmp_path / "pictures")


def test_what_was_made_before_the_failure_is_shown(
    small: te.OpenCompany, simulation: te.Simulation, tmp_path: Path
) -> None:
    made = Gathered(small, simulation=simulation)
    made.step = "pricing the board"
    data = made.data(failed=te.FindingsError(()))
    assert data.failed is not None
    assert data.failed["step"] == "pricing the board"
    assert data.prices == []
    assert data.scorecard["policies"]


def test_the_claims_stand_in_the_report_that_asks_for_them(
    small: te.OpenCompany,
    simulation: te.Simulation,
    board: te.Board,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of the fourteen, and the cheapest: what is shown is what `thesis` prints."""
    one = te.thesis(only=["T3"])
    monkeypatch.setattr("tokenergy.api.gathered.thesis", lambda on_progress: one)
    made = Gathered(small, simulation=simulation, board=board)
    made.make(tests=True)
    assert made.data().thesis == one.to_dict()
    body = claims(made.data().thesis or {}).body
    assert one.results[0].claim in body
    assert one.results[0].verdict in body
