"""Alarms: each a sentence with value, limit and unit, and none where all is well."""

from types import SimpleNamespace
from typing import Any

import msgspec
from side_fake import NOW_S, FakeSide, a_board, plan

from tokenergy.company.serving.live import Binding, LiveFace
from tokenergy.company.serving.plan import AccountPlan
from tokenergy.serve.board_watch import MakerFinding, MakerTold
from tokenergy.serve.gateway_metrics import Tally, merged
from tokenergy.serve.health import Reason, readiness
from tokenergy.serve.live_standing import Elsewhere, Standing

DAY = AccountPlan(
    name="budget:day", unit="nano_usd", limit=50 * 10**9, window="day", time_zone="UTC"
)
POWER = AccountPlan(
    name="budget:power", unit="microjoules", limit=4 * 10**12, window="hour", time_zone="UTC"
)
SPEND = AccountPlan(
    name="spend:ann", unit="nano_usd", limit=10**9, tenant="ann", window="month", time_zone="UTC"
)


def standing(side: FakeSide, elsewhere: Elsewhere | None = None, **more: Any) -> dict[str, Any]:
    return Standing(side, **more).told(elsewhere or Elsewhere())


def texts(told: dict[str, Any]) -> dict[str, str]:
    return {one["code"]: one["text"] for one in told["alarms"]}


def spending(spent: dict[str, int], **more: Any) -> FakeSide:
    """Return a gateway whose accounts stand so, in whole nano-dollars or microjoules."""
    side = FakeSide(plan=plan(accounts=(DAY, POWER, SPEND)), **more)
    side.leases = SimpleNamespace(spent=lambda name, now_s: spent.get(name, 0))
    return side


def test_all_is_well() -> None:
    told = standing(FakeSide())
    assert told["alarms"] == []
    assert (told["now"], told["stale"], told["safe_mode"]) == ("2027-01-15T08:00:00Z", False, False)
    assert told["held"] is None  # the counts of the workers were not read
    assert {one["status"] for one in told["checks"]} == {"ok"}


def test_without_a_board() -> None:
    told = standing(FakeSide(board=None))
    assert (told["board_id"], told["stale"]) == (None, None)
    assert told["alarms"][0]["severity"] == "error"
    assert "NO_BOARD" in texts(told)


def test_prices_that_grew_stale_say_age_and_limit() -> None:
    """The board of an hour, looked at 4,000 s later."""
    told = standing(FakeSide(ahead_s=4_000.0))
    assert told["stale"] is True
    assert "4000 s old, their limit is 3600 s" in texts(told)["RESERVE"]


def test_a_reserve_board_and_one_that_is_not_trusted() -> None:
    reserve = texts(standing(FakeSide(board=a_board(policy="reserve"))))
    assert "no program was solved" in reserve["RESERVE"]

    class Distrusted(FakeSide):
        @property
        def state(self) -> Any:
            held = super().state
            assert held is not None
            return held._replace(safe_mode=True)

    told = standing(Distrusted())
    assert told["safe_mode"] is True
    assert texts(told).keys() == {"SAFE_MODE"}


def test_what_the_board_maker_found() -> None:
    """A feed without a price is an alarm of its own; warnings of other kinds are none."""
    feed = MakerFinding(
        code="PRICE_NOT_CURRENT", path="observe.price_feeds[texas]", value="2027-01-15T08:00Z",
        reason="its feed has no price of the present interval of 1 h", remedy="look",
        severity="warning",
    )  # fmt: skip
    broken = MakerFinding(
        code="OVER_LIMIT", path="sites[0].pue", value="4", limit="3", unit="1", reason="too high",
        remedy="",
    )  # fmt: skip
    noted = MakerFinding(code="X", path="p", reason="r", remedy="", severity="warning")
    undrawn = MakerFinding(
        code="FACE_NOT_MADE", path="page", reason="KeyError: 'x'", remedy="", severity="warning"
    )
    maker = MakerTold(at_s=NOW_S, findings=(noted, feed, broken, undrawn))
    found = texts(standing(FakeSide(), maker=lambda: maker))
    assert found == {
        "FEED_STALE": "observe.price_feeds[texas]: its feed has no price of the present interval "
        "of 1 h; the interval without a price is 2027-01-15T08:00Z.",
        "OVER_LIMIT": "sites[0].pue: too high (value 4, limit 3 1).",
        "FACE_NOT_MADE": "page: KeyError: 'x'.",
    }


def test_servers_that_are_out() -> None:
    """`small` has two places, one of which is out; `large` has one, which is out."""

    class Out(FakeSide):
        @property
        def state(self) -> Any:
            held = super().state
            assert held is not None
            down = {held.places.index(name) for name in ("large@north", "small@north")}
            return held._replace(down=frozenset(down))

    told = standing(Out())
    assert [(one["severity"], one["text"]) for one in told["alarms"]] == [
        ("error", "1 of 1 places of large are out: large@north. Its requests cannot be answered."),
        ("warning", "1 of 2 places of small are out: small@north. Requests go to the others."),
    ]


