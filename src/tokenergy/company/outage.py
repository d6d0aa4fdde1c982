"""What breaks in a simulation: a site, its feed, or a fleet, and when anybody knows."""

from typing import Literal

from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share, UtcDatetime


class Outage(Noun):
    """Something that is gone for a while; policies learn of it when it is announced."""

    what: Literal["site", "feed", "fleet"]
    """A whole site is dark; its feed has tripped, and what stands there still draws; GPUs of a
    fleet are gone."""
    name: Name
    """The site (of a feed, too) or the fleet."""
    start: UtcDatetime
    """First moment, with its zone."""
    hours: Positive
    """Length."""
    left_share: Share = 0.0
    """Share of the feed's limit or of the fleet's GPUs that is left; a dark site has nothing."""
    notice_h: NonNegative = 0.0
    """How long before its start it is known; 0: it comes as a surprise."""
