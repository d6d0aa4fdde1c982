"""The claims: PASS and FAIL in words, the noes open, names escaped."""

import telling

from tokenergy.page.claims import claims


def test_verdicts_stand_in_words_beside_their_thresholds() -> None:
    body = claims(telling.thesis()).body
    for word in ("PASS", "FAIL", "NOT APPLICABLE", "≥ 0.1", "&lt;much&gt;"):
        assert word in body
    assert "synthetic prices" in body
    assert body.count('<th scope="row">') == 3


def test_what_does_not_hold_is_told_openly_and_the_rest_folded() -> None:
    body = claims(telling.thesis()).body
    folded = body[body.index("<details>") :]
    assert "Only 1 % of hours." not in folded
    assert "It saves 12 %." in folded
    assert "T3 cannot be told yet." in body
