"""What workers know of a company: deployments, prices to the nano-dollar, accounts, tenants."""

from pathlib import Path
from typing import Any

import pytest
from commands import MERIDIAN, ROOT
from serving_company import TENANT, written

import tokenergy as te
from tokenergy.api.worker_plan import price_version, worker_plan
from tokenergy.company.serving.plan import PricePlan, WorkerPlan, decoded_plan, encoded_plan
from tokenergy.errors import FindingsError


def plan_of(path: Path, **other: Any) -> WorkerPlan:
    return worker_plan(te.load(path), now_s=0.0, **other)


@pytest.fixture(scope="module")
def bare() -> WorkerPlan:
    return plan_of(MERIDIAN)


def test_a_plan_travels_as_json(bare: WorkerPlan) -> None:
    assert decoded_plan(encoded_plan(bare)) == bare


def test_without_a_gateway_everything_is_simulated_and_open(bare: WorkerPlan) -> None:
    opened = te.load(MERIDIAN)
    names = sorted(deployment.name for deployment in opened.world.deployments)
    assert list(bare.deployments) == names
    assert [each.deployment for each in bare.upstreams] == names
    assert {each.kind for each in bare.upstreams} == {"simulated"}
    (demo,) = bare.tenants
    assert demo.tiers == tuple(tier.name for tier in opened.company.tiers)
    assert demo.origin == opened.company.regions[0].name
    assert bare.open_door
    assert bare.run_id == "serve"


def test_a_deployment_has_the_site_of_its_fleet_and_an_api_has_none(bare: WorkerPlan) -> None:
    by_name = {each.deployment: each for each in bare.upstreams}
    here = by_name["large@texas-h100"]
    assert (here.site, here.accelerator, here.model) == ("texas", "H100", "large")
    bought = by_name["elsewhere"]
    assert (bought.site, bought.accelerator) == ("", "")


def test_media_ask_for_items_and_are_priced_by_latent_tokens() -> None:
    """A clip of 161 frames of 480 x 832 is 41 latent frames of 30 x 52 tokens: 63,960."""
    plan = plan_of(ROOT / "examples" / "sora_like.yaml")
    load = plan.workloads[0]
    assert (load.media, load.input_tokens, load.output_tokens) == ("video", 0.0, 41 * 30 * 52)
    assert load.items_per_request == 1.0


@pytest.mark.parametrize(
    ("price", "per_mtok", "per_request"),
    [
        ({"price_usd_per_mtok": 8.25}, 8_250_000_000, 0),
        ({"price_usd_per_request": 0.004}, 0, 4_000_000),
        ({"price_usd_per_user_month": 20, "users": {"count": 1_000}}, 0, 0),
    ],
)
def test_without_a_line_the_price_is_the_tiers(
    tmp_path: Path, price: dict[str, Any], per_mtok: int, per_request: int
) -> None:
    def change(tree: dict[str, Any]) -> None:
        tier = tree["tiers"][0]
        del tier["price_usd_per_mtok"], tier["value"]
        tier |= price | {"value_usd_per_mtok": 8.25}

    plan = plan_of(written(tmp_path, change))
    told = {(each.model, each.tier): each for each in plan.prices}
    assert set(told) == {("large", "chat"), ("small", "chat"), ("small", "nightly")}
    assert told["small", "chat"] == PricePlan(
        model="small",
        tier="chat",
        input_nano_usd_per_mtok=0,
        cached_input_nano_usd_per_mtok=0,
        output_nano_usd_per_mtok=per_mtok,
        nano_usd_per_request=per_request,
    )


def test_a_line_of_the_tier_is_before_a_line_of_all(tmp_path: Path) -> None:
    lines = [
        {"model": "small", "input_usd_per_mtok": 1, "output_usd_per_mtok": 2},
        {"model": "small", "tier": "chat", "input_usd_per_mtok": 0.1,
         "cached_input_usd_per_mtok": 0.01, "output_usd_per_mtok": 0.4, "usd_per_request": 1e-6},
    ]  # fmt: skip
    plan = plan_of(written(tmp_path, prices=lines))
    told = {(each.model, each.tier): each for each in plan.prices}
    mine, other = told["small", "chat"], told["small", "nightly"]
    assert mine.input_nano_usd_per_mtok == 100_000_000
    assert mine.cached_input_nano_usd_per_mtok == 10_000_000
    assert mine.output_nano_usd_per_mtok == 400_000_000
    assert mine.nano_usd_per_request == 1_000
    assert other.input_nano_usd_per_mtok == other.cached_input_nano_usd_per_mtok == 10**9
    assert told["large", "chat"].output_nano_usd_per_mtok == 8 * 10**9  # the tier's own


