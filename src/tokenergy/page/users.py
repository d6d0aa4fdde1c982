"""The sections on users: who costs more than is paid, and what growth and restraint do."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from html import escape
from typing import Any

from tokenergy.company.currency import in_currency
from tokenergy.page import pay_rows, user_charts, user_tables
from tokenergy.page.data import ReportData
from tokenergy.page.html import Section, figure, folded, paragraph
from tokenergy.page.number import cell, known, money, percent
from tokenergy.page.rows import Given, Row, moment, stamp
from tokenergy.page.stated import Stated, stated


def users(data: ReportData, economics: Given) -> Section:
    """Return panel 3: who among the users costs more than is paid."""
    when, title = stated(data), "Users that cost more than they bring"
    held = economics.get("users") or {}
    if not pay_rows.lines_of_users(economics):
        text = "No tier of the file says who holds it, so that there is no margin by user."
        return Section(anchor="users", link="Users", title=title, body=paragraph(text))
    marginal = held.get("marginal_share_unprofitable")
    body = (
        f"<p>Of all users {cell(held.get('share_unprofitable'), percent)} cost more than they "
        f"bring by what their tokens used, {cell(marginal, percent)} at the margin. "
        f"{escape(_sources(held))}</p>"
    )
    charts: dict[str, Any] = {}
    whale, bins = pay_rows.whale_rows(economics), pay_rows.histogram_rows(economics)
    if whale:
        charts["whale"] = user_charts.whale_chart(whale, stated=when)
        body += figure(
            "whale",
            charts["whale"],
            words="Curves of what the users of a tier earn together, from the worst user on: they "
            "fall while users lose money and rise after. The table below says how many lose.",
        )
    if bins:
        charts["histogram"] = user_charts.histogram_chart(bins, stated=when)
        body += figure(
            "histogram",
            charts["histogram"],
            words="Bars of how many users leave how much in a month, those that lose apart, one "
            "panel for each tier and basis.",
        )
        body += paragraph(
            "The first and the last bar of a panel are open ends. A bar wider than the others is "
            "as high as its users would be in bars of their width; users far beyond the rest are "
            "cut off, and counted in the table."
        )
    body += user_tables.users_table(economics, when)
    return Section(anchor="users", link="Users", title=title, body=body, charts=charts)


def _sources(held: Given) -> str:
    """Say where each tier's distribution of usage is from."""
    words = {
        "ledger": "from the requests of a ledger",
        "lognormal": "a lognormal of the tail that the file states",
    }
    said = []
    for tier in held.get("tiers") or ():
        if known(tier.get("users_count")):
            where = words.get(
                str(tier["source"]), "not known, so that its users are not told apart"
            )
            said.append(f"{tier['tier']}, {where}")
    return f"How unevenly users ask: {'; '.join(said)}."


def growth(data: ReportData, economics: Given) -> Section:
    """Return panel 4: profit against users, with and without restraint, and the path of growth."""
    title, curves = "What growth does", pay_rows.curves_of(economics)
    line = pay_rows.answer_line(data, pay_rows.GROWTH_LINE)
    if not curves:
        text = line or "No tier of the file names its users, so that nothing grows with them."
        return Section(anchor="growth", link="Growth", title=title, body=paragraph(text))
    scale = economics["scale"]
    when = _year_of(data, next(iter(curves.values())))
    charts = {
        "profit": user_charts.profit_chart(
            pay_rows.profit_rows(curves),
            pay_rows.profit_marks(curves),
            stated=when,
            capacity=str(scale.get("capacity")),
            keyed=True,
        )
    }
    body = _list((curves.get(pay_rows.TODAY) or {}).get("says") or (), data)
    body += figure(
        "profit",
        charts["profit"],
        words="Lines of the yearly profit against the number of users, today and with restraint, "
        "with marks where growth turns. The table below has the numbers at today's users.",
        lines=[("here", "users of the file"), ("turn", "growth turns"), ("even", "breaks even")],
    )
    body += _restraint(data, curves, scale.get("restraint") or ())
    if scale.get("tonight"):
        body += paragraph(str(scale["tonight_says"][-1]))
        body += user_tables.tonight_table(scale["tonight"], when)
    body += user_tables.today_table(
        curves, when, following=scale.get("following"), by_use=economics.get("break_even_usage")
    )
    body += user_tables.fate_table(curves, when)
    path = scale.get("growth")
    if path and path.get("points"):
        charts["growth"] = user_charts.growth_chart(_path_rows(path), stated=_path_of(data, path))
        body += '<h4 id="path">The path of growth</h4>' + _path(data, path, charts["growth"])
        body += _burn(data, economics) + _restrained_path(data, scale.get("growth_restrained"))
    else:
        body += paragraph("The file states no path of growth.")
    return Section(anchor="growth", link="Growth", title=title, body=body, charts=charts)


