"""The full cost of a token of one GPU, in closed form: kWh, powered capacity, silicon.

Economics sheet, section 1. What a company's own run costs is in `unit_cost`; this is the short
form that a claim about levers can be checked on by hand.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from tokenergy.company.annuity import annuity_share
from tokenergy.errors import InputError
from tokenergy.units import H_PER_YEAR, KW_PER_MW, S_PER_H, TOKENS_PER_MTOK, W_PER_KW

Basis = Literal["consumed", "reserved"]
"""`consumed`: the mean draw at the meter. `reserved`: the nameplate at the meter, used or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCost:
    """One GPU with its share of node, building and staff, and the power that it draws.

    The fields are named like the sourced ranges that they are drawn from.

    Attributes:
        usd_per_gpu: price of a GPU with its share of the node.
        gpu_life_y: years over which it is written off.
        wacc_share: cost of capital, per year.
        ops_share_per_year: operation and repairs, as a share of the price.
        facility_usd_per_kw: building, cooling and grid works, per kW of nameplate before PUE.
        facility_life_y: years over which the facility is written off.
        kw_per_gpu: nameplate with its share of the host, before PUE.
        idle_share: draw without work, over nameplate; linear in utilisation up to 1.
        pue: power at the meter over power of the racks.
        tokens_per_s_per_gpu: at full load.
        utilisation_share: tokens made over tokens at full load.
        usd_per_mwh: price of power at the meter.
    """

    usd_per_gpu: float
    gpu_life_y: float
    wacc_share: float
    ops_share_per_year: float
    facility_usd_per_kw: float
    facility_life_y: float
    kw_per_gpu: float
    idle_share: float
    pue: float
    tokens_per_s_per_gpu: float
    utilisation_share: float
    usd_per_mwh: float

    def __post_init__(self) -> None:
        """Refuse what no cost can be told of.

        Raises:
            InputError: naming each figure that is out of its range.
        """
        positive = ("gpu_life_y", "facility_life_y", "kw_per_gpu", "tokens_per_s_per_gpu")
        faults = [f"{name} is {getattr(self, name):g}, above 0 is needed" for name in positive
                  if not getattr(self, name) > 0.0]  # fmt: skip
        if not 0.0 < self.utilisation_share <= 1.0:
            faults.append(
                f"utilisation_share is {self.utilisation_share:g}, above 0 to 1 is needed"
            )
        if not 0.0 <= self.idle_share <= 1.0:
            faults.append(f"idle_share is {self.idle_share:g}, 0 to 1 is needed")
        if faults:
            raise InputError("cost of a GPU: " + "; ".join(faults))

    @property
    def mtok_per_year(self) -> float:
        """Tokens that one GPU makes in a year."""
        rate = self.tokens_per_s_per_gpu * self.utilisation_share
        return rate * (H_PER_YEAR * S_PER_H) / TOKENS_PER_MTOK

    @property
    def reserved_kw_per_gpu(self) -> float:
        """What has to be connected for one GPU, at the meter."""
        return self.kw_per_gpu * self.pue

    @property
    def consumed_kw_per_gpu(self) -> float:
        """What one GPU draws on average, at the meter."""
        load_share = self.idle_share + (1.0 - self.idle_share) * self.utilisation_share
        return self.reserved_kw_per_gpu * load_share

    def j_per_token(self, basis: Basis) -> float:
        """Return the energy at the meter behind one token, on a named basis."""
        kw = self.consumed_kw_per_gpu if basis == "consumed" else self.reserved_kw_per_gpu
        return kw * W_PER_KW / (self.tokens_per_s_per_gpu * self.utilisation_share)

    def mtok_per_mwh(self, basis: Basis) -> float:
        """Return the tokens behind one MWh at the meter, on a named basis."""
        return S_PER_H / self.j_per_token(basis)

    @property
    def energy_usd_per_mtok(self) -> float:
        """The kWh: J/token consumed x USD/MWh / 3600."""
        return self.j_per_token("consumed") * self.usd_per_mwh / S_PER_H

    @property
    def facility_usd_per_mtok(self) -> float:
        """The powered capacity: building, cooling and grid works."""
        share = annuity_share(wacc_share=self.wacc_share, life_y=self.facility_life_y)
        return self.facility_usd_per_kw * self.kw_per_gpu * share / self.mtok_per_year

    @property
    def silicon_usd_per_mtok(self) -> float:
        """The silicon, with its operation and repairs."""
        share = annuity_share(wacc_share=self.wacc_share, life_y=self.gpu_life_y)
        return self.usd_per_gpu * (share + self.ops_share_per_year) / self.mtok_per_year

    def usd_per_mtok(self) -> float:
        """Return the full cost."""
        return self.energy_usd_per_mtok + self.facility_usd_per_mtok + self.silicon_usd_per_mtok

    @property
    def kwh_share(self) -> float:
        """The kWh over full cost, and its elasticity to the price of power: it is linear in it."""
        return self.energy_usd_per_mtok / self.usd_per_mtok()

    @property
    def powered_capacity_share(self) -> float:
        """Powered capacity over full cost."""
        return self.facility_usd_per_mtok / self.usd_per_mtok()

    @property
    def silicon_share(self) -> float:
        """Silicon over full cost."""
        return self.silicon_usd_per_mtok / self.usd_per_mtok()

    def rent_usd_per_mwh(self, *, margin_usd_per_mtok: float, basis: Basis) -> float:
        """Return what one more MWh is worth where power is what is lacking.

        Args:
            margin_usd_per_mtok: what a Mtok leaves once its power is paid.
            basis: whether the MWh is one that is drawn, or one of reserved nameplate.
        """
        return margin_usd_per_mtok * self.mtok_per_mwh(basis)

    def gpus_on(self, reserved_mw: float) -> float:
        """Return the GPUs that a connection can carry at nameplate."""
        return reserved_mw * KW_PER_MW / self.reserved_kw_per_gpu

    def to_dict(self) -> dict[str, Any]:
        """Return inputs and results as a JSON-ready mapping."""
        return asdict(self) | {
            "basis": "full",
            "usd_per_mtok": self.usd_per_mtok(),
            "energy_usd_per_mtok": self.energy_usd_per_mtok,
            "facility_usd_per_mtok": self.facility_usd_per_mtok,
            "silicon_usd_per_mtok": self.silicon_usd_per_mtok,
            "kwh_share": self.kwh_share,
            "powered_capacity_share": self.powered_capacity_share,
            "silicon_share": self.silicon_share,
            "consumed_j_per_token": self.j_per_token("consumed"),
            "reserved_j_per_token": self.j_per_token("reserved"),
        }