def test_the_price_version_is_of_the_prices_alone(tmp_path: Path) -> None:
    one = plan_of(written(tmp_path))
    two = plan_of(written(tmp_path, hide_site=True))
    line = {"model": "small", "input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    three = plan_of(written(tmp_path, prices=[line]))
    assert one.price_version == two.price_version == price_version(one.prices)
    assert three.price_version != one.price_version


def test_budgets_and_spend_limits_are_accounts_of_whole_numbers(tmp_path: Path) -> None:
    """2 MWh are 7.2e9 J, 7.2e15 microjoules."""

    def change(tree: dict[str, Any]) -> None:
        zone = {"window": "day", "time_zone": "UTC"}
        tree["budgets"] = [
            {"name": "power", "mwh": 2, "tier": "nightly", **zone},
            {"name": "money", "usd": 12.5, "tenant": "acme", **zone},
        ]

    limit = {"name": "day", "tenant": "acme", "usd": 0.1, "window": "month",
             "time_zone": "Europe/Berlin"}  # fmt: skip
    plan = plan_of(written(tmp_path, change, spend_limits=[limit]))
    power, money, day = plan.accounts
    assert (power.name, power.unit, power.limit) == ("budget:power", "microjoules", 72 * 10**14)
    assert (power.tier, power.tenant) == ("nightly", None)
    assert (money.name, money.unit, money.limit) == ("budget:money", "nano_usd", 12_500_000_000)
    assert money.tenant == "acme"
    assert (day.name, day.unit, day.limit) == ("spend:day", "nano_usd", 100_000_000)
    assert (day.window, day.time_zone) == ("month", "Europe/Berlin")


def test_what_the_file_says_of_a_gateway_stands_in_the_plan(tmp_path: Path) -> None:
    upstreams = [
        {"name": "a", "fleet": "texas-h100", "model": "large", "url": "http://10.0.0.7:8000/",
         "served_model": "llama", "key_env": "KEY", "cache_salt": True},
        {"name": "b", "fleet": "frankfurt-h100", "model": "small", "kind": "simulated"},
    ]  # fmt: skip
    path = written(
        tmp_path,
        upstreams=upstreams,
        aliases=[{"name": "chat-auto", "ladder": ["large", "small"]}],
        drain_tiers=["chat"],
        durability="strict",
        board_every_s=60,
        limits={"cap_tokens": 500},
    )
    plan = plan_of(path)
    one, two = plan.upstreams
    assert (one.deployment, one.url, one.served_model) == (
        "large@texas-h100", "http://10.0.0.7:8000", "llama",
    )  # fmt: skip
    assert (one.site, one.key_env, one.cache_salt) == ("texas", "KEY", True)
    assert (two.deployment, two.kind, two.served_model) == (
        "small@frankfurt-h100", "simulated", "small",
    )  # fmt: skip
    assert len(plan.deployments) > 2  # prices are made for all of them
    assert plan.aliases[0].ladder == ("large", "small")
    assert plan.when_client_leaves == {"chat": "drain"}
    assert (plan.strict, plan.board_every_s, plan.limits.cap_tokens) == (True, 60.0, 500)
    assert plan.tenants[0].name == TENANT["name"]
    assert not plan.open_door
    assert plan_of(path, open_door=True).open_door


def test_a_plan_that_could_not_be_kept_is_refused(tmp_path: Path) -> None:
    """The only server has a model that the nightly ladder does not name."""
    upstream = {"name": "a", "fleet": "texas-h100", "model": "large", "url": "http://10.0.0.7:8000"}
    with pytest.raises(FindingsError) as told:
        plan_of(written(tmp_path, upstreams=[upstream]))
    (finding,) = told.value.findings
    assert (finding.code, finding.path) == ("WORKLOAD_WITHOUT_UPSTREAM", "workloads[1]")
    assert finding.line is not None
