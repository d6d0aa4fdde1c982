"""Observe from end to end, against engines that a real server on loopback plays."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engine_server import Reply, engine_server
from observed import NOON, Engines, Moved, company_file

from tokenergy.api.observing import Ask, Observer, watch_once
from tokenergy.errors import FindingsError, InputError
from tokenergy.store.sqlite import SqliteLedger


def seen(folder: Path, *, engines: Engines | None = None, more="", ask=None, **prices):
    """Observe the small company for a minute; return it with what was asked of its engines."""
    played = engines or Engines()
    moved = Moved(on_sleep=played.run)
    with engine_server(played.answer) as server:
        path = company_file(folder, server.url, more=more, **prices)
        found = watch_once(
            Ask(company=path, **(ask or {})),
            clock=moved.clock,
            ticks=moved.ticks,
            sleep=moved.sleep,
        )
    return found, server


@pytest.fixture(scope="module")
def minute(tmp_path_factory):
    return seen(tmp_path_factory.mktemp("minute"))[0]


def codes(observation) -> set[str]:
    return {finding.code for finding in observation.findings}


def test_tokens_are_differences_of_counters(minute):
    """300 a second for 60 s are 18,000 out, twice as many in, of which half were cached."""
    paris, oslo = (model for _, model in minute.models())
    assert (paris.tokens.output, paris.tokens.input, paris.tokens.cached_input) == (
        18_000,
        36_000,
        18_000,
    )
    assert oslo.tokens.output == 6_000
    assert minute.span_s == pytest.approx(60.0)
    assert [site.price_usd_per_mwh for site in minute.sites] == [80.0, 40.0]


def test_joules_are_modelled_in_four_parts(minute):
    """Host: 150 W x 60 s = 9,000 J; overhead: 0.2 of boards and host at PUE 1.2."""
    paris = next(model for _, model in minute.models())
    joules = paris.joules
    assert joules.tier == "modelled"
    assert joules.host_j == pytest.approx(9_000.0)
    boards = joules.gpu_j + joules.idle_j
    assert joules.overhead_j == pytest.approx(0.2 * (boards + 9_000.0))
    assert joules.total_j == pytest.approx(1.2 * (boards + 9_000.0))
    assert joules.low_j < joules.total_j < joules.high_j
    # 0.75 x 0.82 x 700 W are there at any load; the rest comes with tokens.
    assert boards > 0.75 * 0.82 * 700 * 60
    assert paris.j_per_token == pytest.approx(joules.total_j / 18_000)


def test_the_full_cost_is_the_sum_of_its_parts(minute):
    """GPU: 2 USD/h for a minute; hall: by a quarter of the site's GPUs; staff: 10 USD/h by 1/8."""
    paris = next(model for _, model in minute.models())
    mtok = 0.018
    parts = paris.full_parts
    assert parts["gpu"] == pytest.approx(2.0 / 60 / mtok)
    assert parts["staff"] == pytest.approx(10.0 / 8 / 60 / mtok)
    share = 0.09 / (1 - 1.09**-15)
    assert parts["facility"] == pytest.approx(10_000 * 50 * share / 8760 / 4 / 60 / mtok)
    assert parts["energy"] == pytest.approx(paris.joules.total_j / 3.6e9 * 100.0 / mtok)
    assert paris.usd_per_mtok_full == pytest.approx(sum(parts.values()))


def test_the_marginal_cost_is_energy_alone_while_a_replica_has_room(minute):
    """Nothing is scarce: one Mtok more costs its energy at 100 USD/MWh, to 1e-9 of its parts."""
    paris, oslo = (model for _, model in minute.models())
    for model, usd_per_mwh in ((paris, 100.0), (oslo, 40.0)):
        assert sum(model.parts.values()) == pytest.approx(model.usd_per_mtok_marginal)
        assert model.parts["energy"] > 0.0
        assert model.parts["mw_rent"] == model.parts["gpu_rent"] == 0.0
        assert model.usd_per_mtok_marginal < model.usd_per_mtok_full / 100
        assert usd_per_mwh > 0
    assert oslo.usd_per_mtok_marginal < paris.usd_per_mtok_marginal
    assert paris.usd_per_mtok_elsewhere == pytest.approx(oslo.usd_per_mtok_marginal)


def test_the_saving_names_its_basis_baselines_and_band(minute):
    saving = minute.saving
    assert saving.basis == "rate_held"
    assert [one.baseline for one in saving.against] == ["as_observed", "greedy_battery"]
    did = saving.against[0]
    assert did.usd == pytest.approx(saving.cost_usd["as_observed"] - saving.cost_usd["mpc"])
    assert did.low_usd <= did.usd * (1 + 1e-12) <= did.high_usd * (1 + 2e-12)  # one window alone
    assert saving.sleep_usd + saving.placement_usd == pytest.approx(did.usd)
    assert saving.cost_usd["clairvoyant"] <= saving.cost_usd["mpc"] * (1 + 1e-9)
    assert 0.0 < saving.of_full_share < 0.2
    assert "rate" in saving.sentence() and "greedy_battery" in saving.sentence()


