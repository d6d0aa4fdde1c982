"""Admission: tiers, rows and payers of what is asked, by hand."""

import pytest
from gateway_world import plan_of

from tokenergy.company.serving.plan import AccountPlan, LimitsPlan, TenantPlan, WorkloadPlan
from tokenergy.company.serving.ports import KeyFacts
from tokenergy.routing.expected import Lengths
from tokenergy.serve.admission import Admission, most_input_of
from tokenergy.serve.asked import read_asked
from tokenergy.serve.headers import Wishes
from tokenergy.serve.openai_error import ApiError

TENANT = TenantPlan(name="ann", tiers=("paid", "slow"), origin="eu")
KEY = KeyFacts("k", "ann", (), frozenset({"inference"}))


def load(
    name: str, tier: str, origin: str, ladder: tuple[str, ...], **more: object
) -> WorkloadPlan:
    stated = {
        "service_tier": "default", "must_serve": False, "input_tokens": 100.0,
        "output_tokens": 200.0, "ttft_limit_s": 2.0, "tpot_limit_s": 0.1, "deadline_s": 0.0,
    }  # fmt: skip
    return WorkloadPlan(name=name, tier=tier, origin=origin, ladder=ladder, **stated | more)  # type: ignore[arg-type]


def admission(**more: object) -> Admission:
    loads = (
        load("paid-eu", "paid", "eu", ("large", "small")),
        load("paid-us", "paid", "us", ("large", "small")),
        load("code-eu", "paid", "eu", ("coder", "small")),
        load("slow-eu", "slow", "eu", ("small",), service_tier="flex", deadline_s=3600.0),
    )
    stated = {"workloads": loads, "tenants": (TENANT,), "aliases": ()} | more
    return Admission(plan_of(["http://127.0.0.1:1"], **stated), secret=b"s" * 32)


@pytest.mark.parametrize(
    ("word", "tier"),
    [(None, "paid"), ("auto", "paid"), ("flex", "slow"), ("slow", "slow"), ("priority", "paid"),
     ("default", "paid"), ("nonsense", "paid"), ("batch", "paid")],
)  # fmt: skip
def test_a_service_tier_is_one_of_the_tenants_own(word: str | None, tier: str) -> None:
    assert admission().tier_of(TENANT, KEY, word) == tier


@pytest.mark.parametrize(
    ("word", "model", "tier"),
    [(None, "slowest", "slow"), ("auto", "large", "paid"), ("flex", "large", "paid"),
     ("flex", "small", "slow"), ("slow", "large", "slow"), (None, "unknown", "paid"),
     (None, "auto", "paid")],
)  # fmt: skip
def test_of_a_tenants_tiers_one_that_has_the_model_is_meant(
    word: str | None, model: str, tier: str
) -> None:
    """`slowest` is of the tier `slow` alone: who asks for it need not name the tier."""
    loads = (
        load("paid-eu", "paid", "eu", ("large", "small")),
        load("slow-eu", "slow", "eu", ("slowest", "small"), service_tier="flex", deadline_s=9.0),
    )
    assert admission(workloads=loads).tier_of(TENANT, KEY, word, model=model) == tier


def test_a_key_may_have_fewer_tiers_than_its_tenant() -> None:
    narrow = KEY._replace(tiers=("slow",))
    assert admission().tier_of(TENANT, narrow, None) == "slow"
    assert admission().tier_of(TENANT, narrow, "paid") == "slow"


def test_the_row_is_that_of_tier_region_and_model() -> None:
    made = admission()
    assert made.row(tier="paid", model="large", origin="us").workload.name == "paid-us"
    assert made.row(tier="paid", model="coder", origin="eu").workload.name == "code-eu"
    assert made.row(tier="paid", model="small", origin="eu").workload.name == "paid-eu"
    assert made.row(tier="paid", model="auto", origin="eu").model is None
    with pytest.raises(ApiError, match="larg") as caught:
        made.row(tier="paid", model="larg", origin="eu")
    assert caught.value.status == 404
    with pytest.raises(ApiError, match="mars") as wrong:
        made.row(tier="paid", model="large", origin="mars")
    assert wrong.value.status == 400


def test_a_tier_without_a_row_in_a_region_is_answered_by_its_others() -> None:
    assert admission().row(tier="slow", model="small", origin="us").workload.name == "slow-eu"


