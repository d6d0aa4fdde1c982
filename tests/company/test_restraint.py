"""What a restraint says that it changes, word for word; one that limits nothing is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from tokenergy.company.restraint import Restraint, restrained_text


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"must_serve": False}, "free: refuses what is worth less than it costs"),
        ({"must_serve": True}, "free: serves whatever it costs"),
        ({"deadline_s": 5400.0}, "free: waits up to 1.5 h"),
        ({"ladder": ["small", "tiny"]}, "free: answers with small, then tiny"),
        (
            {"deadline_s": 3600.0, "cap_ratio": 3.0, "churn_share": 0.1},
            "free: waits up to 1 h; caps a user at 3 times the mean",
        ),
    ],
)
def test_every_limit_is_said(limits: dict[str, Any], text: str) -> None:
    assert restrained_text(Restraint.model_validate({"tier": "free"} | limits)) == text


def test_a_restraint_that_limits_nothing_is_none() -> None:
    with pytest.raises(ValidationError, match="a restraint limits something"):
        Restraint.model_validate({"tier": "free", "churn_share": 0.1})