def test_a_journal_that_fills() -> None:
    side = FakeSide()
    side.plan = msgspec.structs.replace(
        side.plan, limits=msgspec.structs.replace(side.plan.limits, journal_bytes=1_000)
    )
    side.journal.bytes_count = 600
    told = standing(side)
    assert told["alarms"][0]["severity"] == "warning"
    assert "600 bytes" in texts(told)["JOURNAL_FULL"]
    side.journal.bytes_count = 1_000
    assert standing(side)["alarms"][0]["severity"] == "error"


def test_budgets_near_their_end_or_ahead_of_their_time() -> None:
    """At 08:00 a third of the day is over. 46 of 50 USD are 92 %; 30 are 60 %, more than 48 %."""
    near = standing(spending({"budget:day": 46 * 10**9}))
    assert texts(near)["BUDGET_NEAR_END"] == (
        "Budget day: 92% of 50 USD is spent, and 33% of its window is over; it is whole again at "
        "2027-01-16T00:00Z: near its end."
    )
    ahead = standing(spending({"budget:day": 30 * 10**9}))
    assert texts(ahead)["BUDGET_NEAR_END"].endswith("more than 15% ahead of its time.")
    assert standing(spending({"budget:day": 20 * 10**9}))["alarms"] == []
    euros = spending({"budget:day": 46 * 10**9})
    euros.plan = msgspec.structs.replace(euros.plan, currency="EUR")
    assert "92% of 50 EUR is spent" in texts(standing(euros))["BUDGET_NEAR_END"]
    used_up = standing(spending({"budget:day": 50 * 10**9}))
    assert used_up["alarms"][0]["severity"] == "error"
    day, power = near["budgets"]
    assert (day["left"], day["elapsed_share"], day["lambda_usd_per_j"]) == (4.0, 8 / 24, None)
    assert (power["unit"], power["limit"], power["lambda_ratio"]) == ("J", 4e6, None)


def test_limits_of_tenants_are_told_beside() -> None:
    told = standing(spending({"spend:ann": 250_000_000}))
    assert told["limits"] == [
        {
            "name": "ann", "tenant": "ann", "unit": "USD", "limit": 1.0, "spent": 0.25,
            "window_end": "2027-02-01T00:00Z",
        }
    ]  # fmt: skip


def test_megawatts_that_bind() -> None:
    """Each site is an alarm of its own, and none is told of a face that nobody drew anew."""
    sites = tuple(Binding(f"texas-{at}", 5.0943, 15.0) for at in (1, 2))
    told = standing(FakeSide(), Elsewhere(face=LiveFace("1", b"{}", NOW_S, sites)))
    assert [(one["code"], one["about"]) for one in told["alarms"]] == [
        ("MW_BINDS", "texas-1"),
        ("MW_BINDS", "texas-2"),
    ]
    assert told["alarms"][0]["text"] == (
        "texas-1 draws its limit of 15 MW: one MWh more would be worth 5.09 USD/MWh beside its "
        "price."
    )
    old = LiveFace("1", b"{}", NOW_S - 2.0 * a_board().refresh_s - 1.0, sites)
    assert standing(FakeSide(), Elsewhere(face=old))["alarms"] == []


def test_a_board_maker_that_fell_silent_is_an_alarm_and_what_it_found_only_one() -> None:
    """The check `prices` repeats what the maker found; silence and missing prices nobody else."""
    silent = Reason("prices", "degraded", "nothing was heard of the board maker lately")
    told = standing(FakeSide(), probes=(lambda: silent,))
    assert texts(told) == {"PRICES_NOT_OK": f"prices: {silent.text}."}
    feed = MakerFinding(
        code="PRICE_NOT_CURRENT", path="p", reason="no price", remedy="", severity="warning"
    )
    repeated = Reason("prices", "degraded", "PRICE_NOT_CURRENT at p: no price")
    maker = MakerTold(at_s=NOW_S, findings=(feed,))
    told = standing(FakeSide(), probes=(lambda: repeated,), maker=lambda: maker)
    assert texts(told).keys() == {"FEED_STALE"}


def test_a_check_that_no_other_alarm_tells() -> None:
    probe = Reason("batches", "failed", "the store cannot be opened")
    told = standing(FakeSide(), Elsewhere(ledger_fault="ledger: locked"), probes=(lambda: probe,))
    assert [one["code"] for one in told["alarms"]] == ["BATCHES_NOT_OK", "LEDGER_NOT_OK"]
    assert len(readiness(FakeSide())) + 2 == len(told["checks"])


def test_held_requests_of_all_workers_are_added_up() -> None:
    files = []
    for count in (2.0, 3.0):
        tally = Tally()
        tally.set("tokenergy_gateway_held_requests_count", ("free",), count)
        files.append(tally.encoded())
    told = standing(FakeSide(), Elsewhere(counts=merged(files), left_out_count=7))
    assert told["held"] == {"free": 5}
    assert told["left_out_count"] == 7
