"""How a gateway stands, for its page: requests under way, checks, budgets, limits, alarms."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from tokenergy.company.serving.live import Binding, LiveFace
from tokenergy.company.serving.plan import BUDGET, SPEND, AccountPlan
from tokenergy.company.serving.window import window_of
from tokenergy.serve.board_watch import MakerTold
from tokenergy.serve.gateway_metrics import Told
from tokenergy.serve.health import Probe, Reason, readiness
from tokenergy.serve.live_alarms import alarms
from tokenergy.serve.side import Side
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD

HELD: Final = "tokenergy_gateway_held_requests_count"
Row = dict[str, Any]


class Elsewhere(NamedTuple):
    """What is read from files, in a thread, for the standing.

    Attributes:
        counts: of all workers; None: they cannot be read.
        face: what the board maker drew; None: nothing yet.
        page: mark of the shell; "": there is none.
        ledger_fault: why the ledger cannot be read; "": it can.
        left_out_count: decisions that were too many to be shown, since somebody looks.
    """

    counts: Told | None = None
    face: LiveFace | None = None
    page: str = ""
    ledger_fault: str = ""
    left_out_count: int = 0


class Standing:
    """Tells how one gateway stands, all its workers together."""

    def __init__(
        self,
        side: Side,
        *,
        probes: tuple[Probe, ...] = (),
        maker: Callable[[], MakerTold | None] = lambda: None,
        in_flight: Callable[[], int] = lambda: 0,
    ) -> None:
        """Take who knows.

        Args:
            side: this worker's gateway.
            probes: look at what else serving needs.
            maker: what the board maker said of itself last.
            in_flight: requests under way in all workers.
        """
        self._side, self._probes = side, probes
        self._maker, self._in_flight = maker, in_flight

    def told(self, elsewhere: Elsewhere) -> Row:
        """Return the standing of this moment, JSON-ready."""
        side = self._side
        now_s, board, state = side.now_s(), side.board, side.state
        checks = [*readiness(side, self._probes), _ledger(elsewhere.ledger_fault)]
        budgets = [self._budget(one, now_s) for one in self._accounts(BUDGET)]
        return {
            "now": datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "page": elsewhere.page,
            "company": side.plan.company,
            "currency": side.plan.currency,
            "board_id": None if board is None else board.board_id,
            "policy": None if board is None else board.policy,
            "stale": None if board is None else board.is_stale(now_s),
            "safe_mode": False if state is None else state.safe_mode,
            "in_flight_count": self._in_flight(),
            "held": _held(elsewhere.counts),
            "left_out_count": elsewhere.left_out_count,
            "checks": [
                {"name": one.name, "status": one.standing, "reason": one.text} for one in checks
            ],
            "alarms": alarms(
                side,
                now_s=now_s,
                maker=self._maker(),
                binding=self._binding(elsewhere.face, now_s),
                budgets=budgets,
                checks=checks,
            ),
            "budgets": budgets,
            "limits": [self._limit(one, now_s) for one in self._accounts(SPEND)],
        }

    def _binding(self, face: LiveFace | None, now_s: float) -> tuple[Binding, ...]:
        """Return the sites that bind, of a face that is no older than prices may be."""
        board = self._side.board
        if face is None or board is None or now_s - face.made_at_s > 2.0 * board.refresh_s:
            return ()
        return face.binding

    def _accounts(self, kind: str) -> Sequence[AccountPlan]:
        return [one for one in self._side.plan.accounts if one.name.startswith(kind)]

    def _budget(self, account: AccountPlan, now_s: float) -> Row:
        """Return a budget: what of it is spent, and what of its window is over."""
        name, money = account.name.removeprefix(BUDGET), account.unit == "nano_usd"
        state = self._side.state
        pacer = None if state is None else state.pacers.get(name)
        shadow = None if pacer is None else pacer.lambda_usd_per_unit
        limit, spent = self._amounts(account, now_s)
        start_s, end_s = window_of(account.window, account.time_zone, now_s)
        return {
            "name": name,
            "unit": "USD" if money else "J",
            "tier": account.tier,
            "tenant": account.tenant,
            "limit": limit,
            "spent": spent,
            "left": limit - spent,
            "window_start": _moment(start_s),
            "window_end": _moment(end_s),
            "elapsed_share": min(1.0, max(0.0, (now_s - start_s) / (end_s - start_s))),
            "spent_share": spent / limit if limit else None,
            "lambda_ratio": shadow if money else None,
            "lambda_usd_per_j": None if money else shadow,
        }

    def _limit(self, account: AccountPlan, now_s: float) -> Row:
        limit, spent = self._amounts(account, now_s)
        _, end_s = window_of(account.window, account.time_zone, now_s)
        return {
            "name": account.name.removeprefix(SPEND),
            "tenant": account.tenant,
            "unit": "USD" if account.unit == "nano_usd" else "J",
            "limit": limit,
            "spent": spent,
            "window_end": _moment(end_s),
        }

    def _amounts(self, account: AccountPlan, now_s: float) -> tuple[float, float]:
        """Return limit and what is spent, USD or J."""
        per = NANO_USD_PER_USD if account.unit == "nano_usd" else MICROJOULES_PER_J
        return account.limit / per, self._side.leases.spent(account.name, now_s=now_s) / per


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _ledger(fault: str) -> Reason:
    if fault:
        return Reason("ledger", "degraded", f"decisions and sums stand still: {fault}")
    return Reason("ledger", "ok")


def _held(counts: Told | None) -> Mapping[str, int] | None:
    """Return the requests that are held by tier; None: not known."""
    if counts is None:
        return None
    return {labels[0]: round(value) for labels, value in counts.gauges.get(HELD, []) if value}
