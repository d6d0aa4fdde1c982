"""Colours that a colour-blind reader can tell apart, and how a chart looks by day and by night.

The eight hues are those of Okabe and Ito, "Color Universal Design" (2008), whose black is left
to text and lines: it would vanish on a dark page.
"""

from typing import Any, Final

ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#8C8C94"
PALE: Final = "#B9B9C0"

PARTS: Final = {
    "energy": ORANGE,
    "mw_rent": VERMILLION,
    "demand_peak_rent": PURPLE,
    "cfe_rent": GREEN,
    "gpu_rent": SKY,
    "wake": YELLOW,
    "network": BLUE,
    "quality": GREY,
    "other": PALE,
}
"""Parts of a marginal cost."""

SPENDING: Final = {
    "power": ORANGE,
    "cycling": YELLOW,
    "lease": SKY,
    "network": BLUE,
    "api": GREEN,
    "refused": VERMILLION,
    "downgraded": PURPLE,
    "end_valuation": GREY,
}
"""Parts of a policy's cost."""

CAPITAL: Final = {
    "kWh": ORANGE,
    "powered capacity": VERMILLION,
    "silicon": SKY,
    "other": PALE,
}
"""Parts of a full cost, and what of a marginal cost belongs to each."""

FLOWS: Final = {
    "behind the meter": YELLOW,
    "import, contract": GREEN,
    "import, rest": SKY,
    "battery": ORANGE,
    "export": BLUE,
}
"""Where a site's power comes from and where it goes beside the load."""

POWER_KINDS: Final = {
    "behind the meter": YELLOW,
    "contract": GREEN,
    "spot": SKY,
    "external": GREY,
    "none": GREY,
}
"""What power the tokens of a segment are made with."""

STEPS: Final = {
    "revenue": GREEN,
    "cost": ORANGE,
    "unused": PURPLE,
    "margin": BLUE,
}
"""Kinds of steps from revenue to margin; `unused` is capacity that nothing used."""

BASES: Final = {
    "marginal": SKY,
    "usage": ORANGE,
    "full": VERMILLION,
    "price": BLUE,
}
"""What a Mtok costs on each basis, and what it brings."""

RESULTS: Final = {
    "earns": BLUE,
    "loses": VERMILLION,
}
"""Whether something brings more than it costs."""

CASES: Final = {
    "today": VERMILLION,
    "with restraint": BLUE,
}
"""A company as its file has it, and under its own restraint."""

ENDS: Final = (SKY, ORANGE)
"""A lever moved down, and up."""

EXPOSURES: Final = {
    "exposure": ORANGE,
    "charges": PALE,
    "bill": BLUE,
}
"""What the cost of power is exposed to, the rest of the bill, and their sum."""

FIVE: Final = {
    "volume": BLUE,
    "price": SKY,
    "shape": ORANGE,
    "covariance": VERMILLION,
    "basis": PURPLE,
}
"""The five exposures of a contract."""

NOUNS: Final = {
    "site": VERMILLION,
    "fleet": SKY,
    "battery": ORANGE,
    "contract": GREEN,
}
"""Kinds of what a plan builds and signs."""

INVOICES: Final = {
    "power": ORANGE,
    "gpu": SKY,
    "facility": VERMILLION,
    "battery": YELLOW,
    "api": GREEN,
    "network": BLUE,
    "wear": PURPLE,
    "staff": GREY,
    "tier": GREY,
}
"""Kinds of what is invoiced."""

DURATIONS: Final = {"load": BLUE, "import": ORANGE}
"""Powers of a site, each sorted by size."""

CARPET: Final = "cividis"
"""Vega's name of a scale that grows in lightness alone for who cannot tell red from green."""

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def colour(palette: dict[str, str], name: str) -> str:
    """Return the colour of a name, grey for one that the palette does not know."""
    return palette.get(name, GREY)


def config(*, dark: bool) -> dict[str, Any]:
    """Return the Vega-Lite configuration that every chart shares."""
    ink, soft = ("#ECECF1", "#A9A9B6") if dark else ("#1B1B22", "#5B5B68")
    grid = "#33333D" if dark else "#E6E6EC"
    line = "#55555F" if dark else "#C4C4CE"
    land, sheet = ("#43434E", "#17171D") if dark else ("#CDCDD6", "#FFFFFF")
    labels = {"labelColor": soft, "titleColor": soft, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": labels
        | {"gridColor": grid, "domainColor": line, "tickColor": line, "titleFontWeight": "normal"},
        "legend": labels | {"titleFontWeight": "normal", "symbolType": "square", "labelLimit": 260},
        "header": {"labelColor": ink, "labelFontSize": 13, "labelFontWeight": 600}
        | {"titleColor": soft},
        "title": {"color": ink, "subtitleColor": soft, "fontSize": 15, "subtitleFontSize": 12}
        | {"anchor": "start", "subtitlePadding": 4, "fontWeight": 600},
        "text": {"color": ink, "fontSize": 12},
        "style": {
            "ink": {"color": ink, "stroke": ink},
            "ink-fill": {"color": ink, "fill": ink},
            "soft": {"color": soft, "stroke": soft},
            "soft-text": {"fill": soft, "fontSize": 11},
            "zero": {"color": soft, "stroke": soft, "strokeWidth": 1},
            "land": {"color": land, "stroke": land},
            "sheet": {"color": sheet, "fill": sheet},
            "halo": {"color": sheet, "fill": sheet, "stroke": sheet, "strokeWidth": 4},
        },
    }
