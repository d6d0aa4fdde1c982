"""A plan through the API: its figures tie, its file runs, and what is impossible is explained."""

from dataclasses import replace
from pathlib import Path

import pytest
from commands import SMALL
from planning import planning_file

import tokenergy as te
from tokenergy.company.basis import refuse_unstated
from tokenergy.errors import FindingsError, InputError, SolverFailure


def loaded(folder: Path, *, load_mw: float, contract: str, plan: str) -> Path:
    """Write the small company with a load in Texas that no plan moves, and a contract there."""
    text = SMALL.read_text(encoding="utf-8")
    limit = "    import_limit_mw: 3\n"
    text = text.replace(limit, f"{limit}    fixed_load_mw: {load_mw}\n", 1)
    text = text.replace("\nbatteries:\n", f"  - {contract}\n\nbatteries:\n", 1)
    path = folder / "loaded.yaml"
    path.write_text(f"{text}plan: {plan}\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planning")


@pytest.fixture(scope="module")
def bounds() -> list[tuple[float, float]]:
    """What was told of both bounds."""
    return []


@pytest.fixture(scope="module")
def planned(folder: Path, bounds: list[tuple[float, float]]) -> te.Planned:
    company = te.load(planning_file(folder))
    (folder / "built").mkdir()
    return te.plan(
        company,
        hours=36,
        write=folder / "built" / "planned.yaml",
        out=folder / "plan.html",
        on_bounds=lambda low, high: bounds.append((low, high)),
    )


def test_bounds_enclose_the_cost_and_were_told(
    planned: te.Planned, bounds: list[tuple[float, float]]
) -> None:
    found = planned.found
    assert found.lower_usd <= found.cost_usd
    assert found.gap_share < 1e-3
    assert bounds
    for low, high in bounds:
        assert low <= found.cost_usd * (1.0 + 1e-9)
        assert high >= found.lower_usd * (1.0 - 1e-9)


def test_the_written_file_simulates_to_the_same_cost(planned: te.Planned) -> None:
    """The second way to the plan's cost: the clairvoyant of the file, annuities beside it."""
    assert planned.written is not None
    built = te.load(planned.written)
    assert built.company.plan is None
    card = te.simulate(built, policies=["mpc", "clairvoyant"]).card
    total_usd = card.policies["clairvoyant"].cost_usd + planned.found.annuity_usd
    assert total_usd == pytest.approx(planned.cost_usd, rel=1e-6)
    assert card.policies["mpc"].cost_usd >= card.policies["clairvoyant"].cost_usd - 1e-6
    assert built.company.horizon.days == 1.5


def test_the_written_file_keeps_what_was_written_and_has_whole_gpus(planned: te.Planned) -> None:
    assert planned.written is not None
    text = planned.written.read_text(encoding="utf-8")
    assert "# A company for quick tests" in text
    assert "Written anew" not in text
    assert "frankfurt" not in text.partition("sites:")[2]
    sizes = {row["name"]: row["size"] for row in planned.found.capacities()}
    built = te.load(planned.written).company
    for fleet in built.fleets:
        assert fleet.gpu_count == sizes[fleet.name]
    for site in built.sites:
        assert site.import_limit_mw == sizes[site.name]


def test_the_json_has_what_a_board_asks_and_states_its_bases(planned: te.Planned) -> None:
    told = planned.to_dict()
    for key in ("capacities", "cost_usd", "lower_bound_usd", "gap_share", "usd_per_mtok_full",
                "usd_per_mtok_marginal", "values", "exposures", "ranking", "curve",
                "concentration", "make_or_buy", "answer"):  # fmt: skip
        assert told[key] is not None, key
    assert refuse_unstated(told) == ()
    assert {row["name"] for row in told["values"]} >= {row["name"] for row in told["capacities"]}
    for row in told["values"]:
        low, high = row["low_usd_per_unit_year"], row["high_usd_per_unit_year"]
        if low is not None and high is not None:
            assert low <= high + 1e-6 * abs(high)
    assert told["as_built"]["difference_share"] < 1e-6
    assert told["annuity_usd"] + told["operating_usd"] == pytest.approx(told["cost_usd"])


def test_full_cost_is_what_is_paid_and_marginal_is_another_figure(planned: te.Planned) -> None:
    """Bill, capital and what else is paid, over the tokens, is the full cost."""
    built = planned.built
    assert built is not None
    full = built.full
    paid = sum(line["amount_usd"] for line in built.bill()) + planned.found.annuity_usd
    assert full.allocation_usd == pytest.approx(paid + full.other_usd, rel=1e-9)
    assert planned.usd_per_mtok_full == pytest.approx(full.allocation_usd / full.served_mtok)
    assert planned.usd_per_mtok_marginal is not None
    assert planned.usd_per_mtok_marginal != pytest.approx(planned.usd_per_mtok_full, rel=1e-3)
    said = str(planned)
    assert "in full" in said
    assert "marginal cost" in said
    assert "kWh are" in said


def test_it_is_a_table_for_polars_and_a_notebook(planned: te.Planned) -> None:
    frame = planned.to_polars()
    assert frame.height == len(planned.found.program.candidates)
    assert "texas-h100" in planned._repr_html_()


