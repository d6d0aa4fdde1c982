"""An outage in one line of text: read whole, or refused with everything that is wrong."""

from datetime import UTC, datetime

import pytest

from tokenergy.company.outage import Outage, parse_outage
from tokenergy.errors import InputError

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("feed:texas@2025-07-01T12:00Z+3h", {"what": "feed", "name": "texas", "length_h": 3.0}),
        (
            " site:new-york@2025-07-01T14:00:00+02:00+0.5h,notice=1h ",
            {"what": "site", "name": "new-york", "length_h": 0.5, "notice_h": 1.0},
        ),
        (
            "fleet:h100.a@2025-07-01T12:00Z+24h,left=0.25,notice=0.5h",
            {
                "what": "fleet",
                "name": "h100.a",
                "length_h": 24.0,
                "left_share": 0.25,
                "notice_h": 0.5,
            },
        ),
    ],
)
def test_what_a_line_says(text, said):
    assert parse_outage(text) == Outage(start=NOON, **said)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("texas@2025-07-01T12:00Z+3h", ["is not of the form", "feed:texas@"]),
        ("feed:texas@2025-07-01T12:00Z", ["is not of the form"]),
        (
            "feeds:texas@2025-07-01T12:00+0h",
            ["'feeds'", "'site', 'feed' or 'fleet'", "timezone", "length_h '0'"],
        ),
        ("feed:texas@2025-07-01T12:00Z+3h,left=1.5,notice=xh", ["left_share '1.5'", "notice_h"]),
        ("feed:texas@2025-07-01T12:00Z+3h,right=1", ["'right' is neither left nor notice"]),
        ("site:texas@2025-07-01T12:00Z+3h,left=0.5", ["a dark site", "has nothing"]),
    ],
)
def test_all_that_is_wrong_is_told_at_once(text, told):
    with pytest.raises(InputError) as refused:
        parse_outage(text)
    assert repr(text) in str(refused.value)
    for words in told:
        assert words in str(refused.value)