def test_it_is_one_json_object_with_the_promised_keys(minute):
    told = json.loads(json.dumps(minute.to_dict(), allow_nan=False))
    model = told["sites"][0]["models"][0]
    for key in ("tokens", "joules", "joules_tier", "usd_per_mtok_full", "usd_per_mtok_marginal"):
        assert model[key] is not None
    assert set(model["parts"]) >= {"energy", "mw_rent", "gpu_rent", "wake", "network"}
    assert told["saving"]["baseline"] == "as_observed"
    low, usd, high = (told["saving"][key] for key in ("low_usd", "usd", "high_usd"))
    assert low <= usd * (1 + 1e-12) <= high * (1 + 2e-12)  # one window: all three are the same


def test_only_reads_are_sent(tmp_path):
    _, server = seen(tmp_path, ask={"saving": False})
    assert {path for path, _, _ in server.asked} == {"/paris/metrics", "/oslo/metrics"}
    assert all(headers["user-agent"].startswith("tokenergy") for _, _, headers in server.asked)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(b"<html><body>Log in</body></html>", content_type="text/html"), "METRICS_NOT_TEXT"),
        (Reply(b"# HELP x y\n" * 200, cut=500), "METRICS_HALF"),
        (Reply(b"# TYPE other_total counter\nother_total 3\n"), "ENGINE_NAMES_UNKNOWN"),
        (Reply(b"no", status=503), "METRICS_UNREACHABLE"),
    ],
)
def test_an_engine_that_cannot_be_read_is_a_finding_and_the_other_goes_on(tmp_path, reply, code):
    engines = Engines(replies={"oslo": reply})
    found, _ = seen(tmp_path, engines=engines, ask={"saving": False})
    assert any(finding.code.startswith(code[:8]) for finding in found.findings), codes(found)
    paris, oslo = (model for _, model in found.models())
    assert paris.tokens.output == 18_000
    assert oslo.tokens.output is None
    assert oslo.usd_per_mtok_full is None and oslo.joules.total_j is None


def test_a_counter_that_begins_anew_loses_its_window_alone(tmp_path):
    """Paris restarts: no negative tokens, no absolute count as a difference, a finding."""
    engines = Engines(output_per_s={"paris": -8, "oslo": 100})
    found, _ = seen(tmp_path, engines=engines, ask={"saving": False})
    paris, oslo = (model for _, model in found.models())
    assert paris.tokens.output is None
    assert oslo.tokens.output == 6_000
    assert "COUNTER_RESET" in codes(found)


def test_a_price_that_does_not_reach_now_leaves_usd_empty_and_says_so(tmp_path):
    """Tokens and joules stand; nothing is priced with an hour of last winter."""
    (tmp_path / "old.csv").write_text(
        "utc,eur\n" + "".join(f"2026-0{1 + d // 28}-{1 + d % 28:02d}T{h:02d}:00Z,50\n"
                              for d in range(84) for h in range(24)),
        encoding="utf-8",
    )  # fmt: skip
    found, _ = seen(
        tmp_path,
        paris_price="{file: old.csv, column: eur, usd_per_unit: 1.1, missing_limit_share: 0.2, "
        "fill: previous_week}",
    )
    paris = next(model for _, model in found.models())
    assert paris.tokens.output == 18_000 and paris.joules.total_j > 0
    assert paris.usd_per_mtok_full is None and paris.usd_per_mtok_marginal is None
    assert found.saving is None
    assert found.sites[0].price_usd_per_mwh is None
    assert "PRICE_NOT_CURRENT" in codes(found)


def test_the_ledger_keeps_the_window_once(tmp_path):
    ledger = tmp_path / "l.sqlite"
    found, _ = seen(tmp_path, ask={"ledger": ledger, "saving": False})
    with SqliteLedger(ledger, read_only=True) as held:
        rows = list(held.entries())
        sums = {each.group["component"]: each for each in held.sums(["component"])}
    assert {row.source for row in rows} == {"observe"}
    assert sums["serve"].served_mtok == pytest.approx(0.024)
    paris, oslo = (model for _, model in found.models())
    kwh = (paris.joules.total_j + oslo.joules.total_j) / 3.6e6
    metered = sum(each.energy_mwh for each in sums.values()) * 1000.0
    assert metered == pytest.approx(kwh, rel=1e-9)
    usd = sum(each.amount_usd for each in sums.values())
    full = sum(m.usd_per_mtok_full * m.tokens.output / 1e6 for m in (paris, oslo))
    assert usd == pytest.approx(full, abs=1e-8)


