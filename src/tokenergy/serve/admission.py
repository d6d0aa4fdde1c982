"""From what a client asked to the Request that is decided: whose, which row, how many tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from typing import Final, NamedTuple

from tokenergy.company.request import NOTHING, Request
from tokenergy.company.serving.plan import (
    BUDGET,
    SPEND,
    PricePlan,
    TenantPlan,
    WorkerPlan,
    WorkloadPlan,
)
from tokenergy.company.serving.ports import KeyFacts
from tokenergy.routing.cost import PROMPT_MARGIN_SHARE
from tokenergy.routing.expected import Expected, Lengths
from tokenergy.serve import openai_error
from tokenergy.serve.asked import Asked
from tokenergy.serve.headers import Wishes
from tokenergy.serve.openai_error import ApiError

AUTO: Final = "auto"
"""The model name that stands for the ladder of whatever tier is asked for."""
LATE_RATIO: Final = 2.5
"""95th percentile of an answer's length over its mean before any was seen, as the simulator's."""
WORDS: Final[Mapping[str, str]] = {
    "priority": "priority", "fast": "priority", "default": "default", "scale": "default",
    "flex": "flex", "batch": "batch",
}  # fmt: skip
"""OpenAI's words for a service tier, in ours; `auto` is the tenant's first tier."""
WAITING_TIERS: Final = ("flex", "batch")
FRAME_TOKENS: Final = 64
MESSAGE_FRAME_TOKENS: Final = 8
TOOLS_FRAME_TOKENS: Final = 512
"""What a chat template writes of its own around a prompt (some begin with a system text of two
dozen tokens), around each message (four or five), and to explain tools: read off the templates of
current models, rounded up."""


class Payer(NamedTuple):
    """Which accounts pay for the requests of one tenant under one tier.

    Attributes:
        budgets: names of the company's budgets, for pacing.
        marginal: accounts in nano-dollars of marginal cost.
        joules: accounts in microjoules.
        charges: accounts in nano-dollars of what the tenant is charged.
    """

    budgets: tuple[str, ...]
    marginal: tuple[str, ...]
    joules: tuple[str, ...]
    charges: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The row of the board that a request belongs to, and how it asks for its model.

    Attributes:
        workload: the row.
        tier: of the company.
        model: asked for by its own name; None: an alias, the ladder is free.
    """

    workload: WorkloadPlan
    tier: str
    model: str | None


