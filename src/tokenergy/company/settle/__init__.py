"""The bill: what contracts and tariffs charge for a series of metered intervals.

Written from the contract's own words and raw series, with loops and `max`, and sharing nothing
with the program that decides: that both arrive at one amount is the test of each. An amount above
0 is paid by the company, one below 0 is received. Settlement is incremental: settled in parts,
each with the state that the one before left, a bill sums to that of the whole (contracts sheet,
sections 1 and 6).
"""

from tokenergy.company.settle.contracts import NOTHING_BEFORE, delivered_mwh, settle
from tokenergy.company.settle.initial import initial_states, keeps_state
from tokenergy.company.settle.lines import Settlement, SettlementLine
from tokenergy.company.settle.meter import MeterSeries
from tokenergy.company.settle.tariffs import settle_tariff, state_keys

__all__ = [
    "NOTHING_BEFORE",
    "MeterSeries",
    "Settlement",
    "SettlementLine",
    "delivered_mwh",
    "initial_states",
    "keeps_state",
    "settle",
    "settle_tariff",
    "state_keys",
]
