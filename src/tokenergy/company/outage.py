"""What breaks in a simulation: a site, its feed, or a fleet, and when anybody knows."""

import re
from typing import Any, Final, Literal, Self

from pydantic import ValidationError, model_validator

from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share, UtcDatetime
from tokenergy.errors import InputError


class Outage(Noun):
    """Something that is gone for a while; policies learn of it when it is announced."""

    what: Literal["site", "feed", "fleet"]
    """A whole site is dark; its feed has tripped, and what stands there still draws; GPUs of a
    fleet are gone."""
    name: Name
    """The site (of a feed, too) or the fleet."""
    start: UtcDatetime
    """First moment, with its zone."""
    length_h: Positive
    """Length."""
    left_share: Share = 0.0
    """Share of the feed's limit or of the fleet's GPUs that is left; a dark site has nothing."""
    notice_h: NonNegative = 0.0
    """How long before its start it is known; 0: it comes as a surprise."""

    @model_validator(mode="after")
    def _a_dark_site_has_nothing(self) -> Self:
        if self.what == "site" and self.left_share:
            raise ValueError(
                f"left_share {self.left_share:g} of a dark site: it has nothing; a feed or a fleet "
                "may keep a part"
            )
        return self


FORM: Final = re.compile(
    r"(?P<what>[a-z]+):(?P<name>[^@]+)@(?P<start>[^+]+(?:\+\d\d:?\d\d)?)"
    r"\+(?P<length_h>[0-9.]+)h(?P<more>(?:,[a-z]+=[^,]+)*)"
)
SHOWN: Final = "feed:texas@2025-07-01T18:00Z+3h,left=0.7,notice=1h"
"""An example of the form; left and notice may be missing."""


def parse_outage(text: str) -> Outage:
    """Return the outage that a line of text states, such as `feed:texas@2025-07-01T18:00Z+3h`.

    `site`, `feed` or `fleet`, the name, the first moment with its zone, the length in hours; then
    `,left=SHARE` (of the limit or the GPUs) and `,notice=HOURSh`, if they are not 0.

    Raises:
        InputError: naming everything that is wrong with it, and the form.
    """
    read = FORM.fullmatch(text.strip())
    if read is None:
        raise InputError(f"outage {text!r} is not of the form {SHOWN!r}")
    said: dict[str, Any] = {key: read[key] for key in ("what", "name", "start", "length_h")}
    for part in read["more"].split(",")[1:]:
        key, _, value = part.partition("=")
        if key not in ("left", "notice"):
            raise InputError(f"outage {text!r}: {key!r} is neither left nor notice; {SHOWN!r}")
        said["left_share" if key == "left" else "notice_h"] = value.removesuffix("h")
    try:
        return Outage.model_validate(said)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(at) for at in each['loc'])} {each['input']!r}: {each['msg']}"
            for each in error.errors()
        )
        raise InputError(f"outage {text!r}: {wrong}; the form is {SHOWN!r}") from error
