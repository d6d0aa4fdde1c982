"""The fan of scenarios: each cell against a dispatch of its own, processes, Dask, bad scenarios."""

import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenario_company import SCENARIOS, opened

from tokenergy.api.opened import OpenCompany
from tokenergy.api.scenario_workers import workers
from tokenergy.api.scenarios import Fan, hold_in_world, posed_worlds, run_scenarios
from tokenergy.dispatch.bound import fixed_usd
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import State
from tokenergy.errors import FindingsError, InputError
from tokenergy.plan.candidates import annual_usd, candidates_of
from tokenergy.plan.sized_company import company_at
from tokenergy.units import H_PER_DAY, H_PER_YEAR


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> OpenCompany:
    return opened(tmp_path_factory.mktemp("fan"))


@pytest.fixture(scope="module")
def fan(company: OpenCompany) -> Fan:
    found = run_scenarios(company, processes=1)
    assert found is not None
    return found


def test_every_cell_is_the_dispatch_of_that_company_in_that_world(
    company: OpenCompany, fan: Fan
) -> None:
    """The company of each plan's sizes, dispatched with foresight, plus its annuities."""
    for column, world in enumerate(posed_worlds(company, hours=None, gap_share=1e-3)):
        open_sizes = candidates_of(world.company)
        for row, plan in enumerate(fan.plans):
            built = company_at(world.company, plan.sizes)
            arrays = build_world(built, world.inputs, world.catalogue)
            state = State.initial(arrays)
            yearly = sum(annual_usd(open_sizes, plan.sizes).values())
            expected = (
                solve_horizon(arrays).objective_usd
                + fixed_usd(arrays, state)
                + yearly * H_PER_DAY / H_PER_YEAR
            )
            assert fan.regrets.costs_usd[row, column] == pytest.approx(expected, rel=1e-7)


