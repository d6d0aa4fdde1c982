"""Conversion constants, and the table of suffixes that carry a unit in a name."""

from typing import Final

H_PER_DAY: Final = 24.0
H_PER_WEEK: Final = 7.0 * H_PER_DAY
S_PER_H: Final = 3600.0
J_PER_MWH: Final = 3.6e9
J_PER_WH: Final = 3.6e3
W_PER_KW: Final = 1e3
W_PER_MW: Final = 1e6
KW_PER_MW: Final = 1e3
KWH_PER_MWH: Final = 1e3
KG_PER_T: Final = 1e3
TOKENS_PER_MTOK: Final = 1e6
BYTES_PER_GB: Final = 1e9
H_PER_YEAR: Final = 8760.0
MONTHS_PER_YEAR: Final = 12.0
H_PER_MONTH: Final = H_PER_YEAR / MONTHS_PER_YEAR
MS_PER_S: Final = 1e3
NANO_USD_PER_USD: Final = 1e9
MICROJOULES_PER_J: Final = 1e6
EARTH_RADIUS_KM: Final = 6371.0
"""Kilometres of a great circle per radian (mean radius, IUGG)."""

SUFFIXES: Final = frozenset(
    {
        # energy and power
        "mw",
        "w",
        "kw",
        "mwh",
        "kwh",
        "j",
        "microjoules",
        "mw_per_gpu",
        "w_per_gpu",
        "w_per_core",
        "kw_per_gpu",
        "j_per_token",
        "mwh_per_mtok",
        "j_per_video_s",
        "wh",
        "wh_per_video_s",
        "j_per_gb",
        "j_per_tflop",
        "j_per_mpx",
        # money
        "usd",
        "nano_usd",
        "usd_per_mwh",
        "usd_per_kw",
        "usd_per_kwh",
        "usd_per_gpu_hour",
        "usd_per_gpu",
        "usd_per_mtok",
        "usd_per_gb",
        "usd_per_request",
        "usd_per_item",
        "usd_per_video_s",
        "usd_per_h",
        "usd_per_year",
        "usd_per_unit",
        "usd_per_unit_year",
        "usd_per_month",
        "usd_per_user",
        "usd_per_user_month",
        "usd_per_user_year",
        "usd_per_clip",
        "usd_per_day",
        "mtok_per_user_month",
        "month",
        "months",
        "per_month",
        "items_per_request",
        "s_per_item",
        "usd_per_mwh_discharged",
        "usd_per_kw_year",
        "usd_per_mw_day",
        "usd_per_t",
        # work
        "mtok",
        "mtok_per_h",
        "tokens",
        "tokens_count",
        "tokens_per_s_per_gpu",
        "requests_per_s",
        "tflop",
        "tflop_per_s",
        "mpx",
        "gpus_per_mtok",
        "replicas_per_mtok",
        # time, place, matter
        "h",
        "s",
        "ms",
        "y",
        "days",
        "deg",
        "km",
        "c",
        "kg",
        "kg_per_mwh",
        "kg_per_mmbtu",
        "gb",
        "gb_per_s",
        "bytes",
        "bytes_per_token",
        "bytes_per_weight",
        "b",
        "fps",
        "rad",
        "per_year",
        "per_h",
        "per_c",
        "m_per_s",
        "w_per_m2",
        # pure numbers
        "share",
        "count",
        "ratio",
        "pue",
        "sign",
        # its unit is the word in the column beside it (a line of a bill, a row of the ledger)
        "quantity",
    }
)
"""A float in the core ends in one of these (the house test reads it)."""
