"""What share of its nameplate a wind or solar plant makes of the weather: always modelled."""

from typing import Final

CUT_IN_M_PER_S: Final = 3.0
RATED_M_PER_S: Final = 11.4
CUT_OUT_M_PER_S: Final = 25.0
"""NREL 5-MW reference turbine (Jonkman et al. 2009, NREL/TP-500-38060, table 1-1)."""
STANDARD_SUN_W_PER_M2: Final = 1000.0
"""Irradiance of the standard test conditions, under which a nameplate is stated (IEC 60904-3)."""
PERFORMANCE_SHARE: Final = 0.86
"""1 less the default system losses of 14 % of PVWatts 5 (Dobos 2014, NREL/TP-6A20-62641)."""

WIND_MODEL: Final = (
    f"modelled: cubic power curve, cut-in {CUT_IN_M_PER_S:g}, rated {RATED_M_PER_S:g}, cut-out "
    f"{CUT_OUT_M_PER_S:g} m/s (NREL/TP-500-38060), no wake or icing losses"
)
SOLAR_MODEL: Final = (
    f"modelled: radiation on the horizontal over {STANDARD_SUN_W_PER_M2:g} W/m2 x "
    f"{PERFORMANCE_SHARE:g} (PVWatts default losses, NREL/TP-6A20-62641), DC nameplate, "
    "no tilt or tracking"
)


def wind_share(wind_m_per_s: float) -> float:
    """Return a turbine's output over its nameplate, 0 to 1.

    0 below cut-in and from cut-out; 1 from rated up; between them the power in the wind,
    which grows with its cube: (v^3 - a^3) / (r^3 - a^3), continuous at both ends.
    """
    if not CUT_IN_M_PER_S < wind_m_per_s < CUT_OUT_M_PER_S:
        return 0.0
    above_ratio = (wind_m_per_s**3 - CUT_IN_M_PER_S**3) / (RATED_M_PER_S**3 - CUT_IN_M_PER_S**3)
    return min(above_ratio, 1.0)


def solar_share(sun_w_per_m2: float) -> float:
    """Return a field's output over its nameplate, 0 to 1, from the radiation that meets it."""
    met_ratio = max(sun_w_per_m2, 0.0) / STANDARD_SUN_W_PER_M2
    return min(met_ratio * PERFORMANCE_SHARE, 1.0)
