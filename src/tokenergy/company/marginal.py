"""The marginal cost of a token, in parts."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

PARTS = (
    "energy",
    "mw_rent",
    "demand_peak_rent",
    "cfe_rent",
    "gpu_rent",
    "wake",
    "network",
    "quality",
    "other",
)
"""Parts of a price, in the order in which they are shown; they sum to the total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalCost:
    """What one Mtok more of a workload costs on a deployment in an interval, USD/Mtok.

    A dual is often an interval: `low` is what the last Mtok cost, `high` what one more would
    cost. The parts come from the `high` end. They sum to `total`; where the deployment is in
    use `total` equals `high`, elsewhere it is at least `high`. A deployment that only works off
    what is due, while one Mtok more would rather wait, is not in use in this sense.

    Attributes:
        energy_marginal_usd_per_mtok: energy of the tokens themselves; with
            `energy_base_usd_per_mtok`, the awake replica's own draw, it makes up `energy`.
        energy_mwh_per_mtok: MWh at the meter for one Mtok of a full replica.
        node_usd_per_mwh: what one more MWh of load at the meter costs there and then.
        share: part of the workload's tokens that go there in the optimum.
        within_replica_usd_per_mtok: price below a full replica, shown where fewer than 20
            replicas are awake; null elsewhere.
        kappa_ratio: joules of an input token over joules of an output token: it splits a price
            by kind of token.
        energy_tier: how the joules are known: `modelled` until something was measured.
        energy_low_share, energy_high_share: between these multiples of the modelled energy
            measurements lie, 5th to 95th percentile.
        usd_per_item, usd_per_video_s: `high` for one image or clip, for one second of video.
    """

    workload: str
    site: str
    accelerator: str
    model: str
    start: datetime
    in_use: bool
    share: float
    energy_usd_per_mtok: float
    mw_rent_usd_per_mtok: float
    demand_peak_rent_usd_per_mtok: float
    cfe_rent_usd_per_mtok: float
    gpu_rent_usd_per_mtok: float
    wake_usd_per_mtok: float
    network_usd_per_mtok: float
    quality_usd_per_mtok: float
    other_usd_per_mtok: float
    total_usd_per_mtok: float
    low_usd_per_mtok: float | None
    high_usd_per_mtok: float
    energy_marginal_usd_per_mtok: float
    energy_base_usd_per_mtok: float
    energy_mwh_per_mtok: float
    node_usd_per_mwh: float
    within_replica_usd_per_mtok: float | None
    usd_per_item: float | None
    usd_per_video_s: float | None
    kappa_ratio: float
    energy_tier: str
    energy_low_share: float
    energy_high_share: float

    def parts(self) -> dict[str, float]:
        """Return the parts by name, USD/Mtok."""
        return {part: float(getattr(self, f"{part}_usd_per_mtok")) for part in PARTS}

    def to_dict(self) -> dict[str, Any]:
        """Return the row as a JSON-ready mapping."""
        row = asdict(self)
        row["start"] = self.start.strftime("%Y-%m-%dT%H:%MZ")
        return row

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the names of the row's fields, in order."""
        return tuple(field.name for field in fields(cls))
