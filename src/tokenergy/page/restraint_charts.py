"""The chart of restraint: what each way of giving away as many tokens keeps of the value."""

from collections.abc import Mapping
from typing import Any

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import WIDTH_PX, titled, with_rows
from tokenergy.page.stated import Stated

OURS = "paced"
UNLIMITED = "unlimited"
_NAMES = alt.Axis(labelLimit=240, ticks=False, domain=False, labelPadding=8)
_ROOM_SHARE = 1.42
"""Length of the axis: all of the value, and room for the words behind the longest bar."""


def restraint_chart(found: Mapping[str, Any], *, stated: Stated) -> Any:
    """Show the value that each way keeps, and the tokens that it takes for it.

    Args:
        found: `thesis.restraint_requests.RestraintRequests.to_dict()`.
        stated: what the chart states.
    """
    rows = [_row(policy, stated.currency) for policy in found["policies"]]
    order = [row["way"] for row in rows]
    base = alt.Chart().encode(y=alt.Y("way:N", title=None, sort=order, axis=_NAMES))
    tips = [
        alt.Tooltip("way:N"),
        alt.Tooltip("value_kept_share:Q", title="value kept", format=".1%"),
        alt.Tooltip("tokens_share:Q", title="tokens", format=".1%"),
        alt.Tooltip("requests_share:Q", title="requests", format=".1%"),
        alt.Tooltip("cost_usd:Q", title=f"cost, {stated.currency}", format=",.0f"),
        alt.Tooltip("margin_usd:Q", title=f"margin, {stated.currency}", format=",.0f"),
    ]
    share = alt.X(
        "value_kept_share:Q",
        title="part of the value (bar) and of the tokens (line)",
        scale=alt.Scale(domain=[0.0, _ROOM_SHARE]),
        axis=alt.Axis(format="~%", values=[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    )
    colour = alt.Scale(
        domain=["ours", "other", "unlimited"], range=[palette.BLUE, palette.SKY, palette.PALE]
    )
    bars = base.mark_bar(height={"band": 0.7}, aria=False).encode(
        x=share, color=alt.Color("kind:N", scale=colour, legend=None), tooltip=tips
    )
    tokens = base.mark_tick(style="ink-fill", thickness=2, size=20, aria=False).encode(
        x="tokens_share:Q", tooltip=tips
    )
    words = base.mark_text(align="left", dx=6, aria=False).encode(x="end_share:Q", text="words:N")
    layers = alt.layer(bars, tokens, words, data=alt.NamedData(name="restraint"))
    basis = (
        f"equal tokens but for unlimited; values assumed: {found['value_top_tenth_share']:.0%} in "
        "a tenth of the requests"
    )
    chart = layers.properties(
        width=WIDTH_PX - 190,
        height=alt.Step(30),
        title=titled(
            f"What restraint keeps of tier {found['tier']}",
            stated.subtitle(stated.currency, basis),
        ),
    )
    return with_rows(chart, restraint=rows)


def _row(policy: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return one bar; words are kept short enough for the room behind it."""
    name = policy["policy"]
    kind = "ours" if name == OURS else "unlimited" if name == UNLIMITED else "other"
    shown = (
        "tokens_share", "requests_share", "value_kept_share", "cost_usd", "margin_usd",
    )  # fmt: skip
    return {key: policy[key] for key in shown} | {
        "way": policy["words"],
        "kind": kind,
        "end_share": max(policy["value_kept_share"], policy["tokens_share"]),
        "words": f"{policy['value_kept_share']:.1%}, costs {policy['cost_usd']:,.0f} {currency}",
    }
