"""The chart of restraint: a bar for each way, in order, with what it costs."""

from pathlib import Path

from tokenergy.page.charts import chart_svg
from tokenergy.page.restraint_charts import restraint_chart
from tokenergy.page.stated import Stated

STATED = Stated(currency="USD", period="1 Mar 2026 UTC", synthetic=True)


def policy(name: str, words: str, kept: float, tokens: float) -> dict[str, object]:
    return {
        "policy": name, "words": words, "value_kept_share": kept, "tokens_share": tokens,
        "requests_share": tokens, "cost_usd": 1234.5, "margin_usd": 10.0,
    }  # fmt: skip


FOUND = {
    "tier": "free",
    "value_top_tenth_share": 0.5,
    "policies": [
        policy("unlimited", "unlimited", 1.0, 1.0),
        policy("first_come", "first come until empty", 0.34, 0.35),
        policy("paced", "paced (ours)", 0.86, 0.35),
    ],
}


def test_it_carries_its_rows_and_says_what_they_rest_on() -> None:
    spec = restraint_chart(FOUND, stated=STATED).to_dict(validate=True)
    rows = spec["datasets"]["restraint"]
    assert [row["way"] for row in rows] == ["unlimited", "first come until empty", "paced (ours)"]
    assert [row["kind"] for row in rows] == ["unlimited", "other", "ours"]
    assert [row["end_share"] for row in rows] == [1.0, 0.35, 0.86]
    assert rows[2]["words"] == "86.0%, costs 1,234 USD"
    assert spec["title"]["text"] == "What restraint keeps of tier free"
    assert "equal tokens but for unlimited; values assumed: 50%" in spec["title"]["subtitle"][0]


def test_it_makes_a_picture(tmp_path: Path) -> None:
    path = chart_svg(restraint_chart(FOUND, stated=STATED), tmp_path / "a.svg")
    assert "paced (ours)" in path.read_text(encoding="utf-8")
