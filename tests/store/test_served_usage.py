"""Usage and charges out of a ledger file: exact, and the same in every grouping."""

from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served_records import AT_S, PRICE, closed, metered, opened, refused

from tokenergy.company.serving.charge import charge_nano_usd
from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Closed, Opened, Refused
from tokenergy.company.serving.usage import UsageAsked, UsageColumn
from tokenergy.metering.served_entries import closed_rows, metered_rows, moment_text, refused_rows
from tokenergy.store.kept_request import kept_body
from tokenergy.store.served_tables import INSERT_REQUEST, INSERT_ROW, opened_ledger
from tokenergy.store.served_usage import ServedUsage

DAY_S = 86_400
FIRST_S = int(AT_S) - int(AT_S) % DAY_S
WRITER = msgspec.msgpack.Encoder()
ALL = UsageAsked(FIRST_S, FIRST_S + 7 * DAY_S, DAY_S)
USAGE_COLUMNS: tuple[UsageColumn, ...] = (
    "tenant", "key_id", "user_hash", "model", "tier", "batch",
)  # fmt: skip


def write(path: Path, pairs: list[tuple[Opened, Closed]], refusals: list[Refused] = []) -> None:  # noqa: B006
    """Put requests into a ledger, as the projector does."""
    held = opened_ledger(path)
    for begun, done in pairs:
        rows, _ = closed_rows("serve", begun, done, PRICE)
        held.executemany(INSERT_ROW, rows)
        body = kept_body(WRITER.encode(begun), WRITER.encode(done))
        held.execute(
            INSERT_REQUEST,
            (begun.request_id, "serve", begun.tenant, moment_text(begun.at_s), begun.key_id,
             begun.user_hash, begun.batch, body),
        )  # fmt: skip
    for one in refusals:
        held.executemany(INSERT_ROW, refused_rows("serve", one))
        held.execute(
            INSERT_REQUEST,
            (one.request_id, "serve", one.tenant, moment_text(one.at_s), one.key_id, "", one.batch,
             kept_body(None, WRITER.encode(one))),
        )  # fmt: skip
    held.close()


def charged(input_tokens: int, cached_tokens: int, output_tokens: int) -> int:
    return charge_nano_usd(
        PRICE, input_tokens=input_tokens, cached_tokens=cached_tokens, output_tokens=output_tokens
    )


def a_request(number: int, **more: Any) -> tuple[Opened, Closed]:
    """Return a request with its true charge."""
    begun = {name: more.pop(name) for name in ("tenant", "key_id", "user_hash", "batch", "tier",
                                               "at_s") if name in more}  # fmt: skip
    done = {"input_tokens": 100, "cached_tokens": 20, "output_tokens": 50} | more
    tokens = (done["input_tokens"], done["cached_tokens"], done["output_tokens"])
    at_s = begun.pop("at_s", AT_S)
    return (
        opened(f"r{number}", at_s, **begun),
        closed(f"r{number}", at_s + 1.0, **done, charge_nano_usd=charged(*tokens)),
    )


def test_a_day_of_two_tenants(tmp_path: Path) -> None:
    """Ann twice 100 in, 20 of them cached, 50 out; Bob once 10 in, none cached, 7 out."""
    path = tmp_path / "ledger.sqlite"
    write(
        path,
        [a_request(1), a_request(2, batch="batch_1/q"),
         a_request(3, tenant="bob", key_id="k2", input_tokens=10, cached_tokens=0,
                   output_tokens=7, at_s=AT_S + DAY_S)],
        [refused("x1")],
    )  # fmt: skip
    usage = ServedUsage(path)
    assert usage.usage(ALL) == ((0, (), 200, 40, 100, 2), (1, (), 10, 0, 7, 1))
    assert usage.usage(ALL._replace(by=("tenant", "batch"))) == (
        (0, ("ann", "false"), 100, 20, 50, 1),
        (0, ("ann", "true"), 100, 20, 50, 1),
        (1, ("bob", "false"), 10, 0, 7, 1),
    )
    assert usage.usage(ALL._replace(only=(("tenant", ("bob",)),))) == ((1, (), 10, 0, 7, 1),)
    assert usage.usage(ALL._replace(only=(("batch", ("true",)),))) == ((0, (), 100, 20, 50, 1),)
    assert usage.usage(ALL._replace(bucket_s=3_600))[0].bucket == 12


def test_charges_by_line(tmp_path: Path) -> None:
    """80 x 150 = 12,000; 20 x 75 = 1,500; 50 x 600 = 30,000; 1,000 for the request."""
    path = tmp_path / "ledger.sqlite"
    write(path, [a_request(1)])
    usage = ServedUsage(path)
    assert [tuple(row) for row in usage.costs(ALL._replace(by=("line_item",)))] == [
        (0, ("m, cached input",), 1_500, 20, "tokens"),
        (0, ("m, input",), 12_000, 80, "tokens"),
        (0, ("m, output",), 30_000, 50, "tokens"),
        (0, ("m, request",), 1_000, 1, "requests"),
    ]
    [whole] = usage.costs(ALL)
    assert (whole.nano_usd, whole.unit) == (44_500, "")


