"""A company's ledger in other people's forms: FOCUS, its contract commitments, CloudEvents."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from tokenergy.api.exported_run import Entries, entries_of
from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.output import refuse_unwritable
from tokenergy.company.finding import Finding
from tokenergy.company.ledger import LedgerEntry
from tokenergy.errors import InputError
from tokenergy.files.cloud_events import EventStream, write_events
from tokenergy.files.focus import FocusStream
from tokenergy.files.focus_check import Conformance, check_focus
from tokenergy.files.focus_columns import (
    COMMITMENTS_SINCE,
    FocusDataset,
    FocusVersion,
    focus_columns,
    known_version,
)
from tokenergy.files.focus_contracts import committed_ids, contract_rows
from tokenergy.files.focus_facts import BASES, CostBasis, FocusFacts
from tokenergy.files.focus_read import read_focus
from tokenergy.files.focus_write import FORMATS, FocusFormat, known_format, write_focus
from tokenergy.files.key_hash import key_hash, looks_like_key

ExportKind = Literal["focus", "focus-contracts", "cloudevents"]
KINDS: Final[tuple[ExportKind, ...]] = ("focus", "focus-contracts", "cloudevents")
OURS: Final[dict[ExportKind, str]] = {
    "focus": "BilledCost",
    "focus-contracts": "ContractCommitmentId",
    "cloudevents": "specversion",
}
"""A name by which a file is known as an earlier export: it may be replaced, others may not."""
INPUTS: Final = ("input", "cached_input")
"""Components that count tokens read."""
LOOKED_AT_COUNT: Final = 4096
"""Bytes in which that name is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that was written.

    Attributes:
        kind, version, format, basis: what was asked for; "" where a kind has none.
        file: the file.
        rows_count: rows in it.
        run_id: the run of the ledger that it tells of; "" for contracts.
        simulated: whether the run was made for this export, because there was no ledger.
        currency: of all money in it.
        totals_usd: sums of the file, by name.
        findings: what the file leaves out or does not know.
        conformance: our own check of the file as it was written; None for CloudEvents.
    """

    kind: ExportKind
    version: str
    format: str
    basis: str
    file: Path
    rows_count: int
    run_id: str
    simulated: bool
    currency: str
    totals_usd: dict[str, float]
    findings: tuple[Finding, ...]
    conformance: Conformance | None

    def __str__(self) -> str:
        """Say in sentences what was written."""
        return "\n".join(self.lines())

    def to_dict(self) -> dict[str, Any]:
        """Return the result as one JSON-ready object; keys carry units."""
        return {
            "kind": self.kind,
            "version": self.version,
            "draft": self.version == COMMITMENTS_SINCE,
            "format": self.format,
            "basis": self.basis,
            "file": str(self.file),
            "rows_count": self.rows_count,
            "run_id": self.run_id,
            "simulated": self.simulated,
            "currency": self.currency,
            "totals_usd": self.totals_usd,
            "conformance": None if self.conformance is None else self.conformance.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def lines(self) -> Iterator[str]:
        """Yield what was written, whether it passes, and what it does not know."""
        draft = f" {self.version} (a draft)" if self.version == COMMITMENTS_SINCE else ""
        yield f"{self.kind}{draft}: {self.rows_count:,} rows in {self.file}"
        if self.run_id:
            made = ", simulated for this export: there was no ledger" if self.simulated else ""
            yield f"run {self.run_id}{made}"
        for name, usd in self.totals_usd.items():
            yield f"{name.removesuffix('_usd').replace('_', ' ')}: {usd:,.2f} {self.currency}"
        if self.conformance is not None:
            yield _verdict(self.conformance)
        yield from map(str, self.findings)


def _verdict(found: Conformance) -> str:
    if found.passed:
        return f"conformance: passes all of our {len(found.rules)} rules"
    broken = "; ".join(f"{f.rule} at {f.where}: {f.reason}" for f in found.failures)
    return f"conformance: FAILS {len(found.failures)} of {len(found.rules)} rules: {broken}"


def export(
    kind: str,
    company: OpenCompany,
    *,
    ledger: str | Path | None = None,
    run: str | None = None,
    version: str | None = None,
    format: str | None = None,
    basis: str = "allocation",
    out: str | Path | None = None,
    now: datetime | None = None,
    on_progress: Progress | None = None,
) -> Exported:
    """Write one kind of file about a company.

    Args:
        kind: focus, focus-contracts or cloudevents.
        company: an opened company.
        ledger: its ledger; where there is no such file, `mpc` is simulated over the company's
            whole horizon and written to it. None: simulated and not kept.
        run: a run of the ledger; None: what was observed, else this company's latest
            of `mpc`, else the only one.
        version: of FOCUS: 1.2 (what others validate against) or 1.4 (our draft); contracts
            have only 1.4.
        format: csv, parquet or jsonl; None: what `out` ends in, else csv. CloudEvents are jsonl.
        basis: allocation, usage or marginal: what the EffectiveCost of a token row is.
        out: the file; None: `<company file>.<kind>.<format>` in this folder.
        now: the moment at which the status of a contract is told; None: now.
        on_progress: told of what is simulated.

    Raises:
        InputError: if a word is unknown, or the file or the ledger cannot be used.
        FindingsError: if nothing can be told on that basis.
    """
    asked = _asked(kind, version, _format(format, out), basis)
    target = Path(out or f"{company.path.stem}.{kind}.{asked.format}")
    refuse_unwritable(target, replaces=_begins_as_ours(target, asked))
    if asked.kind == "focus-contracts":
        return _contracts(company, asked, target, now or datetime.now(UTC))
    with entries_of(company, ledger, run, on_progress) as (run_id, simulated, entries):
        write = _focus if asked.kind == "focus" else _events
        return write(company, asked, target, run_id, simulated, entries, _folder(ledger))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    kind: ExportKind
    version: FocusVersion
    format: FocusFormat
    basis: CostBasis


def _format(format: str | None, out: str | Path | None) -> str | None:
    """Return the format that is asked for, in words or by the end of the file's name.

    Raises:
        InputError: if the two contradict each other.
    """
    end = "" if out is None else Path(out).suffix.lower().removeprefix(".")
    if end not in FORMATS:
        return format
    if format not in (None, end):
        raise InputError(f"{out} ends in .{end} and the format is {format}: choose one of them")
    return end


def _asked(kind: str, version: str | None, format: str | None, basis: str) -> _Asked:
    if kind not in KINDS:
        raise InputError(f"there is no export {kind!r}: choose {', '.join(KINDS)}")
    if basis not in BASES:
        raise InputError(f"there is no cost basis {basis!r}: choose {', '.join(BASES)}")
    if kind == "focus-contracts" and version not in (None, COMMITMENTS_SINCE):
        raise InputError(
            f"FOCUS {version} has no contract commitments: leave --version out, or take "
            f"{COMMITMENTS_SINCE}"
        )
    if kind == "cloudevents" and format not in (None, "jsonl"):
        raise InputError(f"CloudEvents are written as jsonl, not as {format!r}")
    usual_version = COMMITMENTS_SINCE if kind == "focus-contracts" else "1.2"
    usual_format = "jsonl" if kind == "cloudevents" else "csv"
    return _Asked(
        kind=kind,
        version=known_version(version or usual_version),
        format=known_format(format or usual_format),
        basis=basis,
    )


def _begins_as_ours(target: Path, asked: _Asked) -> bytes | None:
    """Return how a file begins if it is an earlier export of that kind; None: it is not."""
    try:
        if not target.is_file():
            return None
        if asked.format == "parquet":
            names = read_focus(target, "parquet")[0]
            return b"PAR1" if OURS[asked.kind] in names else None
        with target.open("rb") as held:
            head = held.read(LOOKED_AT_COUNT)
    except (InputError, OSError):
        return None
    return head if not head or OURS[asked.kind].encode() in head.splitlines()[0] else None


def _focus(
    company: OpenCompany,
    asked: _Asked,
    target: Path,
    run_id: str,
    simulated: bool,
    entries: Entries,
    salt_folder: Path | None,
) -> Exported:
    facts = _facts(company, asked, salt_folder)
    stream = FocusStream(entries(), facts)
    columns = focus_columns(asked.version)
    rows_count = write_focus(stream, columns, target, asked.format)
    settled = stream.usd["settled"]
    checked = check_focus(target, asked.format, version=asked.version, settled_usd=settled)
    totals = {
        "power_settled_usd": settled,
        "billed_to_us_usd": stream.usd["billed"],
        "billed_for_tokens_usd": stream.usd["sold"],
    }
    if stream.usd["imputed"]:
        totals["imputed_usd"] = stream.usd["imputed"]
    if asked.basis != "marginal":
        totals["borne_by_tokens_usd"] = stream.usd["borne"]
        totals["borne_by_no_token_usd"] = stream.usd["unborne"]
    return Exported(
        kind=asked.kind,
        version=asked.version,
        format=asked.format,
        basis=asked.basis,
        file=target,
        rows_count=rows_count,
        run_id=run_id,
        simulated=simulated,
        currency=company.company.currency,
        totals_usd=totals,
        findings=stream.findings,
        conformance=checked,
    )


def _events(
    company: OpenCompany,
    asked: _Asked,
    target: Path,
    run_id: str,
    simulated: bool,
    entries: Entries,
    salt_folder: Path | None,
) -> Exported:
    hide = _hider(salt_folder)
    stream = EventStream(entries(), company=company.company.company, hide=hide)
    rows_count = write_events(stream, target)
    return Exported(
        kind=asked.kind,
        version="1.0",
        format=asked.format,
        basis="",
        file=target,
        rows_count=rows_count,
        run_id=run_id,
        simulated=simulated,
        currency=company.company.currency,
        totals_usd={},
        findings=stream.findings,
        conformance=None,
    )


def _contracts(company: OpenCompany, asked: _Asked, target: Path, now: datetime) -> Exported:
    dataset: FocusDataset = "contract_commitment"
    rows, findings = contract_rows(company.company, now=now)
    rows_count = write_focus(rows, focus_columns(asked.version, dataset), target, asked.format)
    return Exported(
        kind=asked.kind,
        version=asked.version,
        format=asked.format,
        basis="",
        file=target,
        rows_count=rows_count,
        run_id="",
        simulated=False,
        currency=company.company.currency,
        totals_usd={},
        findings=findings,
        conformance=check_focus(target, asked.format, version=asked.version, dataset=dataset),
    )


def _facts(company: OpenCompany, asked: _Asked, salt_folder: Path | None) -> FocusFacts:
    """Return what the file needs of the company: prices of tiers, of the market, and fleets."""
    held, world = company.company, company.world
    by_workload = {load.name: load.price_usd_per_mtok for load in world.workloads}
    by_tier = {tier.name: tier.price_usd_per_mtok for tier in held.tiers}
    included = {tier.name for tier in held.tiers if tier.price_usd_per_user_month is not None}
    sites = {name: at for at, name in enumerate(world.site_names)}

    def price_usd_per_mtok(entry: LedgerEntry) -> float | None:
        """Prices are by Mtok of output: of input 0 is billed, and of a subscription's tokens."""
        if entry.tier in included or entry.component in INPUTS:
            return 0.0
        return by_workload.get(entry.workload, by_tier.get(entry.tier))

    def index_usd_per_mwh(site: str, moment: datetime) -> float | None:
        at = world.index_at(moment)
        if site not in sites or not 0 <= at < world.spot_usd_per_mwh.shape[1]:
            return None
        return float(world.spot_usd_per_mwh[sites[site], at])

    committed = contract_rows(held, now=held.horizon.start)[0]
    return FocusFacts(
        company=held.company,
        currency=held.currency,
        version=asked.version,
        basis=asked.basis,
        hide=_hider(salt_folder),
        price_usd_per_mtok=price_usd_per_mtok,
        fleets={(fleet.site, fleet.accelerator): fleet.name for fleet in held.fleets},
        committed=committed_ids(committed),
        index_usd_per_mwh=index_usd_per_mwh,
    )


def _folder(ledger: str | Path | None) -> Path | None:
    return None if ledger is None else Path(ledger).parent


def _hider(salt_folder: Path | None) -> Callable[[str], str]:
    """Return what hides names that look like keys; the salt is made when it is first needed."""

    def hide(text: str) -> str:
        if not looks_like_key(text):
            return text
        return key_hash(salt_folder).of(text) if salt_folder is not None else key_hash().of(text)

    return hide