def test_payers_are_the_accounts_of_everybody_of_the_tier_and_of_the_tenant() -> None:
    def account(name: str, unit: str, **more: str) -> AccountPlan:
        return AccountPlan(name=name, unit=unit, limit=1, window="day", time_zone="UTC", **more)  # type: ignore[arg-type]

    made = admission(
        accounts=(
            account("budget:all", "nano_usd"),
            account("budget:joules", "microjoules", tier="paid"),
            account("budget:other", "nano_usd", tier="slow"),
            account("spend:ann", "nano_usd", tenant="ann"),
            account("spend:bob", "nano_usd", tenant="bob"),
        )
    )
    payer = made.payer("ann", "paid")
    assert payer.budgets == ("all", "joules")
    assert (payer.marginal, payer.joules) == (("budget:all",), ("budget:joules",))
    assert payer.charges == ("spend:ann",)


def request_of(body: bytes, wishes: Wishes = Wishes(), tier: str = "paid", **tenant: bool):  # type: ignore[no-untyped-def]  # noqa: B008
    made = admission()
    asked = read_asked("chat", body, LimitsPlan())
    row = made.row(tier=tier, model=asked.model, origin="eu")
    who = TenantPlan(name="ann", tiers=("paid", "slow"), origin="eu", **tenant)  # type: ignore[arg-type]
    return made.request(
        request_id="r", caller=KEY, tenant=who, asked=asked, row=row, wishes=wishes,
        lengths=Lengths(), now_s=1000.0,
    )  # fmt: skip


CHAT = b'{"model":"%s","messages":[{"role":"user","content":"%s"}]%s}'


def test_expected_tokens_are_the_tiers_until_answers_were_seen() -> None:
    """400 bytes at 4 a token; the cap of 50 below the mean of 200."""
    plain = request_of(CHAT % (b"large", b"x" * 400, b""))
    assert plain.output_tokens == 200
    assert plain.input_tokens in range(100, 105)
    capped = request_of(CHAT % (b"large", b"x", b',"max_tokens":50,"n":2'))
    assert (capped.output_tokens, capped.output_most_tokens) == (100, 100)


def test_a_named_model_is_swapped_only_where_its_tenant_allows_and_its_client_does_not_forbid() -> (
    None
):
    named = CHAT % (b"large", b"x", b"")
    assert request_of(named).may_downgrade is False
    assert request_of(named, may_downgrade=True).may_downgrade is True
    assert request_of(named, Wishes(may_downgrade=False), may_downgrade=True).may_downgrade is False
    assert request_of(CHAT % (b"auto", b"x", b"")).may_downgrade is True
    assert request_of(CHAT % (b"auto", b"x", b""), Wishes(may_cap=False)).may_cap is False


def test_flex_work_waits_to_its_tiers_deadline_or_to_a_nearer_one() -> None:
    small = CHAT % (b"small", b"x", b"")
    assert request_of(small, tier="slow").deadline_s == 4600.0
    assert request_of(small, Wishes(deadline_s=60.0), tier="slow").deadline_s == 1060.0
    assert request_of(small, Wishes(deadline_s=1e6), tier="slow").deadline_s == 4600.0
    assert request_of(small).deadline_s is None


def test_addresses_in_messages_are_refused_unless_the_tenant_may() -> None:
    body = (
        b'{"model":"large","messages":[{"role":"user","content":[{"type":"image_url",'
        b'"image_url":{"url":"http://169.254.169.254/latest"}}]}]}'
    )
    with pytest.raises(ApiError, match="model server") as caught:
        request_of(body)
    assert caught.value.code == "remote_media_refused"
    assert request_of(body, remote_media=True).input_tokens > 0


def test_users_and_conversations_are_hashes_that_differ_by_tenant() -> None:
    made = admission()
    assert made.user_hash("ann", "u1") != made.user_hash("bob", "u1")
    assert "u1" not in made.user_hash("ann", "u1")
    assert made.session("ann", b"head") != made.session("bob", b"head")
    assert made.session("ann", b"") == made.user_hash("ann", "") == ""


def test_the_most_input_is_a_token_a_byte_and_what_a_template_writes() -> None:
    """100 bytes, 64 around the prompt, 8 around its message; tools add their JSON and 512."""
    asked = read_asked("chat", CHAT % (b"large", b"x" * 100, b""), LimitsPlan())
    assert most_input_of(asked) == 100 + 64 + 8
    tools = b',"tools":[{"type":"function","function":{"name":"f"}}]'
    asked = read_asked("chat", CHAT % (b"large", b"x" * 100, tools), LimitsPlan())
    assert most_input_of(asked) == 100 + (len(tools) - len(b',"tools":')) + 64 + 8 + 512
    items = b'[{"role":"user","content":"ab"},{"role":"user","content":"c"}]'
    asked = read_asked("responses", b'{"model":"large","input":%s}' % items, LimitsPlan())
    assert most_input_of(asked) == 3 + 64 + 16
    body = b'{"model":"large","input":"ab","previous_response_id":"resp_1"}'
    assert most_input_of(read_asked("responses", body, LimitsPlan())) is None
