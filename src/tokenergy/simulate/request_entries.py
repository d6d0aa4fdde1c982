"""The ledger of a replay: a row for what each request made, read, cost and drew, as a gateway's.

Every request that was served has rows of kind `request`: `serve` with its output, its cost at the
board's prices and its joules; `input` and `cached_input` with its prompt; `moved` with the prefix
that lay in a cache elsewhere, where it had one. One that was refused has `refused`, with the value
lost. Of a sample a row stands for WEIGHT requests: quantities, amounts and joules are of all of
them, and `part` says `sample:WEIGHT`. Amounts are prices at the margin, and their sum is no bill:
that is in the card.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from tokenergy.company.decision import REASONS
from tokenergy.company.ledger import LedgerEntry
from tokenergy.dispatch.world import World
from tokenergy.simulate.request_outcomes import ACTIONS
from tokenergy.simulate.request_tier import row_microjoules, row_nano_usd
from tokenergy.simulate.requests_replay import RequestRun
from tokenergy.units import J_PER_MWH, MICROJOULES_PER_J, NANO_USD_PER_USD, TOKENS_PER_MTOK

SAMPLE: Final = "sample:"
"""How `part` begins where a row stands for more than one request; the weight follows."""
LEAST_MWH: Final = 1e-12


def stands_for(part: str) -> float:
    """Return how many requests a row with this `part` stands for: 1 but in a sample."""
    return float(part.removeprefix(SAMPLE)) if part.startswith(SAMPLE) else 1.0


def request_entries(world: World, run: RequestRun, run_id: str) -> Iterator[LedgerEntry]:
    """Yield the rows of a replay: requests by their number, then replicas awake for nobody.

    Args:
        world: the company as arrays.
        run: what happened.
        run_id: under which it is kept.
    """
    joules = dict(zip(run.rows.tolist(), row_microjoules(run), strict=True))
    amounts = dict(zip(run.rows.tolist(), row_nano_usd(run), strict=True))
    rows = _Rows(world, run, run_id)
    for at in range(run.case.count):
        if at in amounts:
            yield from rows.served(at, amounts[at], joules[at])
        elif run.decided.outcomes.refused[at]:
            yield rows.refused(at)
    yield from rows.idle()


class _Rows:
    """Makes the rows of one replay: fills in what they share."""

    def __init__(self, world: World, run: RequestRun, run_id: str) -> None:
        self.world, self.run, self.run_id = world, run, run_id
        made = run.decided.outcomes
        self.lists = {
            name: getattr(made, name).tolist()
            for name in ("action", "reason", "interval", "deployment", "output_tokens",
                         "cached_tokens", "lost_tokens", "affinity_usd")
        }  # fmt: skip
        trace = run.case.trace
        self.load, self.tenant = trace.workload.tolist(), trace.tenant.tolist()
        self.prompt, self.asked = trace.input_tokens.tolist(), trace.output_tokens.tolist()
        self.weight = run.case.weight_ratio.tolist()
        self.worth = run.worth_usd.tolist()
        self.start = world.moment(world.first)
        self.step = timedelta(hours=world.step_h)
        self.arrived_s = (run.case.laid_s + trace.arrival_s).tolist()
        self.ended_s = self._ended_s()

    def _ended_s(self) -> list[float]:
        """Return when each request was done, as far as is known: at its last token."""
        run, made = self.run, self.run.decided.outcomes
        arrived_s = run.case.laid_s + run.case.trace.arrival_s
        ended_s = np.where(np.isnan(made.since_s), arrived_s, made.since_s)
        later = np.maximum(0, made.output_tokens[run.rows] - 1)
        answer_s = run.played.ttft_s + np.nan_to_num(run.played.tpot_s) * later
        ended_s[run.rows] += np.nan_to_num(answer_s)
        ended: list[float] = np.maximum(arrived_s, ended_s).tolist()
        return ended

    def served(self, at: int, nano_usd: int, microjoules: int) -> Iterator[LedgerEntry]:
        """Yield the rows of a request that was served."""
        own = self.lists
        target = self.world.deployments[own["deployment"][at]]
        shared = self._shared(at) | {
            "site": "" if target.external else self.world.site_names[target.site],
            "model": target.model,
            "accelerator": target.accelerator,
        }
        drawn: dict[str, Any] = {"energy_microjoules": microjoules}
        if not target.external:
            drawn |= {"energy_tier": "modelled", "boundary": "meter"}
        output = self._mtok(at, own["output_tokens"][at])
        yield LedgerEntry(
            component="serve", quantity=output, amount_nano_usd=nano_usd,
            rate_nano_usd=round(nano_usd / output) if output else 0, **shared, **drawn,
        )  # fmt: skip
        yield LedgerEntry(component="input", quantity=self._mtok(at, self.prompt[at]), **shared)
        if own["cached_tokens"][at]:
            cached = self._mtok(at, own["cached_tokens"][at])
            yield LedgerEntry(component="cached_input", quantity=cached, **shared)
        if own["lost_tokens"][at]:
            usd = own["affinity_usd"][at] * self.weight[at]
            yield LedgerEntry(
                component="moved", quantity=self._mtok(at, own["lost_tokens"][at]),
                amount_nano_usd=round(usd * NANO_USD_PER_USD), **shared,
            )  # fmt: skip

    def refused(self, at: int) -> LedgerEntry:
        """Return the row of a request that was refused, at the value lost."""
        usd = self.worth[at] * self.weight[at]
        return LedgerEntry(
            component="refused", quantity=self._mtok(at, self.asked[at]),
            amount_nano_usd=round(usd * NANO_USD_PER_USD), **self._shared(at),
        )  # fmt: skip

    def idle(self) -> Iterator[LedgerEntry]:
        """Yield the energy of replicas awake for nobody, by deployment and interval."""
        idle_mwh = self.run.metered.idle_mwh
        for deployment, interval in zip(*(idle_mwh > LEAST_MWH).nonzero(), strict=True):
            target = self.world.deployments[deployment]
            start, mwh = (
                self.start + int(interval) * self.step,
                float(idle_mwh[deployment, interval]),
            )
            yield LedgerEntry(
                run_id=self.run_id, source="simulate", kind="interval", part=target.name,
                start=start, end=start + self.step, site=self.world.site_names[target.site],
                model=target.model, accelerator=target.accelerator, component="idle",
                quantity=mwh, unit="MWh",
                energy_microjoules=round(mwh * J_PER_MWH * MICROJOULES_PER_J),
                energy_tier="modelled", boundary="meter", policy=self.run.policy,
                board_id=self.run.decided.boards[int(interval)].board_id,
            )  # fmt: skip

    def _shared(self, at: int) -> dict[str, Any]:
        own, interval = self.lists, self.lists["interval"][at]
        load = self.world.workloads[self.load[at]]
        weight = self.weight[at]
        return {
            "run_id": self.run_id,
            "source": "simulate",
            "kind": "request",
            "request_id": str(at),
            "part": f"{SAMPLE}{weight!r}" if self.run.case.sampled else "",
            "start": self._moment(self.arrived_s[at]),
            "end": self._moment(self.ended_s[at]),
            "tenant": self.run.case.trace.tenants[self.tenant[at]],
            "tier": load.tier,
            "workload": load.name,
            "unit": "Mtok",
            "decision": ACTIONS[own["action"][at]],
            "reason": REASONS[own["reason"][at]],
            "board_id": self.run.decided.boards[interval].board_id,
            "policy": self.run.decided.run.sources[interval],
        }

    def _moment(self, since_s: float) -> datetime:
        return self.start + timedelta(seconds=since_s)

    def _mtok(self, at: int, tokens: int) -> float:
        return float(tokens * self.weight[at] / TOKENS_PER_MTOK)