class Admission:
    """Looks up what requests need: made once from the plan."""

    def __init__(self, plan: WorkerPlan, *, secret: bytes) -> None:
        """Lay out tenants, rows, prices and payers.

        Args:
            plan: of the gateway.
            secret: what hashes of users and conversations are keyed with.
        """
        self._plan, self._secret = plan, secret[:64]
        self.tenants: dict[str, TenantPlan] = {one.name: one for one in plan.tenants}
        self._by_tier: dict[str, list[WorkloadPlan]] = {}
        for load in plan.workloads:
            self._by_tier.setdefault(load.tier, []).append(load)
        self._aliases = {one.name: one.ladder for one in plan.aliases}
        self._origins = {load.origin for load in plan.workloads} | {
            one.origin for one in plan.tenants
        }
        self.prices: dict[tuple[str, str], PricePlan] = {
            (one.model, one.tier): one for one in plan.prices
        }
        self._served = {(load.tier, model) for load in plan.workloads for model in load.ladder}
        for load in plan.workloads:
            names = [name for name, ladder in self._aliases.items() if ladder == load.ladder]
            self._served.update((load.tier, name) for name in (AUTO, *names))
        self._rows: dict[tuple[str, str, str], Row] = {}
        self._payers: dict[tuple[str, str], Payer] = {}

    def models(self, tenant: TenantPlan) -> tuple[str, ...]:
        """Return the model names that a tenant may ask for, aliases first."""
        mine = [load for tier in tenant.tiers for load in self._by_tier.get(tier, ())]
        ladders = {load.ladder for load in mine}
        aliases = [name for name, ladder in self._aliases.items() if ladder in ladders]
        named = sorted({model for load in mine for model in load.ladder})
        return tuple(dict.fromkeys((AUTO, *sorted(aliases), *named)))

    def tier_of(
        self, tenant: TenantPlan, caller: KeyFacts, word: str | None, *, model: str = AUTO
    ) -> str:
        """Return the company's tier that a request means: one of its tenant's that has the model.

        A service tier that the tenant does not have is answered under its first one, as OpenAI
        does; the answer's `service_tier` tells.
        """
        mine = caller.tiers or tenant.tiers
        if word is None or word == AUTO:
            if (mine[0], model) in self._served:
                return mine[0]
        elif word in mine:
            return word
        having = [tier for tier in mine if (tier, model) in self._served] or mine
        meant = WORDS.get(word or AUTO)
        for tier in having:
            if (loads := self._by_tier.get(tier)) and loads[0].service_tier == meant:
                return tier
        return having[0]

    def row(self, *, tier: str, model: str, origin: str) -> Row:
        """Return the row of the board that a request belongs to.

        Raises:
            ApiError: 404 for an unknown model, with the known ones; 400 for an unknown region.
        """
        key = (tier, model, origin)
        found = self._rows.get(key)
        if found is None:
            found = self._found(tier, model, origin)
            self._rows[key] = found
        return found

    def _found(self, tier: str, model: str, origin: str) -> Row:
        if origin not in self._origins:
            raise ApiError(
                400,
                "unknown_region",
                f"region {origin!r} is unknown; the regions are {', '.join(sorted(self._origins))}",
                param="x-tokenergy-region",
            )
        loads = self._by_tier.get(tier, [])
        near = [load for load in loads if load.origin == origin] or loads
        if model == AUTO and near:
            return Row(workload=near[0], tier=tier, model=None)
        if (ladder := self._aliases.get(model)) is not None:
            for load in near:
                if load.ladder == ladder:
                    return Row(workload=load, tier=tier, model=None)
        first = [one for one in (*near, *loads) if one.ladder[0] == model]
        for load in (*first, *near, *loads):
            if model in load.ladder:
                return Row(workload=load, tier=tier, model=model)
        ladders = {load.ladder for load in near}
        known = [AUTO, *(name for name, ladder in self._aliases.items() if ladder in ladders)]
        known += sorted({name for load in near for name in load.ladder})
        raise openai_error.unknown_model(model, known)

    def payer(self, tenant: str, tier: str) -> Payer:
        """Return the accounts that pay for a tenant's requests under a tier."""
        key = (tenant, tier)
        found = self._payers.get(key)
        if found is None:
            mine = [
                one
                for one in self._plan.accounts
                if one.tier in (None, tier) and one.tenant in (None, tenant)
            ]
            budgets = [one for one in mine if one.name.startswith(BUDGET)]
            found = Payer(
                budgets=tuple(one.name.removeprefix(BUDGET) for one in budgets),
                marginal=tuple(one.name for one in budgets if one.unit == "nano_usd"),
                joules=tuple(one.name for one in budgets if one.unit == "microjoules"),
                charges=tuple(one.name for one in mine if one.name.startswith(SPEND)),
            )
            self._payers[key] = found
        return found

    def user_hash(self, tenant: str, user: str) -> str:
        """Return a keyed hash of a client's own user id; "" for none."""
        if not user:
            return ""
        held = blake2b(tenant.encode() + b"\0" + user.encode("utf-8", "replace"),
                       key=self._secret, digest_size=8)  # fmt: skip
        return held.hexdigest()

    def session(self, tenant: str, head: bytes) -> str:
        """Return a keyed hash of what identifies a conversation; "" for nothing."""
        if not head:
            return ""
        return blake2b(tenant.encode() + b"\0" + head, key=self._secret, digest_size=8).hexdigest()

    def request(
        self,
        *,
        request_id: str,
        caller: KeyFacts,
        tenant: TenantPlan,
        asked: Asked,
        row: Row,
        wishes: Wishes,
        lengths: Lengths,
        now_s: float,
        session: str | None = None,
        deadline_s: float | None = None,
    ) -> Request:
        """Return the request as the decision sees it; it knows no answer's length.

        Raises:
            ApiError: 400 where the prompt asks for what the plan forbids (remote media).
        """
        load = row.workload
        if asked.remote_urls_count and not tenant.remote_media:
            raise remote_media(asked.remote_urls_count)
        expected = expected_output(lengths, tenant.name, load, asked)
        if deadline_s is None:
            deadline_s = deadline_of(load, wishes, now_s)
        value = wishes.value_usd if tenant.may_state_value and "value" in caller.scopes else None
        alias = row.model is None
        return Request(
            request_id=request_id,
            tenant=tenant.name,
            tier=row.tier,
            workload=load.name,
            origin=load.origin,
            arrival_s=now_s,
            input_tokens=lengths.input_tokens(
                tenant=tenant.name,
                model=load.ladder[0],
                text_bytes_count=asked.text_bytes_count,
                other_tokens=asked.other_tokens,
            ),
            output_tokens=expected.mean_tokens,
            output_late_tokens=expected.late_tokens,
            output_most_tokens=expected.most_tokens
            or self._plan.limits.cap_tokens * asked.answers_count,
            cap_tokens=asked.cap_tokens,
            deadline_s=deadline_s,
            session=session,
            needs=NOTHING,  # boards do not know what models can do: their servers tell
            model=row.model,
            may_downgrade=wishes.may_downgrade and (alias or tenant.may_downgrade),
            may_cap=wishes.may_cap and (alias or tenant.may_cap),
            may_defer=deadline_s is not None,
            value_usd=value,
            budgets=self.payer(tenant.name, row.tier).budgets,
            input_most_tokens=most_input_of(asked),
        )