def test_what_is_not_kept_any_more_is_a_group_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    write(path, [a_request(1), a_request(2)])
    held = opened_ledger(path)
    held.execute("DELETE FROM request WHERE request_id = 'r1'")
    held.close()
    usage = ServedUsage(path)
    assert [row.group for row in usage.usage(ALL._replace(by=("key_id",)))] == [(None,), ("k1",)]
    assert sum(row.input_tokens for row in usage.usage(ALL._replace(by=("key_id",)))) == 200
    told = usage.request("ann", "r1")
    assert told is not None
    assert (told["input_tokens"], told["charge_nano_usd"]) == (100, 44_500)


def test_one_request_is_its_tenants_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    write(path, [a_request(1)], [refused("x1")])
    held = opened_ledger(path)
    held.executemany(INSERT_ROW, metered_rows("serve", metered(end_s=AT_S + 0.25)))
    shared = metered(
        window=2, start_s=AT_S + 0.5, microjoules=5_000_000, energy_tier="modelled"
    )  # of the quarter of a second between nobody knows
    held.executemany(INSERT_ROW, metered_rows("serve", shared))
    held.close()
    usage = ServedUsage(path)
    told = usage.request("ann", "r1")
    assert told is not None
    assert told["outcome"] == "completed"
    assert told["usage_source"] == "reported"
    assert (told["input_tokens"], told["cached_tokens"], told["output_tokens"]) == (100, 20, 50)
    assert told["cost_nano_usd"] == 100_000
    assert told["charge_nano_usd"] == 44_500
    assert (told["joules"], told["measured_joules"]) == (75.0, 85.0)
    assert (told["started_at"], told["ended_at"]) == (moment_text(AT_S), moment_text(AT_S + 1.0))
    assert told["measured_s"] == 0.75
    assert told["measured_tier"] == "modelled", "a sum is known as well as its least known part"
    assert told["finish"] == "stop"
    refusal = usage.request("ann", "x1")
    assert refusal is not None
    assert (refusal["outcome"], refusal["status"]) == ("refused", 429)
    assert usage.request("bob", "r1") is None
    assert usage.request("ann", "r2") is None


def test_without_a_ledger_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(StoreFault):
        ServedUsage(tmp_path / "none.sqlite").usage(ALL)
    assert not (tmp_path / "none.sqlite").exists()


REQUESTS = st.lists(
    st.fixed_dictionaries(
        {
            "tenant": st.sampled_from(["ann", "bob"]),
            "key_id": st.sampled_from(["k1", "k2"]),
            "user_hash": st.sampled_from(["", "u1"]),
            "batch": st.sampled_from(["", "b/1"]),
            "tier": st.sampled_from(["free", "pro"]),
            "model": st.sampled_from(["m", "n"]),
            "input_tokens": st.integers(0, 2_000_000),
            "output_tokens": st.integers(0, 2_000_000),
            "at_s": st.floats(AT_S - 2 * DAY_S, AT_S + 2 * DAY_S),
        }
    ),
    max_size=12,
)


@settings(max_examples=8, deadline=None)
@given(requests=REQUESTS, pruned=st.sets(st.integers(0, 11)))
def test_every_grouping_sums_to_the_whole(
    tmp_path_factory: pytest.TempPathFactory, requests: list[dict[str, Any]], pruned: set[int]
) -> None:
    path = tmp_path_factory.mktemp("usage") / "ledger.sqlite"
    pairs = [
        a_request(at, **one, cached_tokens=one["input_tokens"] // 3)
        for at, one in enumerate(requests)
    ]
    write(path, pairs)
    held = opened_ledger(path)
    held.executemany("DELETE FROM request WHERE request_id = ?", [(f"r{at}",) for at in pruned])
    held.close()
    usage = ServedUsage(path)
    asked = ALL._replace(start_s=FIRST_S - 3 * DAY_S, end_s=FIRST_S + 4 * DAY_S)
    tokens: Counter[int] = Counter()
    money: Counter[int] = Counter()
    for begun, done in pairs:
        day = int(begun.at_s) // DAY_S - asked.start_s // DAY_S
        tokens[day] += done.input_tokens + done.output_tokens
        money[day] += done.charge_nano_usd
    for size in range(3):
        for by in combinations(USAGE_COLUMNS, size):
            sums: Counter[int] = Counter()
            for row in usage.usage(asked._replace(by=by)):
                sums[row.bucket] += row.input_tokens + row.output_tokens
            assert +sums == +tokens, by
        for by in combinations((*USAGE_COLUMNS, "line_item"), size):
            paid: Counter[int] = Counter()
            for cost in usage.costs(asked._replace(by=by)):
                paid[cost.bucket] += cost.nano_usd
            assert +paid == +money, by
