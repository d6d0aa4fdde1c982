"""Restraint: limits that a tier can be put under, and that would change something."""

from collections.abc import Iterator, Mapping, Sequence

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.restraint import Restraint
from tokenergy.company.tier import Tier, Workload
from tokenergy.errors import UnknownName


def check_limits(parts: Parts, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield restraints and steps of a model mix that the program could not take up."""
    kinds = _kinds(parts, catalogue)
    first: dict[str, str] = {}
    for path, restraint in parts.placed("restraint"):
        if restraint.tier in first:
            yield _twice(path, restraint, first[restraint.tier])
        first.setdefault(restraint.tier, path)
        workloads = [w for w in parts.workloads if w.tier == restraint.tier]
        if restraint.ladder is not None:
            yield from _ladder(f"{path}.ladder", restraint.ladder, workloads, kinds)
        tier = parts.find("tiers", restraint.tier)
        if tier is None:
            continue
        yield from _waits(path, restraint, tier)
        yield from _tail(path, restraint, tier)
        if restraint.ladder is not None:
            yield from _floor(f"{path}.ladder", restraint.ladder, tier, parts)
        yield from _nothing(path, restraint, tier, workloads, parts)
    for path, step in parts.mix:
        workloads = [w for w in parts.workloads if w.name == step.workload]
        yield from _ladder(f"{path}.ladder", step.ladder, workloads, kinds)
        for workload in workloads:
            tier = parts.find("tiers", workload.tier)
            if tier is not None:
                yield from _floor(f"{path}.ladder", step.ladder, tier, parts)


def _kinds(parts: Parts, catalogue: Catalogue) -> Mapping[str, str]:
    """Return what each known model makes, by name."""
    kinds: dict[str, str] = {}
    for model in parts.models:
        try:
            kinds[model.name] = catalogue.model(model.catalogue).kind
        except UnknownName:
            continue  # said by `check_models`
    return kinds


def _twice(path: str, restraint: Restraint, first: str) -> Finding:
    return Finding(
        code="RESTRAINT_TWICE",
        path=path,
        value=restraint.tier,
        reason=f"{first} limits tier {restraint.tier!r} already, and one tier is compared with "
        "itself under one set of limits",
        remedy="Put both into one restraint, or limit another tier",
    )


def _ladder(
    path: str, ladder: Sequence[str], workloads: Sequence[Workload], kinds: Mapping[str, str]
) -> Iterator[Finding]:
    """Hold a ladder against the rules of workloads: each model once, and one kind of work."""
    repeated = sorted({name for name in ladder if ladder.count(name) > 1})
    if repeated:
        yield Finding(
            code="LADDER_REPEATED",
            path=path,
            value=", ".join(repeated),
            reason="a ladder names each model once, best first",
            remedy="Name it once",
        )
    known = {name: kinds[name] for name in ladder if name in kinds}
    asked = {
        workload.name: kinds[workload.ladder[0]]
        for workload in workloads
        if workload.ladder[0] in kinds
    }
    strange = {name: kind for name, kind in asked.items() if {kind} != set(known.values())}
    if len(set(known.values())) > 1:
        told = ", ".join(f"{name}: {kind}" for name, kind in known.items())
        reason = "a ladder answers one kind of work, and this one makes several"
    elif known and strange:
        told = f"{next(iter(known.values()))} for {', '.join(sorted(set(strange.values())))}"
        reason = f"workload {next(iter(strange))!r} asks for another kind of work"
    else:
        return
    yield Finding(
        code="LADDER_MIXED",
        path=path,
        value=told,
        reason=reason,
        remedy="Name models that make what the workload asks for: a smaller one, or the same "
        "one with a smaller shape or fewer steps",
    )


def _waits(path: str, restraint: Restraint, tier: Tier) -> Iterator[Finding]:
    if restraint.deadline_s and tier.service_tier == "priority":
        yield Finding(
            code="PRIORITY_WAITS",
            path=f"{path}.deadline_s",
            value=f"{restraint.deadline_s:g}",
            limit="0",
            unit="s",
            reason=f"tier {tier.name!r} is of service_tier priority, which never waits",
            remedy="Leave deadline_s out, or make the tier's service_tier default or flex",
        )


def _tail(path: str, restraint: Restraint, tier: Tier) -> Iterator[Finding]:
    if restraint.cap_ratio is None:
        return
    if tier.users is None or tier.users.top_tenth_share is None:
        what = "users" if tier.users is None else "users.top_tenth_share"
        yield Finding(
            code="CAP_WITHOUT_TAIL",
            path=f"{path}.cap_ratio",
            value=f"{restraint.cap_ratio:g}",
            unit="times the mean",
            reason=f"how much a cap keeps depends on how unevenly the users of tier "
            f"{tier.name!r} ask, and the tier does not state {what}",
            remedy="Add users: {count: ..., top_tenth_share: ...} to the tier, or leave "
            "cap_ratio out",
        )


def _floor(path: str, ladder: Sequence[str], tier: Tier, parts: Parts) -> Iterator[Finding]:
    """Hold the quality of the models that would answer against what the tier promises."""
    if not all(parts.find("models", name) for name in ladder):
        return
    offers = [model.quality_share for model in parts.models if model.name in ladder]
    offers += [api.quality_share for api in parts.external_apis if api.model in ladder]
    if max(offers) < tier.quality_floor_share:
        yield Finding(
            code="QUALITY_FLOOR_UNREACHABLE",
            path=path,
            value=f"{max(offers):g}",
            limit=f"{tier.quality_floor_share:g}",
            unit="share",
            reason=f"tier {tier.name!r} promises more quality than the best of these models has",
            remedy="Put a better model first, or lower the tier's quality_floor_share",
        )


def _nothing(
    path: str, restraint: Restraint, tier: Tier, workloads: Sequence[Workload], parts: Parts
) -> Iterator[Finding]:
    """Say that a tier lives under these limits already: both sides would be the same."""
    changes = (
        restraint.cap_ratio is not None,
        restraint.must_serve not in (None, tier.must_serve),
        restraint.deadline_s not in (None, tier.deadline_s),
        restraint.ladder is not None and any(w.ladder != restraint.ladder for w in workloads),
    )
    if any(changes) or parts.lost("workloads") or "workloads" in parts.unread:
        return
    yield Finding(
        code="RESTRAINT_CHANGES_NOTHING",
        path=path,
        value=tier.name,
        reason=f"tier {tier.name!r} is under these limits today: with and without are the same",
        remedy="State a limit that differs from the tier's own, or leave the restraint out",
        severity="warning",
    )