def _restraint(data: ReportData, curves: Mapping[str, Given], limits: Sequence[str]) -> str:
    """Return what restraint changes, in words, and what the curve under it says of itself."""
    if pay_rows.RESTRAINED not in curves:
        return paragraph("The file states no restraint, so that none stands beside today.")
    body = "<p>With restraint:</p>" + _list(limits, data)
    says = curves[pay_rows.RESTRAINED].get("says") or ()
    return body + folded("What the curve with restraint says", _list(says, data))


def _path(data: ReportData, path: Given, chart: Any) -> str:
    first, burn = path.get("first_profitable_month"), path.get("burn_usd")
    profit = "No month has a profit." if first is None else f"Month {first} is the first that pays."
    unit = escape(data.currency)
    lost = "No month loses money. "
    if burn:
        lost = (
            f"Months with a loss burn {cell(burn, money)} {unit}; to come through, "
            f"{cell(path.get('deepest_usd'), money)} {unit} have to be raised. "
        )
    body = (
        f"<p>{lost}The whole path leaves {cell(path.get('cumulative_usd'), money)} {unit}. "
        f"{escape(profit)}</p>"
    )
    body += figure(
        "growth",
        chart,
        words="A line of users and bars of the profit of each month along the path of growth. "
        "The table below has the numbers.",
    )
    body += user_tables.growth_table(path["points"], _path_of(data, path))
    says = [*(path.get("says") or ()), path.get("basis") or ""]
    return body + folded("What the path says", _list([line for line in says if line], data))


def _burn(data: ReportData, economics: Given) -> str:
    """Return what is burnt for each unit of new revenue, if that is known."""
    says = economics.get("burn_says")
    return paragraph(in_currency(str(says), data.currency)) if says else ""


def _restrained_path(data: ReportData, path: Given | None) -> str:
    """Return the same path under the file's restraint, in numbers and in words."""
    if not path or not path.get("points"):
        return ""
    body = '<h4 id="restrained-path">The same path with restraint</h4>'
    body += user_tables.growth_table(path["points"], _path_of(data, path), under="with restraint")
    return body + folded("What the path with restraint says", _list(path.get("says") or (), data))


def _list(lines: Sequence[Any], data: ReportData) -> str:
    """Return sentences of the core one by one, in the company's money."""
    items = "".join(f"<li>{escape(in_currency(str(line), data.currency))}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _year_of(data: ReportData, curve: Given) -> Stated:
    """Return what a yearly figure states: the window that stands for the year."""
    when, start = stated(data), (data.heading.get("horizon") or {}).get("start")
    if start and curve.get("window_h"):
        end = stamp(moment(start) + timedelta(hours=float(curve["window_h"])))
        when = when.over([{"start": start, "end": end}])
    return replace(when, period=f"a year of hours like {when.period}")


def _path_of(data: ReportData, path: Given) -> Stated:
    when = _year_of(data, path)
    return replace(when, period=when.period.replace("a year", f"{len(path['points'])} months", 1))


def _path_rows(path: Given) -> list[Row]:
    return [
        {name: point[name] for name in ("month", "users_count", "profit_usd_per_month")}
        | {"result": "earns" if point["profit_usd_per_month"] >= 0.0 else "loses"}
        for point in path["points"]
    ]
