"""The demand of the last weeks from the best source there is."""

from datetime import timedelta

import numpy as np
import pytest
from engine_server import Reply, engine_server, matrix, vector
from observed import NOON, held_company, ones_of

from tokenergy.api.observed.company import open_observed
from tokenergy.api.observed.past import _in_steps, _last_days, past_saving
from tokenergy.company.usage import UsageRow
from tokenergy.feeds.http import Http

HOUR = timedelta(hours=1)
NOW = NOON.replace(minute=0)
JSON = "application/json"
NAMES = (
    "vllm:prompt_tokens_total",
    "vllm:prompt_tokens_cached_total",
    "vllm:generation_tokens_total",
    "vllm:request_success_total",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
)


@pytest.fixture
def http():
    with Http(timeout_s=2.0, tries_count=1) as port:
        yield port


def usage(begin, end, output=1_000_000):
    return UsageRow(start=begin, end=end, model="small", input_tokens=0, output_tokens=output)


def told(held, outputs, rows, http):
    return past_saving(held, ones_of(held, *outputs), rows, http=http)


def codes(findings):
    return [finding.code for finding in findings]


def test_without_a_history_the_present_rate_is_held_for_a_week(tmp_path, http):
    held = held_company(tmp_path, past_count=9 * 24)
    saving, why = told(held, (18_000, 6_000), (), http)
    assert (saving.basis, saving.end) == ("rate_held", NOW)
    assert saving.start == NOW - timedelta(days=7)
    assert why == ()


def test_usage_is_told_about_for_its_whole_days_with_prices(tmp_path, http):
    """Three days of usage and prices of two: two of them."""
    held = held_company(tmp_path, past_count=48)
    rows = [usage(NOW - 72 * HOUR, NOW, 72_000_000)]
    saving, why = told(held, (18_000, 6_000), rows, http)
    assert (saving.basis, saving.start, saving.end) == ("usage", NOW - 48 * HOUR, NOW)
    assert why == ()


@pytest.mark.parametrize(
    ("begin_h", "end_h"),
    [(-5, 0), (-24 * 90, -24 * 60), (5, 60)],
    ids=["hours", "before the prices", "in the future"],
)
def test_usage_that_covers_no_priced_day_is_told_and_not_used(tmp_path, http, begin_h, end_h):
    held = held_company(tmp_path, past_count=48)
    rows = [usage(NOW + begin_h * HOUR, NOW + end_h * HOUR)]
    saving, why = told(held, (18_000, 6_000), rows, http)
    assert saving.basis == "rate_held"
    assert codes(why) == ["USAGE_SHORT"]


def test_nothing_runs_so_nothing_is_saved(tmp_path, http):
    held = held_company(tmp_path)
    saving, why = told(held, (0, 0), (), http)
    assert saving is None and codes(why) == ["SAVING_UNKNOWN"]
    saving, why = told(held, (None, None), (), http)
    assert saving is None and codes(why) == ["SAVING_UNKNOWN"]


def prometheus(hours, *, tokens=1_000_000, hole=None):
    """Speak as a server that knows so many hours up to now, less the one before `hole` hours."""

    def answer(path, query):
        if path.endswith("/query"):
            found = [({"__name__": name, "job": "vllm", "model_name": "m"}, "7") for name in NAMES]
            return Reply(vector(*found), content_type=JSON)
        ends = [NOW - at * HOUR for at in range(hours)][::-1]
        kept = [end for end in ends if hole is None or end != NOW - hole * HOUR]
        asked = float(query["start"][0]), float(query["end"][0])
        values = [
            (end.timestamp(), str(tokens))
            for end in kept
            if asked[0] <= end.timestamp() <= asked[1]
        ]
        return Reply(matrix(({}, values)), content_type=JSON)

    return answer


def observed_at(folder, url, *, step="1", **more):
    held = held_company(folder, change=("days: 2}", f"days: 2, step_h: {step}}}"), **more)
    text = held.path.read_text()
    for site in ("paris", "oslo"):
        text = text.replace(
            f'"http://127.0.0.1:9/{site}/metrics"', f'"{url}", selector: \'site="{site}"\''
        )
    held.path.write_text(text)
    count = round(72 / float(step))
    return open_observed(held.path, at=NOON, past_count=count)


@pytest.mark.parametrize("step", ["0.25", "1", "2", "24"])
def test_a_prometheus_server_keeps_the_demand(tmp_path, http, step):
    """1 Mtok an hour at either engine for 72 h: 144 Mtok, whatever an interval is."""
    with engine_server(prometheus(24 * 4)) as server:
        held = observed_at(tmp_path, server.url, step=step)
        saving, why = told(held, (18_000, 6_000), (), http)
    assert saving.basis == "prometheus", why
    days = (saving.end - saving.start) / timedelta(days=1)
    assert days == pytest.approx(3.0)
    assert saving.replicas_count == 2.0


def test_what_came_before_a_hole_is_left_out(tmp_path, http):
    """Nothing of the hour that ended 30 h ago: the 24 h of whole days after it are told about."""
    with engine_server(prometheus(24 * 4, hole=30)) as server:
        held = observed_at(tmp_path, server.url)
        saving, why = told(held, (18_000, 6_000), (), http)
    assert (saving.basis, saving.start, saving.end) == ("prometheus", NOW - 24 * HOUR, NOW)
    assert set(codes(why)) == {"PROMETHEUS_GAP"}


def test_a_server_that_holds_less_than_a_day_says_so(tmp_path, http):
    with engine_server(prometheus(7)) as server:
        held = observed_at(tmp_path, server.url)
        saving, why = told(held, (18_000, 6_000), (), http)
    assert saving.basis == "rate_held"
    assert "HISTORY_SHORT" in codes(why)


def test_a_server_that_cannot_be_read_is_told(tmp_path, http):
    with engine_server(Reply(b"no", status=500)) as server:
        held = observed_at(tmp_path, server.url)
        saving, why = told(held, (18_000, 6_000), (), http)
    assert saving.basis == "rate_held"
    assert codes(why) == ["HISTORY_UNREADABLE"]


def test_hours_in_steps_by_hand():
    """Two hours of 4 and 8: quarters of 1 and 2, or 12 together; what is no whole step goes."""
    hours = np.array([4.0, 8.0, np.nan])
    assert _in_steps(hours[:2], 0.25).tolist() == [1.0] * 4 + [2.0] * 4
    assert _in_steps(hours, 2.0).tolist() == [12.0]


def test_the_last_whole_days_by_hand():
    """Of 10 intervals 3 a day: a hole at 2 and nothing at 9 leave 3 to 8, two days."""
    values = np.ones(10)
    values[[2, 9]] = np.nan
    assert _last_days({"a": values, "b": np.ones(10)}, per_day=3) == (3, 6)
    assert _last_days({"a": np.full(4, np.nan)}, per_day=3) == (0, 0)
