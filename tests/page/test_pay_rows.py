"""The rows behind the panels: bars that may be open, far or of another width; levers; fates."""

from typing import Any

import paying
import pytest

from tokenergy.page import pay_rows


def bins(*rows: tuple[float | None, float | None, float]) -> list[dict[str, Any]]:
    names = ("low_usd_per_user_month", "high_usd_per_user_month", "users_share")
    return [dict(zip(names, row, strict=True)) for row in rows]


def bars(losers: str, *rows: tuple[float | None, float | None, float]) -> list[dict[str, Any]]:
    line = {"histogram": bins(*rows), "losers": losers}
    tier = {"tier": "free", "users_count": 10, "marginal": None, "usage": line}
    return pay_rows.histogram_rows({"users": {"tiers": [tier]}})


def places(rows: list[dict[str, Any]]) -> list[tuple[float, float]]:
    return [(row["from_usd"], row["to_usd"]) for row in rows]


def test_open_ends_are_as_wide_as_most_bins() -> None:
    rows = bars("heavy", (None, 0, 0.1), (0, 2, 0.3), (2, 4, 0.4), (4, None, 0.2))
    assert places(rows) == [(-2, 0), (0, 2), (2, 4), (4, 6)]
    assert [row["result"] for row in rows] == ["loses", "earns", "earns", "earns"]
    assert [row["height_share"] for row in rows] == [0.1, 0.3, 0.4, 0.2]
    assert [row["range"] for row in rows] == ["below 0", "0 to 2.00", "2.00 to 4.00", "above 4.00"]


def test_a_wide_bin_is_as_high_as_its_users_in_bins_of_most_widths() -> None:
    """30 % over 6, where most are 2 wide: 10 % in each 2."""
    rows = bars("none", (0, 6, 0.3), (6, 8, 0.3), (8, 10, 0.4))
    assert [row["height_share"] for row in rows] == pytest.approx([0.1, 0.3, 0.4])
    assert rows[0]["users_share"] == 0.3


def test_where_everybody_loses_no_bar_reaches_over_zero() -> None:
    rows = bars("all", (None, -2, 0.1), (-2, -1, 0.3), (-1, -0.2, 0.4), (-0.2, None, 0.2))
    assert places(rows)[-1] == (-0.2, 0.0)
    assert {row["result"] for row in rows} == {"loses"}


def test_bars_beyond_a_far_one_are_cut_off() -> None:
    """0 lies 100 widths below the others: the bar that spans them is cut to its near end."""
    rows = bars(
        "heavy",
        (None, 0, 0.01),
        (0, 100, 0.05),
        (100, 101, 0.4),
        (101, 102, 0.5),
        (102, None, 0.04),
    )
    assert places(rows) == [(99, 100), (100, 101), (101, 102), (102, 103)]
    assert rows[0]["height_share"] == 0.05
    assert rows[0]["range"] == "0 to 100"


def test_one_margin_for_all_is_one_bar() -> None:
    (row,) = bars("none", (5.0, 5.0, 1.0))
    assert row["from_usd"] < 5.0 < row["to_usd"]
    assert (row["users_share"], row["height_share"], row["result"]) == (1.0, 1.0, "earns")


def test_bars_of_the_tier_by_hand_hold_all_its_users() -> None:
    rows = pay_rows.histogram_rows(paying.economics())
    panels = {row["panel"] for row in rows}
    assert panels == {"plus, marginal", "plus, usage", "free, marginal", "free, usage"}
    for tier, basis, line in pay_rows.lines_of_users(paying.economics()):
        mine = [row for row in rows if row["panel"] == f"{tier['tier']}, {basis}"]
        held = sum(each["users_share"] for each in line["histogram"])
        assert sum(row["users_share"] for row in mine) == pytest.approx(held)
        assert all(row["from_usd"] < row["to_usd"] for row in mine)


def test_a_dollar_of_margin_is_drawn_as_a_dollar_of_cost_less() -> None:
    """+0.55 on the margin, over a full cost of 1.7660: 31.1 % of it, downwards."""
    rows = pay_rows.lever_rows(paying.economics()["levers"])
    price = {row["end"]: row for row in rows if row["lever"] == "token price"}
    assert price["up 50\N{NO-BREAK SPACE}%"]["change_usd_per_mtok"] == pytest.approx(-0.55)
    assert price["up 50\N{NO-BREAK SPACE}%"]["change_share"] == pytest.approx(-0.3114, abs=1e-4)
    assert rows[0]["lever"] == "throughput"
    assert rows[0]["change_share"] == pytest.approx(0.9683, abs=1e-4)
    assert "utilisation, capped" in {row["lever"] for row in rows}


def test_what_became_of_the_work_is_weighed_by_what_was_asked() -> None:
    tiers = [
        {"asked_mtok_per_year": 30.0, "served_share": 1.0, "refused_share": 0.0},
        {"asked_mtok_per_year": 10.0, "served_share": 0.6, "refused_share": 0.4},
    ]
    fate = pay_rows.fate_of({"tiers": [tier | {"downgraded_share": 0.2} for tier in tiers]})
    assert fate["asked_mtok_per_year"] == 40.0
    assert fate["served_share"] == pytest.approx(0.9)
    assert fate["refused_share"] == pytest.approx(0.1)
    assert fate["downgraded_share"] == pytest.approx(0.2)
    assert pay_rows.fate_of({"tiers": []})["served_share"] is None


def test_a_turn_lies_on_the_line_that_is_drawn() -> None:
    curves = pay_rows.curves_of(paying.economics())
    line = [
        (row["case"], row["users_count"], row["profit_usd_per_year"])
        for row in pay_rows.profit_rows(curves)
    ]
    marks = pay_rows.profit_marks(curves)
    assert all(
        (row["case"], row["users_count"], row["profit_usd_per_year"]) in line for row in marks
    )
    today = [users for case, users, _ in line if case == "today"]
    assert today == sorted(today)


def test_the_exposures_and_charges_are_the_bill() -> None:
    rows = pay_rows.exposure_rows(paying.economics()["exposures"])
    assert sum(row["usd"] for row in rows[:-1]) == pytest.approx(rows[-1]["usd"])
    assert rows[-1]["usd"] == pytest.approx(4.6e6)


def test_only_tiers_of_nothing_but_media_are_left_out() -> None:
    prices = [
        {"workload": "films", "usd_per_item": 0.4, "usd_per_video_s": 0.1},
        {"workload": "chat-america", "usd_per_item": None, "usd_per_video_s": None},
    ]
    assert pay_rows.media_tiers(paying.economics(), prices) == ("studio",)
    mixed = [{"workload": "films", "tier": "studio"}, {"workload": "text", "tier": "studio"}]
    assert pay_rows.media_tiers(paying.economics(cost_by_workload=mixed), prices) == ()
