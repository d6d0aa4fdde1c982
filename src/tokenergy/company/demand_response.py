"""Being paid to draw less when the grid asks."""

from typing import Literal

from pydantic import Field

from tokenergy.company.contract_base import ContractBase, PowerEvent
from tokenergy.company.noun import NonNegative, Positive
from tokenergy.company.series import SeriesSource


class DemandResponse(ContractBase):
    """A standing offer to draw less than a baseline during events, with a penalty for less."""

    kind: Literal["demand_response"]
    committed_mw: Positive
    """Reduction below the baseline that is owed in an event."""
    availability_usd_per_kw_month: NonNegative = 0.0
    """What standing ready earns per committed kW and calendar month, paid whole."""
    events: tuple[PowerEvent, ...] = ()
    """When the grid asked (a backtest), or will ask."""
    notice_h: NonNegative = 0.0
    """How long before its start an event is announced."""
    baseline_mw: SeriesSource
    """Import that the reduction is counted from: fixed before the event, never the plan's own."""
    delivered_usd_per_mwh: NonNegative = 0.0
    """What each MWh of reduction earns; one drawn above the baseline pays it back."""
    penalty_usd_per_mwh: NonNegative = 0.0
    """What each MWh short of the commitment costs."""
    events_most_count: int | None = Field(default=None, ge=0)
    """Events a calendar year that have to be answered; later ones bind nobody; null: all."""
