"""The toy of T1 as a company file would say it, planned by the product: C(N) for T2.

Economics sheet, section 5: GPUs that cost 0.70 USD a Mtok, 1,100 Mtok a MWh, power in blocks of 20,
20 and 30 MW at rising prices, and without end at the last. Here the GPUs are a fleet on a reserved
lease whose count is open, every block but the last is a flat contract whose megawatts are open, and
the last is the market. `plan` then chooses what to lease and to sign for one flat day; a year is
365 of them.
"""

import math
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.economics.negative_scale import ToyCompany
from tokenergy.plan.program import plan_program
from tokenergy.plan.whole import WholeAnswer, solve_whole
from tokenergy.units import (
    H_PER_DAY,
    H_PER_YEAR,
    MONTHS_PER_YEAR,
    S_PER_H,
    TOKENS_PER_MTOK,
    W_PER_MW,
)

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
STEP_H: Final = 6.0
"""The day is flat: any step gives the same."""
MTOK_PER_GPU_YEAR: Final = 17_000.0
"""About what section 1 has a GPU make in a year. GPUs are dear or many, and cost the same per
Mtok: the answer does not depend on it."""
GPU_MTOK_PER_H: Final = MTOK_PER_GPU_YEAR / H_PER_YEAR
ROOM_RATIO: Final = 1.5
"""Most GPUs that may be leased, over what the users need: no limit binds."""
WORTH_USD_PER_MTOK: Final = 1_000.0
"""A refused Mtok costs this, far above any price: nothing is refused."""
OUTPUT_TOKENS: Final = 1_000.0
"""Of a request; only their sum counts."""
ENDLESS_MW: Final = 1e5
ACCELERATOR: Final = "H100"
MODEL: Final = "llama-3.1-70b"
"""Names that the catalogue has; their figures are overruled by what the toy says."""


class Plan:
    """The least cost of a year's tokens, with GPUs and contracts of power as what is chosen."""

    def __init__(self, toy: ToyCompany, catalogue: Catalogue) -> None:
        """Know the toy; every number of users is planned anew, once."""
        self._toy, self._catalogue = toy, catalogue
        self._known_usd_per_year: dict[float, float] = {}

    def answer(self, users_count: float) -> WholeAnswer:
        """Return the plan for a number of users: broken numbers of GPUs are allowed.

        Raises:
            InfeasibleProgram, SolverFailure: as of any plan; a fault of ours.
        """
        company = toy_company(self._toy, users_count)
        return solve_whole(plan_program(company, _inputs(self._toy, users_count), self._catalogue))

    def cost_usd_per_year(self, users_count: float) -> float:
        """Return the least cost of a number of users, what is fixed included."""
        if users_count not in self._known_usd_per_year:
            answer = self.answer(users_count)
            self._known_usd_per_year[users_count] = (
                self._toy.fixed_usd_per_year + answer.solution.objective_usd / answer.plan.years
            )
        return self._known_usd_per_year[users_count]


def _mtok_per_h(toy: ToyCompany, users_count: float) -> float:
    return users_count * toy.mtok_per_user_month * MONTHS_PER_YEAR / H_PER_YEAR


