"""What a contract's past leaves to its future: advanced by settlement of what was metered alone.

One flat record serves every kind of contract, so that the ledger keeps it as one row of JSON and
a restart reads it back bit for bit; what does not apply stays at its zero (contracts sheet,
section 6).
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractState:
    """The state of one contract or of one item of a tariff.

    Attributes:
        period: billing period that the running figures belong to, e.g. `2025-07`; "" before any.
        peak_mw: highest average of a demand interval in the running period.
        interval_mwh, interval_h: energy and hours so far in the running demand interval.
        billed_mw: demand billed so far in the running period: the peak, or what a ratchet or a
            minimum makes of it.
        past_peaks: (period, MW) of earlier periods that a ratchet looks back on, oldest first:
            peaks or billed demands, as the tariff has it.
        system_peak_mw, own_then_mw: highest system load so far in the running coincident month,
            and the own load then. Where the season's highest count: what a new day has to
            exceed (0 until there are enough days).
        system_mwh: energy of the system so far in the running peak interval, as `interval_mwh`.
        system_peaks: (day, system MW, own MW) that count so far, where the season's highest do.
        energy_mwh: imported so far in the running period (tiers).
        taken_mwh: taken or paid for so far in the running contract year (minimum take).
        matched_mwh, load_mwh: clean energy matched (or certificates that came with power) and
            load so far in the running period.
        charged_usd: charged so far in the running period (minimum bill).
        running_h: hours a generator ran in the running permit year (of full load, where it has
            neither a least output nor a cost of starting); `on` whether it runs now.
        events_count: events answered in the running year (demand response).
    """

    period: str = ""
    peak_mw: float = 0.0
    interval_mwh: float = 0.0
    interval_h: float = 0.0
    billed_mw: float = 0.0
    past_peaks: tuple[tuple[str, float], ...] = ()
    system_peak_mw: float = 0.0
    own_then_mw: float = 0.0
    system_mwh: float = 0.0
    system_peaks: tuple[tuple[str, float, float], ...] = ()
    energy_mwh: float = 0.0
    taken_mwh: float = 0.0
    matched_mwh: float = 0.0
    load_mwh: float = 0.0
    charged_usd: float = 0.0
    running_h: float = 0.0
    on: bool = False
    events_count: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the state as a JSON-ready mapping; floats survive the way there and back."""
        kept = asdict(self)
        kept["past_peaks"] = [list(each) for each in self.past_peaks]
        kept["system_peaks"] = [list(each) for each in self.system_peaks]
        return kept

    @classmethod
    def from_dict(cls, words: dict[str, Any]) -> Self:
        """Return the state that `to_dict` wrote.

        Raises:
            KeyError: if a field is missing.
        """
        read = {each.name: words[each.name] for each in fields(cls)}
        read["past_peaks"] = tuple((str(period), float(mw)) for period, mw in words["past_peaks"])
        read["system_peaks"] = tuple(
            (str(day), float(system_mw), float(own_mw))
            for day, system_mw, own_mw in words["system_peaks"]
        )
        return cls(**read)
