"""Companies with one contract of each kind, and meters that show anything, for tests of bills.

What is metered is arbitrary, not what any optimum would do: load, purchases and outputs are drawn
on their own. So what a contract is charged tests its formula and nothing else.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
from worlds import company_of, inputs_of, site_dict

from tokenergy.company.company import Company
from tokenergy.company.contract_state import ContractState
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.columns import INFINITY
from tokenergy.dispatch.supply import Generator, MeterRate
from tokenergy.dispatch.terms.commitment import Commitment, PermitHours
from tokenergy.dispatch.terms.metered import Metered
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.terms.term import Term
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.files.catalogue import load_catalogue
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Program

MOMENTS = (
    datetime(2026, 3, 7, 12, tzinfo=UTC),  # clocks in Texas go forward within two days
    datetime(2026, 10, 31, 6, tzinfo=UTC),  # and back, over the end of a month
    datetime(2026, 12, 30, 18, tzinfo=UTC),  # a year's end
    datetime(2024, 2, 27, 12, tzinfo=UTC),  # a leap day
    datetime(2026, 7, 14, 0, tzinfo=UTC),
)
"""Starts of horizons of four days, each with its own trap of the calendar."""
GIVEN = {"file": "given.csv", "column": "value"}
"""A series: never read, the tests give its values."""
KINDS = (
    "ppa_baseload",
    "ppa_virtual",
    "colocation",
    "demand_response",
    "cfe",
    "rec",
    "ppa_as_produced",
    "on_site",
    "steps",
)
"""What `contracts_of` makes; `steps` is an import price in steps."""


def contracts_of(kind: str, rng: np.random.Generator, start: datetime) -> list[dict[str, Any]]:
    """Return contracts of a random company: the kind that is asked for, and its sources."""
    day = start.date()
    begun = day - timedelta(days=int(rng.integers(-2, 900)))
    ended = None if rng.uniform() < 0.6 else day + timedelta(days=int(rng.integers(2, 4)))
    ended = ended and max(ended, begun + timedelta(days=1))  # a term ends after it begins
    term = {"site": "texas", "start": begun.isoformat(), "end": ended and ended.isoformat()}
    escalator = float(rng.choice([0.0, 0.03]))
    strike = {
        "strike_usd_per_mwh": float(rng.uniform(10, 70)),
        "escalator_share_per_year": escalator,
    }
    output = {"project_mw": float(rng.uniform(1, 40)), "profile": GIVEN}
    events = [_event(rng, start) for _ in range(int(rng.integers(0, 4)))]
    made: dict[str, dict[str, Any]] = {
        "ppa_baseload": {
            **strike,
            "contract_mw": 12.0,
            "shape": GIVEN,
            "shortfall": GIVEN,
            "shortfall_penalty_usd_per_mwh": float(rng.choice([0.0, 25.0])),
        },
        "ppa_virtual": {
            **strike,
            **output,
            "share": 0.5,
            "hub_price": GIVEN,
            "floor_usd_per_mwh": [None, 0.0][int(rng.integers(2))],
            "cap_usd_per_mwh": [None, 60.0][int(rng.integers(2))],
            "zero_volume_below_usd_per_mwh": [None, 0.0][int(rng.integers(2))],
        },
        "colocation": {
            **strike,
            **output,
            "take_or_pay": bool(rng.integers(2)),
            "standby_mw": 20.0,
            "standby_usd_per_kw_month": 8.0,
            "backup_adder_usd_per_mwh": 20.0,
            "export_limit_mw": 10.0,
        },
        "demand_response": {
            "committed_mw": 5.0,
            "availability_usd_per_kw_month": 5.0,
            "events": events,
            "baseline_mw": GIVEN,
            "delivered_usd_per_mwh": 200.0,
            "penalty_usd_per_mwh": 500.0,
            "events_most_count": [None, 2][int(rng.integers(2))],
        },
        "cfe": {
            "target_share": float(rng.uniform(0.2, 0.9)),
            "premium_usd_per_mwh": 12.0,
            "shortfall_usd_per_mwh": float(rng.choice([12.0, 40.0])),
            "sources": ["sun", "base", "hedge"],
            "period": str(rng.choice(["month", "year"])),
            "grid_cfe_share": GIVEN,
        },
        "rec": {"price_usd_per_mwh": 3.0, "load_share": 0.8, "bundled": ["sun", "base"]},
        "ppa_as_produced": {
            **strike,
            **output,
            "may_curtail": True,
            "deemed_generation": bool(rng.integers(2)),
            "negative_price_clause": str(rng.choice(["none", "pay", "no_pay"])),
            "annual_mwh": float(rng.uniform(100, 3000)),
            "min_take_share": 0.8,
        },
        "on_site": {
            "capacity_mw": 20.0,
            "heat_rate_mmbtu_per_mwh": 9.5,
            "fuel_usd_per_mmbtu": GIVEN,
            "vom_usd_per_mwh": 4.0,
            "min_load_share": float(rng.choice([0.0, 0.3])),
            "start_usd": float(rng.choice([0.0, 500.0])),
            "initially_on": bool(rng.integers(2)),
            "permit_h_per_year": [None, 3000.0][int(rng.integers(2))],
        },
    }
    sources = [
        {"id": "sun", "kind": "ppa_as_produced", "site": "texas", "strike_usd_per_mwh": 30.0}
        | {"project_mw": 9.0, "profile": GIVEN, "may_curtail": True},
        {"id": "base", "kind": "ppa_baseload", "site": "texas", "strike_usd_per_mwh": 50.0}
        | {"contract_mw": 3.0, "shape": GIVEN, "shortfall": GIVEN},
        {"id": "hedge", "kind": "ppa_virtual", "site": "texas", "strike_usd_per_mwh": 45.0}
        | {"project_mw": 5.0, "profile": GIVEN, "hub_price": GIVEN},
    ]
    if kind == "steps":
        return []
    asked = {"id": "asked", "kind": kind, **term, **made[kind]}
    others = sources if kind in ("cfe", "rec") else []
    return [*others, {key: value for key, value in asked.items() if value is not None}]


def _event(rng: np.random.Generator, start: datetime) -> dict[str, str]:
    """Make an event that may begin and end within an interval."""
    begin = start + timedelta(minutes=int(rng.integers(-200, 5600)))
    end = begin + timedelta(minutes=int(rng.integers(10, 400)))
    return {"start": begin.isoformat(), "end": end.isoformat()}


STEPS = {
    "steps": [
        {"up_to_mw": 10.0, "adder_usd_per_mwh": 0.0},
        {"up_to_mw": 18.0, "adder_usd_per_mwh": 4.0},
        {"adder_usd_per_mwh": 9.0},
    ]
}


def company_with(
    kinds: tuple[str, ...], seed: int, *, prices: tuple[float, float] = (-40.0, 120.0)
) -> tuple[Company, Inputs, World]:
    """Make a company with contracts of these kinds, its random series, and its world."""
    rng = np.random.default_rng(seed)
    start = MOMENTS[int(rng.integers(len(MOMENTS)))]
    step_h = float(rng.choice([0.25, 0.5, 1.0]))
    contracts: dict[str, dict[str, Any]] = {}
    for number, kind in enumerate(kinds):
        for contract in contracts_of(kind, rng, start):
            asked = contract["id"] == "asked"
            name = f"asked{number}" if asked else contract["id"]
            contracts[name] = contract | {"id": name}
    spot = {"id": "spot-texas", "kind": "spot", "site": "texas", "adder_usd_per_mwh": 3.0}
    with_steps = {"import_price": STEPS} if "steps" in kinds else {}
    company = company_of(
        horizon={"start": start.isoformat(), "days": 4.0, "step_h": step_h},
        sites=[site_dict(export_limit_mw=30.0, fixed_load_mw=8.0, **with_steps)],
        contracts=[spot | {"resale_spread_usd_per_mwh": 2.0}, *contracts.values()],
    )
    inputs = _random_inputs(company, rng, prices)
    return company, inputs, build_world(company, inputs, load_catalogue())


def _random_inputs(
    company: Company, rng: np.random.Generator, prices: tuple[float, float]
) -> Inputs:
    history = 24
    total = history + company.horizon.intervals_count

    def drawn(low: float, high: float) -> FloatArray:
        return rng.uniform(low, high, total)

    fields = {
        "shape": (0.0, 1.0),
        "shortfall": (0.0, 0.4),
        "hub_price": (-30.0, 90.0),
        "baseline_mw": (10.0, 35.0),
        "fuel_usd_per_mmbtu": (2.0, 9.0),
        "grid_cfe_share": (0.0, 0.6),
    }
    series = {
        f"{contract.id}.{field}": drawn(*span)
        for contract in company.contracts
        for field, span in fields.items()
    }
    return inputs_of(
        company,
        history=history,
        price_usd_per_mwh={"texas": drawn(*prices)},
        profile_share={contract.id: drawn(0.0, 1.0) for contract in company.contracts},
        series=series,
    )


def begun_before(world: World, seed: int) -> World:
    """Return the world with a past in every running period: load, matches, takes, hours."""
    rng = np.random.default_rng(seed)
    before = dict(world.before)
    for term in world.terms:
        periods = getattr(term, "periods", None) or getattr(term, "years", None)
        if periods is None or periods.index[world.first] < 0:
            continue
        load_mwh = float(rng.uniform(0.0, 3000.0))
        before[term.contract_id] = replace(
            before.get(term.contract_id, ContractState()),
            period=periods.names[int(periods.index[world.first])],
            load_mwh=load_mwh,
            matched_mwh=load_mwh * float(rng.uniform()),
            taken_mwh=float(rng.uniform(0.0, 500.0)),
        )
    return replace(world, before=before)


def meters_of(world: World, seed: int) -> SimpleNamespace:
    """Return meters that show anything: a run as far as bills look at one."""
    rng = np.random.default_rng(seed)
    count, hours = world.count, world.step_h
    span = slice(world.first, world.last)

    def often(most_mw: FloatArray | float) -> FloatArray:
        """Draw up to a limit, in a third of the intervals nothing, in some all of it."""
        share = np.clip(rng.uniform(-0.5, 1.2, count), 0.0, 1.0)
        return np.asarray(share * most_mw * hours)

    takes = [often(take.available_mw[span]) for take in world.takes]
    floors = [take.floor_mw[span] * hours for take in world.takes]
    plants = [often(plant.capacity_mw[span]) for plant in world.generators]
    rows = {name: often(40.0)[None, :] for name in ("import_mwh", "export_mwh", "load_mwh")}
    rows |= {name: often(30.0)[None, :] for name in ("bought_mwh", "sold_mwh")}
    return SimpleNamespace(
        **rows,
        take_mwh=np.array([np.maximum(*both) for both in zip(takes, floors, strict=True)]).reshape(
            len(takes), count
        ),
        generate_mwh=np.array(plants).reshape(len(plants), count),
        initial=State.initial(world),
    )


def balanced(world: World, run: SimpleNamespace, opens: Sequence[int] = ()) -> SimpleNamespace:
    """Return the meters with purchases and sales as the rest leaves them, one or the other.

    With `opens` intervals that begin there are netted as one; it stands in the first of each.
    """
    blocks_mw = sum(block.delivery_mw[world.first : world.last] for block in world.blocks)
    net_mwh = run.load_mwh[0] - blocks_mw * world.step_h
    net_mwh = net_mwh - run.take_mwh.sum(axis=0) - run.generate_mwh.sum(axis=0)
    if len(opens):
        sums_mwh = np.add.reduceat(net_mwh, opens)
        net_mwh = np.zeros(world.count)
        net_mwh[np.array(opens)] = sums_mwh
    trades = {"bought_mwh": np.maximum(0.0, net_mwh), "sold_mwh": np.maximum(0.0, -net_mwh)}
    return SimpleNamespace(**vars(run) | {name: mwh[None] for name, mwh in trades.items()})


def metered(world: World, run: SimpleNamespace) -> Metered:
    """Return the meters as terms are charged on them."""
    names = ("import_mwh", "export_mwh", "load_mwh", "bought_mwh", "sold_mwh")
    rows = {name: getattr(run, name) for name in (*names, "take_mwh", "generate_mwh")}
    return Metered(**rows, before=run.initial.contracts)


def program_usd(
    world: World, term: Term, run: SimpleNamespace, window: Window | None = None
) -> float:
    """Return the least that a term's own columns cost around meters that are given.

    The program holds the term's blocks and the columns that it may stand on, fixed at what was
    metered; no balance, so that the meters may show anything.
    """
    seen = true_window(world, begin=world.first, count=world.count) if window is None else window
    load = run.load_mwh / world.pue[:, world.first : world.last]
    given = {
        "it": load,
        "meter_import": run.import_mwh,
        "meter_export": run.export_mwh,
        "buy": run.bought_mwh,
        "sell": run.sold_mwh,
        "take": run.take_mwh,
        "generate": run.generate_mwh,
    }
    program = Program(seen.count)
    for name, rows in given.items():
        program.add_columns(name, rows.shape[0])
    added = term.add(program, world, seen, elastic=False)
    for moving in added.moving:
        program.revalue(moving.link, moving.values(seen))
    state = State.initial(world)
    costs, lower, upper = (np.zeros(program.columns_count) for _ in range(3))
    starts = seen.edges[:-1] - seen.edges[0]
    for name, rows in given.items():
        values = np.add.reduceat(rows, starts, axis=1) if rows.size else rows[:, : seen.count]
        _place(program, name, values.T, lower)
        _place(program, name, values.T, upper)
    for name, rule in added.columns.items():
        numbers = rule(seen, state)
        for part, into in ((numbers.costs, costs), (numbers.lower, lower), (numbers.upper, upper)):
            _place(program, name, part, into)
    row_lower = np.full(program.rows_count, -INFINITY)
    row_upper = np.full(program.rows_count, INFINITY)
    for name, row_rule in added.rows.items():
        for part, into in zip(row_rule(seen, state), (row_lower, row_upper), strict=True):
            _place(program, name, part, into, rows=True)
    return (
        LinearModel(
            program.matrix(),
            costs=costs,
            lower=lower,
            upper=upper,
            row_lower=row_lower,
            row_upper=row_upper,
            integers=_integers(program, added.integers),
        )
        .solve()
        .objective_usd
    )


def _place(
    program: Program, name: str, values: FloatArray, into: FloatArray, *, rows: bool = False
) -> None:
    block = (program.rows if rows else program.columns)[name]
    number = program.row_number if rows else program.column_number
    if block.whole:
        into[number(block, 0, 0) : number(block, 0, 0) + block.size] = np.ravel(values)
        return
    for slot in range(program.slots_count):
        into[number(block, slot, 0) : number(block, slot, 0) + block.size] = values[slot]


def _integers(program: Program, names: tuple[str, ...]) -> np.ndarray | None:
    numbers = [
        program.column_number(program.columns[name], slot, at)
        for name in names
        for slot in range(program.slots_count)
        for at in range(program.columns[name].size)
    ]
    return np.array(sorted(numbers)) if numbers else None


# ---- worlds of arrays ----------------------------------------------------------------


def plant(made: World, site=0, *, capacity=2.0, usd=42.0, least=0.0, start=0.0, permit=np.inf):
    """Make a power plant of constant size and cost."""
    total = made.pue.shape[1]
    return Generator(
        contract_id=f"gas{site}",
        site=site,
        capacity_mw=np.full(total, capacity),
        usd_per_mwh=np.full(total, usd),
        min_load_share=least,
        start_usd=start,
        permit_h=permit,
        permit_year=np.full(total, 2026),
    )


def with_plants(made: World, *plants: Generator) -> World:
    """Put plants into a world, with the terms of those that commit or have a permit."""
    terms = list(made.terms)
    years = Periods.of_labels(["2026"] * made.pue.shape[1])
    for at, spec in enumerate(plants):
        shared = {"contract_id": spec.contract_id, "plant": at, "spec": spec}
        if spec.min_load_share or spec.start_usd:
            terms.append(Commitment(**shared))
        if np.isfinite(spec.permit_h):
            terms.append(PermitHours(**shared, years=years))
    return replace(made, generators=tuple(plants), terms=tuple(terms))


def rate(made: World, site: int, imported, exported) -> MeterRate:
    total = made.pue.shape[1]
    return MeterRate(
        contract_id=f"tariff{site}",
        component="energy",
        site=site,
        kind="energy",
        import_usd_per_mwh=np.broadcast_to(np.asarray(imported, float), total),
        export_usd_per_mwh=np.broadcast_to(np.asarray(exported, float), total),
    )