@contextmanager
def watching(folder, *, engines=None, ask=None, **more):
    """Open an observer of the small company; yield it with its clock."""
    played = engines or Engines()
    moved = Moved(on_sleep=played.run)
    with engine_server(played.answer) as server:
        asked = Ask(company=company_file(folder, server.url, **more), **(ask or {}))
        with Observer(asked, clock=moved.clock, ticks=moved.ticks) as observer:
            yield observer, moved


def test_windows_follow_each_other_without_a_token_lost(tmp_path):
    ledger = tmp_path / "l.sqlite"
    with watching(tmp_path, ask={"ledger": ledger, "saving": False}) as (observer, moved):
        ends = []
        for _ in range(3):
            moved.sleep(60)
            ends.append(observer.observe())
    assert [sum(m.tokens.output for _, m in one.models()) for one in ends] == [24_000] * 3
    assert [one.start for one in ends[1:]] == [one.end for one in ends[:-1]]
    with SqliteLedger(ledger, read_only=True) as held:
        rows = list(held.entries())
    assert sum(row.quantity for row in rows if row.component == "serve") == pytest.approx(0.072)
    told = [(row.component, row.part) for row in rows if row.kind == "finding"]
    assert len(told) == len(set(told)) == len(ends[0].findings) == 2  # of three windows alike


@pytest.mark.slow  # dispatches the past of a company twice
def test_the_saving_is_told_once_an_interval(tmp_path):
    with watching(tmp_path) as (observer, moved):
        moved.sleep(60)
        first = observer.observe().saving
        moved.sleep(60)
        assert observer.observe().saving.cost_usd is first.cost_usd
        moved.sleep(3600)
        assert observer.observe().saving.end > first.end


def test_money_is_the_companys(tmp_path):
    """The file's figures are in its currency: nothing is converted, and it is named."""
    change = ("company: Little", "company: Little\ncurrency: EUR")
    found, _ = seen(tmp_path, change=change, ask={"saving": False})
    assert found.heading["currency"] == "EUR"
    assert found.sites[0].price_usd_per_mwh == 80.0


@pytest.mark.parametrize("window_s", [0.0, -1.0, 1e9, float("nan")])
def test_a_window_has_a_length(tmp_path, window_s):
    with pytest.raises(InputError, match="a window of"):
        watch_once(Ask(company=company_file(tmp_path, "http://127.0.0.1:9"), window_s=window_s))


def test_a_usage_file_tells_tenants_and_the_last_weeks(tmp_path):
    """Two days of 1,000 output tokens an hour by two tenants: the saving is about those days."""
    lines = ["start,end,model,tenant,tier,input_tokens,cached_input_tokens,output_tokens,requests"]
    for day in (22, 23):
        for hour in range(24):
            for tenant, share in (("acme", 700), ("beta", 300)):
                begin = datetime(2026, 11, day, hour, tzinfo=UTC)
                end = begin.replace(minute=59, second=59)
                lines.append(
                    f"{begin:%Y-%m-%dT%H:%M:%SZ},{end:%Y-%m-%dT%H:%M:%SZ},small,{tenant},chat,"
                    f"{2 * share},0,{share},10"
                )
    usage = tmp_path / "usage.csv"
    usage.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found, _ = seen(tmp_path, ask={"usage": usage})
    assert found.saving.basis == "usage", codes(found)
    assert (found.saving.end - found.saving.start).days >= 1
    by_tenant = sorted(tenant.output_tokens for tenant in found.tenants)
    assert by_tenant == [48 * 300, 48 * 700]
    dear, cheap = found.tenants
    assert dear.full_usd / cheap.full_usd == pytest.approx(7 / 3)


def test_an_address_of_the_command_line_takes_the_place_of_the_file(tmp_path):
    played = Engines()
    moved = Moved(on_sleep=played.run)
    with engine_server(played.answer) as server:
        path = company_file(tmp_path, "http://127.0.0.1:9")
        found = watch_once(
            Ask(company=path, metrics=(f"paris-1={server.url}/paris/metrics",), saving=False),
            clock=moved.clock,
            ticks=moved.ticks,
            sleep=moved.sleep,
        )
    ((site, model),) = found.models()
    assert (site.site, model.tokens.output) == ("paris", 18_000)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("nobody=http://127.0.0.1:9/metrics", "no engine 'nobody'"),
        ("paris-1=ftp://127.0.0.1/metrics", "no http"),
        ("http://127.0.0.1:9/metrics", "which of them"),
        ("mars/small=http://127.0.0.1:9/metrics", "no fleet 'mars'"),
        ("paris-1=http://me:secret@127.0.0.1/ metrics", "no http"),
    ],
)
def test_an_address_that_belongs_nowhere_is_refused(tmp_path, word, told):
    path = company_file(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(FindingsError, match=told) as error:
        watch_once(Ask(company=path, metrics=(word,)))
    assert "secret" not in str(error.value)


def test_the_present_is_the_hour_that_holds_now(minute):
    assert minute.sites[0].price_at == NOON.replace(minute=0)