def remote_media(count: int) -> ApiError:
    """Return 400 for addresses inside messages: the model server would fetch them."""
    return ApiError(
        400,
        "remote_media_refused",
        f"{count} addresses inside the messages would be fetched by the model server; send the "
        "data itself (data:...;base64,...)",
        param="messages",
    )


def deadline_of(load: WorkloadPlan, wishes: Wishes, now_s: float) -> float | None:
    """Return the moment by which a request that may wait must be done; None: it does not wait."""
    if load.service_tier not in WAITING_TIERS or load.deadline_s <= 0.0:
        return None
    wished_s = load.deadline_s if wishes.deadline_s is None else wishes.deadline_s
    return now_s + min(wished_s, load.deadline_s)


def most_input_of(asked: Asked) -> int | None:
    """Return a number of input tokens that a server cannot bill more of; None: none is known.

    What stands at the server, an answer that a response goes on from, nobody here has seen.

    No tokenizer makes more tokens of a text than it has bytes: the ones in use fall back to bytes.
    To them come what a chat template writes around the prompt and around each message. Media are
    counted by rule, and by how much a rule errs is a guess.
    """
    if asked.previous:
        return None
    tools = TOOLS_FRAME_TOKENS if "tools" in asked.needs else 0
    framed = FRAME_TOKENS + MESSAGE_FRAME_TOKENS * asked.messages_count + tools
    return asked.text_bytes_count + framed + ceil(PROMPT_MARGIN_SHARE * asked.other_tokens)


def expected_output(lengths: Lengths, tenant: str, load: WorkloadPlan, asked: Asked) -> Expected:
    """Return what is expected of the answer; an embedding has no output."""
    if asked.endpoint == "embeddings":
        return Expected(1, 1, 1)
    mean = max(1, round(load.output_tokens))
    return lengths.output_tokens(
        tenant=tenant,
        model=load.ladder[0],
        tier=load.tier,
        prior_mean_tokens=mean,
        prior_late_tokens=round(LATE_RATIO * mean),
        cap_tokens=asked.cap_tokens,
        answers_count=asked.answers_count,
    )