def test_a_large_world_is_held_from_the_inside(
    company: OpenCompany, fan: Fan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if one day were too many rows: the same costs, within the gap that was asked for."""
    monkeypatch.setattr("tokenergy.api.plan_search.WHOLE_ROWS", 0)
    world = posed_worlds(company, hours=None, gap_share=1e-3)[1]
    costs = hold_in_world((world, tuple(plan.sizes for plan in fan.plans)))
    assert costs == pytest.approx(fan.regrets.costs_usd[:, 1].tolist(), rel=1e-3)


def test_what_the_worlds_call_for(fan: Fan) -> None:
    """Twice the work needs twice the GPUs; a flat contract is signed only where power is dear."""
    by_name = {plan.name: plan for plan in fan.plans}
    assert list(by_name) == ["as-written", *(each["name"] for each in SCENARIOS)]
    now, growth = by_name["as-written"], by_name["growth"]
    assert growth.sizes["h100"] == pytest.approx(2.0 * now.sizes["h100"], abs=3.0)
    assert growth.asked_mtok == pytest.approx(2.0 * now.asked_mtok, rel=1e-3)
    assert by_name["dear-power"].sizes["flat"] == pytest.approx(0.1)
    assert all(plan.lower_usd <= plan.cost_usd for plan in fan.plans)
    assert (fan.regrets.regret_usd >= 0.0).all()
    careful = fan.careful()
    assert careful is not None
    assert careful.name == "growth"  # refusing is dearer than a GPU that waits
    assert fan.foreseen.mean_usd <= min(spread.mean_usd for spread in fan.regrets.spreads)


def test_other_weather_is_other_series_and_the_same_company(company: OpenCompany) -> None:
    worlds = posed_worlds(company, hours=None, gap_share=1e-3)
    own, *_, other = (world.inputs.price_usd_per_mwh["texas"] for world in worlds)
    assert not np.array_equal(own, other)
    assert [world.company.seed for world in worlds] == [1, 1, 1, 9]


@pytest.mark.slow  # two processes that import everything: about 5 s
def test_processes_give_the_same_to_the_bit(company: OpenCompany, fan: Fan) -> None:
    told: list[tuple[str, int, int]] = []
    found = run_scenarios(company, processes=2, on_progress=lambda *what: told.append(what))
    assert found is not None
    assert found.to_dict() == fan.to_dict()
    assert told[-1][1:] == (4, 4)
    assert len({what for what, _, _ in told}) == 2


def installed() -> Any:
    """Return the package `distributed`; without it, skip, unless CI says that it must be there."""
    if "TOKENERGY_DASK_MUST_RUN" not in os.environ:
        pytest.importorskip("distributed", reason="see tests/dask-requirements.txt")
    return import_module("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = installed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Dask itself
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as running:
            yield running


@pytest.mark.slow  # two processes of a cluster that import everything: about 10 s
@pytest.mark.filterwarnings("ignore")  # those of Dask itself
def test_a_dask_cluster_gives_the_same_to_the_bit(
    company: OpenCompany, fan: Fan, cluster: Any
) -> None:
    address = cluster.scheduler_address
    assert address.startswith("tcp://")
    found = run_scenarios(company, dask=address)
    assert found is not None
    assert found.to_dict() == fan.to_dict()
    assert run_scenarios(company, dask=address, stop=lambda: True) is None


def test_without_dask_the_message_says_what_to_install(
    company: OpenCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'tokenergy\[dask\]'"):
        run_scenarios(company, dask="tcp://127.0.0.1:1")


@pytest.mark.filterwarnings("ignore")  # those of Dask itself
def test_a_scheduler_that_does_not_answer(
    company: OpenCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed()
    monkeypatch.setattr("tokenergy.api.scenario_workers.CONNECT_S", 1.0)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        run_scenarios(company, dask="tcp://127.0.0.1:1")


def test_a_stop_gives_nothing_rather_than_half(company: OpenCompany) -> None:
    asked: list[int] = []
    assert (
        run_scenarios(company, processes=1, stop=lambda: len(asked) > 2 or asked.append(1)) is None
    )  # type: ignore[func-returns-value]


@pytest.mark.slow  # two processes that import everything, only to be ended: about 5 s
def test_an_interrupt_ends_the_processes(company: OpenCompany) -> None:
    before = {child.pid for child in multiprocessing.active_children()}

    def interrupt(what: str, done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_scenarios(company, processes=2, on_progress=interrupt)
    until_s = time.monotonic() + 10.0
    while time.monotonic() < until_s:
        left = {child.pid for child in multiprocessing.active_children()} - before
        if not left:
            break
        time.sleep(0.05)
    assert not left


def test_no_processes_are_no_workers() -> None:
    with pytest.raises(InputError, match="at least 1"), workers(processes=0):
        pass


def test_a_file_without_scenarios_has_one_world(tmp_path: Path) -> None:
    found = run_scenarios(opened(tmp_path, scenarios=[]), processes=1)
    assert found is not None
    assert found.regrets.regret_usd.tolist() == [[0.0]]
    assert found.regrets.careful == ("as-written",)


def test_likelihoods_weigh_the_spread(tmp_path: Path) -> None:
    likely = [
        each | {"probability_share": share}
        for each, share in zip(SCENARIOS, (0.1, 0.2, 0.7), strict=True)
    ]
    found = run_scenarios(opened(tmp_path, scenarios=likely), processes=1)
    assert found is not None
    assert found.regrets.shares.tolist() == pytest.approx([0.0, 0.1, 0.2, 0.7])
    costs = found.regrets.costs_usd[0]
    assert found.regrets.spreads[0].mean_usd == pytest.approx(float(found.regrets.shares @ costs))


def test_a_series_that_does_not_cover_the_horizon_is_a_finding_of_the_scenario(
    tmp_path: Path,
) -> None:
    (tmp_path / "short.csv").write_text(
        "utc,usd\n" + "".join(f"2026-03-02T{hour:02}:00Z,40\n" for hour in range(12)),
        encoding="utf-8",
    )
    source = {"file": "short.csv", "column": "usd"}
    late = {"name": "year-2022", "prices": {"texas": source}}
    with pytest.raises(FindingsError) as refused:
        opened(tmp_path, scenarios=[*SCENARIOS, late])
    assert "scenarios[3]" in refused.value.findings[0].path


def test_a_series_that_has_gone_since_is_a_finding_of_the_scenario(tmp_path: Path) -> None:
    start = datetime(2026, 2, 20, tzinfo=UTC)
    hours = (start + timedelta(hours=hour) for hour in range(24 * 14))
    rows = "".join(f"{hour:%Y-%m-%dT%H:%MZ},40\n" for hour in hours)
    file = tmp_path / "year.csv"
    file.write_text(f"utc,usd\n{rows}", encoding="utf-8")
    source = {"file": "year.csv", "column": "usd"}
    company = opened(
        tmp_path, scenarios=[*SCENARIOS, {"name": "year-2022", "prices": {"texas": source}}]
    )
    file.unlink()
    with pytest.raises(FindingsError) as refused:
        run_scenarios(company, processes=1)
    (finding,) = refused.value.findings
    assert finding.path == "plan.scenarios[3]"
    assert finding.reason.startswith("scenario year-2022: sites[0].market.price.file: ")
    assert finding.line


def test_a_world_that_no_size_carries_is_named(tmp_path: Path) -> None:
    """GPUs at a hundred times the price: the least that must be bought exceeds the budget."""
    company = opened(
        tmp_path,
        budget_usd=5e6,
        fleets=[{"name": "h100", "most_count": 256, "least_count": 50}],
        scenarios=[{"name": "dear-gpus", "gpu_price_ratio": 100.0}],
    )
    with pytest.raises(FindingsError) as refused:
        run_scenarios(company, processes=1)
    assert "dear-gpus" in str(refused.value)


def test_a_budget_does_not_bind_a_plan_that_is_held(tmp_path: Path) -> None:
    """GPUs at twice the price: what was bought before costs more there, and is not impossible."""
    company = opened(
        tmp_path, budget_usd=8e6, scenarios=[{"name": "dear-gpus", "gpu_price_ratio": 2.0}]
    )
    found = run_scenarios(company, processes=1)
    assert found is not None
    assert np.isfinite(found.regrets.costs_usd).all()