def test_the_page_is_written_and_replaced_but_nothing_else_is(
    planned: te.Planned, folder: Path
) -> None:
    page = folder / "plan.html"
    assert planned.page == page
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    other = folder / "notes.yaml"
    other.write_text("mine: 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="exists already"):
        te.plan(te.load(folder / "planning.yaml"), hours=24, write=other)


def test_a_stopped_plan_tells_and_saves_what_it_has(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    found = te.plan(te.load(folder / "planning.yaml"), hours=24, stop=lambda: True)
    assert found.stopped
    assert found.built is None
    assert found.written == Path(".tokenergy/planning.planned.yaml")
    assert "stopped" in found.written.read_text(encoding="utf-8")
    assert te.load(found.written).company.plan is None
    told = found.to_dict()
    assert told["stopped"]
    assert told["gap_share"] < 1.0
    assert "The search was stopped" in str(found)


def test_a_plan_that_builds_nothing_says_so(tmp_path: Path) -> None:
    found = te.plan(te.load(planning_file(tmp_path, budget_usd=1e3)), hours=24)
    assert found.built is None
    assert [finding.code for finding in found.findings] == ["PLAN_BUILDS_NOTHING"]
    assert te.plan(te.load(tmp_path / "planning.yaml"), 24, write=tmp_path / "no.yaml").written is (
        None
    )


def test_a_budget_below_the_cheapest_build_says_what_that_takes(tmp_path: Path) -> None:
    """(2.8 MW and 2,000 sleeping GPUs of 71.8 W) x 1.2 behind 3 MW: 0.53232 MW x 1,000 USD/kW."""
    plant = (
        "{kind: on_site, id: plant, site: texas, capacity_mw: 1, price_usd_per_kw: 1000, "
        "heat_rate_mmbtu_per_mwh: 8, fuel_usd_per_mmbtu: 90}"
    )

    def planned(budget_usd: float) -> te.Planned:
        plan = f"{{budget_usd: {budget_usd}, contracts: [{{name: plant, most_mw: 4}}]}}"
        opened = te.load(loaded(tmp_path, load_mw=0.5, contract=plant, plan=plan))
        texas, *others = opened.company.sites  # `check` refuses so large a load: it is put in here
        sites = (texas.model_copy(update={"fixed_load_mw": 2.8}), *others)
        company = opened.company.model_copy(update={"sites": sites})
        return te.plan(replace(opened, company=company), hours=24)

    with pytest.raises(FindingsError) as refused:
        planned(1e4)
    (finding,) = refused.value.findings
    assert finding.code == "PLAN_BUDGET_TOO_SMALL"
    assert finding.path == "plan.budget_usd"
    assert finding.line is not None
    least_usd = float(finding.limit.replace(",", ""))
    assert least_usd == pytest.approx(532_320.0, rel=1e-6)
    with pytest.raises(FindingsError, match="IMPORT_BELOW_FIXED_LOAD"):
        planned(1.001 * least_usd)  # a plan exists; its file is refused for that load alone


def test_a_clean_target_that_no_mix_meets_says_the_best_reachable(tmp_path: Path) -> None:
    plan = "{contracts: [{name: texas-wind, most_mw: 0.5}]}"

    def planned(target_share: float) -> te.Planned:
        clean = (
            "{kind: cfe, id: texas-clean, site: texas, sources: [texas-wind], "
            f"target_share: {target_share}}}"
        )
        path = loaded(tmp_path, load_mw=0.5, contract=clean, plan=plan)
        return te.plan(te.load(path), hours=24)

    with pytest.raises(FindingsError) as refused:
        planned(0.9999)
    (finding,) = refused.value.findings
    assert finding.code == "PLAN_CLEAN_TARGET_UNREACHABLE"
    assert finding.path == "contracts[4].target_share"
    reached_share = float(finding.limit)
    assert 0.0 < reached_share < 0.9999
    assert planned(reached_share - 1e-3).cost_usd > 0.0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"hours": 49.0}, "horizon"),
        ({"hours": 0.0}, "horizon"),
        ({"gap_share": 1.0}, "gap"),
        ({"dask": "tcp://127.0.0.1:1"}, "--scenarios"),
    ],
)
def test_what_cannot_be_asked_is_refused(folder: Path, changes: dict, word: str) -> None:
    with pytest.raises(InputError, match=word):
        te.plan(te.load(folder / "planning.yaml"), **changes)


def test_a_file_without_the_section_says_what_is_missing(small: te.OpenCompany) -> None:
    with pytest.raises(InputError, match="section `plan`"):
        te.plan(small)


def test_a_long_plan_without_an_answer_is_explained_by_its_first_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise SolverFailure("no point keeps every limit")

    monkeypatch.setattr("tokenergy.api.planning.search", fails)
    clean = "{kind: cfe, id: texas-clean, site: texas, sources: [texas-wind], target_share: 0.9999}"
    plan = "{contracts: [{name: texas-wind, most_mw: 0.5}]}"
    path = loaded(tmp_path, load_mw=0.5, contract=clean, plan=plan)
    with pytest.raises(FindingsError, match="PLAN_CLEAN_TARGET_UNREACHABLE"):
        te.plan(te.load(path), hours=24)
    path = loaded(tmp_path, load_mw=0.5, contract=clean.replace("0.9999", "0.1"), plan=plan)
    with pytest.raises(SolverFailure, match="no point"):
        te.plan(te.load(path), hours=24)
