"""The company of T6 for one price year, planned by the product: what each year costs, and moves.

GPUs stand and are the same in every plan, so that they cost nothing here; they draw power only for
tokens. What is open is how many megawatts to sign of wind, sun and a flat block.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.world import FloatArray
from tokenergy.lp.highs import LinearModel
from tokenergy.plan.program import PlanProgram, plan_program
from tokenergy.plan.whole import model_of
from tokenergy.thesis.price_years import CONTRACTS, FLAT, OWN, START, Offers, PriceYears
from tokenergy.units import H_PER_DAY, S_PER_H, TOKENS_PER_MTOK, W_PER_KW, W_PER_MW

ACCELERATOR: Final = "H100"
MODEL: Final = "llama-3.1-70b"
"""Names that the catalogue has; their figures are overruled by what stands here."""
TOKENS_PER_S: Final = 900.0
KW_PER_GPU: Final = 1.4
"""Of a GPU with everything around it, at the meter: the bases of both ranges."""
WORTH_USD_PER_MTOK: Final = 1_000.0
"""Far above any price of power: nothing is refused."""
OUTPUT_TOKENS: Final = 1_000.0
IDLE_W: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class YearPlan:
    """One year's program, kept in the solver."""

    plan: PlanProgram
    model: LinearModel

    @classmethod
    def of(cls, years: PriceYears, year: int, offers: Offers, catalogue: Catalogue) -> "YearPlan":
        """Lay out the plan of one year."""
        company, inputs = _company(years, offers), _inputs(years, year, offers)
        plan = plan_program(company, inputs, _without_idle(catalogue))
        return cls(plan=plan, model=model_of(plan))

    def at(self, mw: FloatArray) -> tuple[float, FloatArray]:
        """Return what a year costs with these contracts, USD, and what a megawatt adds [3]."""
        solution = self._held(mw)
        unbuilt = self.plan.columns_of("unbuilt")
        order = [name.name for name in self.plan.candidates]
        slopes = -solution.reduced_costs[unbuilt] / self.plan.years
        by_name = dict(zip(order, slopes, strict=True))
        return (
            solution.objective_usd / self.plan.years,
            np.array([by_name[name] for name in CONTRACTS]),
        )

    def token_usd_per_mtok(self, mw: FloatArray) -> FloatArray:
        """Return what one more Mtok costs in each hour, with these contracts [H]."""
        optimum = self.plan.optimum(self._held(mw))
        world = self.plan.world
        return np.array(
            [asked_usd_per_mtok(world, optimum, at)[0] for at in range(optimum.window.count)]
        )

    def _held(self, mw: FloatArray) -> Any:
        numbers = self.plan.numbers
        sizes = dict(zip(CONTRACTS, mw.tolist(), strict=True))
        lower, upper = self.plan.held_at(sizes)
        self.model.set_costs_and_bounds(numbers.costs, lower, upper)
        return self.model.solve()


def _without_idle(catalogue: Catalogue) -> Catalogue:
    """Return a catalogue whose GPU draws next to nothing asleep: only tokens take power here."""
    return replace(
        catalogue,
        accelerators=tuple(
            replace(each, idle_w=IDLE_W, context_w=None)
            for each in catalogue.accelerators
            if each.accelerator == ACCELERATOR
        ),
    )


def _company(years: PriceYears, offers: Offers) -> Company:
    hours_count = years.price_ratio.shape[1]
    gpus = math.ceil(1.01 * years.load_mw.max() * W_PER_MW / (KW_PER_GPU * W_PER_KW))
    most_mw = dict(zip(CONTRACTS, years.most_mw.tolist(), strict=True))
    strike = dict(zip(CONTRACTS, offers.strikes_usd_per_mwh.tolist(), strict=True))
    said: dict[str, Any] = {
        "company": "own power",
        "about": "Invented, for the thesis.",
        "horizon": {"start": START, "days": hours_count / H_PER_DAY, "step_h": 1.0},
        "history_days": 1.0,
        "regions": [{"name": "here", "latitude_deg": 31.0, "longitude_deg": -98.5}],
        "sites": [
            {
                "name": "here", "latitude_deg": 31.0, "longitude_deg": -98.5,
                "market": {"zone": "synthetic", "time_zone": "UTC", "price": 0.0},
                "import_limit_mw": 2.0 * float(years.load_mw.max()),
                "pue": 1.0, "host_w_per_gpu": 0.0,
            }
        ],
        "contracts": [
            {"kind": "spot", "id": "market", "site": "here",
             "resale_spread_usd_per_mwh": offers.spread_usd_per_mwh},
            *(
                {"kind": "ppa_as_produced", "id": name, "site": "here", "profile": 0.0,
                 "project_mw": most_mw[name], "strike_usd_per_mwh": strike[name]}
                for name in OWN
            ),
            {"kind": "ppa_baseload", "id": FLAT, "site": "here", "contract_mw": most_mw[FLAT],
             "strike_usd_per_mwh": strike[FLAT]},
        ],
        "fleets": [
            {"name": "gpus", "site": "here", "accelerator": ACCELERATOR, "gpu_count": gpus,
             "lease": {"kind": "reserved", "usd_per_gpu_hour": 0.0}}
        ],
        "models": [
            {
                "name": "model", "catalogue": MODEL, "gpus_per_replica": 1, "quality_share": 1.0,
                "wake_s": 0.0,
                "measured": [
                    {"fleet": "gpus", "output_tokens_per_s": TOKENS_PER_S, "base_w": 0.0,
                     "full_w": KW_PER_GPU * W_PER_KW, "note": "the bases of both ranges"}
                ],
            }
        ],
        "tiers": [
            {"name": "users", "service_tier": "default", "ttft_limit_s": 10.0,
             "tpot_limit_s": 1.0, "price_usd_per_mtok": 0.0,
             "value_usd_per_mtok": WORTH_USD_PER_MTOK}
        ],
        "workloads": [
            {"name": "chat", "tier": "users", "origin": "here", "ladder": ["model"],
             "input_tokens": 1.0, "output_tokens": OUTPUT_TOKENS,
             "arrivals": {"mean_requests_per_s": 1.0}}
        ],
        "plan": {"contracts": [{"name": name, "most_mw": most_mw[name]} for name in CONTRACTS]},
    }  # fmt: skip
    return Company.model_validate(said)


def _inputs(years: PriceYears, year: int, offers: Offers) -> Inputs:
    load_mw, profile = years.load_mw, years.profile_share[year]
    mwh_per_mtok = KW_PER_GPU * W_PER_KW / W_PER_MW / (TOKENS_PER_S * S_PER_H / TOKENS_PER_MTOK)
    tokens_per_s = load_mw / mwh_per_mtok * TOKENS_PER_MTOK / S_PER_H
    return Inputs(
        start=START,
        step_h=1.0,
        history_count=0,
        price_usd_per_mwh={"here": offers.level_usd_per_mwh * years.price_ratio[year]},
        outdoor_c={},
        profile_share=dict(zip(OWN, profile, strict=False)),
        requests_per_s={"chat": tokens_per_s / OUTPUT_TOKENS},
        lengths={},
        synthetic=("sites[0].market.price",),
        sources={},
        series={
            f"{FLAT}.shape": np.ones(load_mw.size),
            f"{FLAT}.shortfall": np.zeros(load_mw.size),
        },
    )