def toy_company(toy: ToyCompany, users_count: float) -> Company:
    """Return the toy with so many users as a company whose GPUs and contracts are open."""
    gpus = math.ceil(ROOM_RATIO * _mtok_per_h(toy, users_count) / GPU_MTOK_PER_H)
    blocks = {f"block-{at}": block for at, block in enumerate(toy.blocks[:-1], start=1)}
    said: dict[str, Any] = {
        "company": "toy",
        "about": "The economics sheet's toy, section 5.",
        "horizon": {"start": START, "days": 1.0, "step_h": STEP_H},
        "history_days": 1.0,
        "regions": [{"name": "here", "latitude_deg": 0.0, "longitude_deg": 0.0}],
        "sites": [
            {
                "name": "here", "latitude_deg": 0.0, "longitude_deg": 0.0,
                "market": {"zone": "toy", "time_zone": "UTC", "price": _market_usd_per_mwh(toy)},
                "import_limit_mw": ENDLESS_MW, "pue": 1.0, "host_w_per_gpu": 0.0,
            }
        ],
        "contracts": [
            # what is signed and not used is worth nothing: resale earns the price less the price
            {"kind": "spot", "id": "market", "site": "here",
             "resale_spread_usd_per_mwh": _market_usd_per_mwh(toy)},
            *(
                {"kind": "ppa_baseload", "id": name, "site": "here",
                 "contract_mw": block.size_mw, "strike_usd_per_mwh": block.usd_per_mwh}
                for name, block in blocks.items()
            ),
        ],
        **_served(toy, gpus),
        "plan": {
            "fleets": [{"name": "gpus", "most_count": gpus}],
            "contracts": [
                {"name": name, "most_mw": block.size_mw} for name, block in blocks.items()
            ],
        },
    }  # fmt: skip
    return Company.model_validate(said)


def _served(toy: ToyCompany, gpus: int) -> dict[str, Any]:
    """Return the GPUs, what one of them makes and draws, and who asks for it."""
    other_usd_per_mtok = toy.other_usd_per_user_year / (toy.mtok_per_user_month * MONTHS_PER_YEAR)
    return {
        "fleets": [
            {
                "name": "gpus", "site": "here", "accelerator": ACCELERATOR, "gpu_count": gpus,
                "lease": {
                    "kind": "reserved",
                    "usd_per_gpu_hour": other_usd_per_mtok * GPU_MTOK_PER_H,
                },
            }
        ],
        "models": [
            {
                "name": "model", "catalogue": MODEL, "gpus_per_replica": 1, "quality_share": 1.0,
                "wake_s": 0.0,
                "measured": [
                    {
                        "fleet": "gpus",
                        "output_tokens_per_s": GPU_MTOK_PER_H * TOKENS_PER_MTOK / S_PER_H,
                        "full_w": toy.mwh_per_mtok * GPU_MTOK_PER_H * W_PER_MW,
                        "base_w": 0.0,
                        "note": "what the toy says",
                    }
                ],
            }
        ],
        "tiers": [
            {
                "name": "users", "service_tier": "default", "ttft_limit_s": 10.0,
                "tpot_limit_s": 1.0, "price_usd_per_mtok": 0.0,
                "value_usd_per_mtok": WORTH_USD_PER_MTOK,
            }
        ],
        "workloads": [
            {
                "name": "chat", "tier": "users", "origin": "here", "ladder": ["model"],
                "input_tokens": 1.0, "output_tokens": OUTPUT_TOKENS,
                "arrivals": {"mean_requests_per_s": 1.0},
            }
        ],
    }  # fmt: skip


def _market_usd_per_mwh(toy: ToyCompany) -> float:
    """Return the price of the endless block."""
    return toy.blocks[-1].usd_per_mwh


def _inputs(toy: ToyCompany, users_count: float) -> Inputs:
    """Return the series of a flat day."""
    count = round(H_PER_DAY / STEP_H)
    tokens_per_s = _mtok_per_h(toy, users_count) * TOKENS_PER_MTOK / S_PER_H
    return Inputs(
        start=START,
        step_h=STEP_H,
        history_count=0,
        price_usd_per_mwh={"here": np.full(count, _market_usd_per_mwh(toy))},
        outdoor_c={},
        profile_share={},
        requests_per_s={"chat": np.full(count, tokens_per_s / OUTPUT_TOKENS)},
        lengths={},
        synthetic=(),
        sources={},
        series={
            f"block-{at}.{name}": np.full(count, share)
            for at in range(1, len(toy.blocks))
            for name, share in (("shape", 1.0), ("shortfall", 0.0))
        },
    )
