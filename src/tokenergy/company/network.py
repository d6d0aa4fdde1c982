"""How far it is from a region to a site, and how long a round trip takes."""

import math
from typing import Final

from tokenergy.company.site import Network, Region, Site
from tokenergy.units import EARTH_RADIUS_KM

RTT_BASE_MS: Final = 5.0
RTT_MS_PER_100_KM: Final = 1.4
"""Both are guesses, and far too kind between America and Asia: medians between clouds are 70 ms
from Europe to the United States, but 230 to 240 from there to Asia (Persico et al., 2016)."""


def distance_km(region: Region, site: Site) -> float:
    """Return the great-circle distance from a region to a site (haversine)."""
    here_rad, there_rad = math.radians(region.latitude_deg), math.radians(site.latitude_deg)
    across_rad = math.radians(site.longitude_deg - region.longitude_deg)
    chord = (
        math.sin((there_rad - here_rad) / 2.0) ** 2
        + math.cos(here_rad) * math.cos(there_rad) * math.sin(across_rad / 2.0) ** 2
    )
    return 2.0 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, chord)))


def rtt_ms(network: Network, region: Region, site: Site) -> float:
    """Return the round trip in milliseconds: as measured, else `5 + 1.4 x km / 100`."""
    for measured in network.rtt:
        if (measured.region, measured.site) == (region.name, site.name):
            return measured.rtt_ms
    return RTT_BASE_MS + RTT_MS_PER_100_KM * distance_km(region, site) / 100.0
