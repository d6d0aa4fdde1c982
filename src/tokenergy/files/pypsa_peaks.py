"""Demand charges as PyPSA components: what is imported in a month passes a link of its own.

    peak[k] >= import[t] for t in month k; billed[k] >= peak[k]; billed[k] >= ratchet x peak[j]

The link of month k has the size `billed[k]`, at the rate. In month k it lets its whole size
through, in a month j that k looks back on `size / ratchet`, in others nothing: there a link
without a limit stands beside it. Months that look at different intervals stand side by side,
others one after another.
"""

import numpy as np

from tokenergy.dispatch.terms.peak import Peak
from tokenergy.dispatch.terms.term import block_name
from tokenergy.dispatch.world import FloatArray
from tokenergy.files.pypsa_laid import Laid
from tokenergy.files.pypsa_parts import PLENTY, Parts


def add_peaks(parts: Parts, laid: Laid) -> dict[int, str]:
    """Add every demand charge; return the bus at which a site's imports arrive, by site."""
    meters: dict[int, str] = {}
    for term in laid.posed.world.terms:
        if not isinstance(term, Peak) or block_name(term, "so_far") in laid.program.columns:
            continue  # averages over several intervals: as rows
        site = laid.posed.world.site_names[term.site]
        for group in _groups(_through(laid, term)):
            end = meters.get(term.site, parts.bus(f"power {site}", "power"))
            start = parts.bus(f"meter {site} {len([m for m in parts.parts if m[0] == 'Bus'])}",
                              "power")  # fmt: skip
            meters[term.site] = start
            _stage(parts, laid, term, group, start, end)
        rows = [block_name(term, row) for row in ("over", "holds")]
        if not (term.remembers_billed and _floors_move(laid, term)):
            rows.append(block_name(term, "ratchet"))
        parts.says("links of the size that a month is billed", *rows)
    return meters


def _floors_move(laid: Laid, term: Peak) -> bool:
    """Tell whether what a month is billed at least moves with a size: then a ratchet on it does."""
    billed = block_name(term, "billed")
    size = laid.program.columns[billed].size
    return any(laid.lower(billed, k).slopes for k in range(size))


def _through(laid: Laid, term: Peak) -> dict[int, FloatArray]:
    """Return what each charged month's link lets through, per unit of its size [n]."""
    over, size = block_name(term, "over"), laid.program.columns[block_name(term, "billed")].size
    per_mw = -laid.values(over, 0, "meter_import", term.site) * laid.step_h
    counted = [laid.values(over, 0, block_name(term, "peak"), k) for k in range(size)]
    looks = _looks_back(laid, term, size)
    found = {}
    for k in range(size):
        if laid.cost(block_name(term, "billed"), k)[0] <= 0.0:
            continue
        share = sum((looks[k, j] * counted[j] for j in range(size)), np.zeros(laid.count))
        held = share * per_mw
        through = np.divide(1.0, held, out=np.zeros(laid.count), where=held > 0.0)
        if through.any():
            found[k] = through
    return found


def _looks_back(laid: Laid, term: Peak, size: int) -> FloatArray:
    """Return the share of month j's peak that month k is billed at least [k, j]."""
    direct = np.zeros((size, size))
    ratchet = block_name(term, "ratchet")
    if ratchet in laid.program.rows:
        looked_at = block_name(term, "billed" if term.remembers_billed else "peak")
        for pair in range(size * size):
            k, j = divmod(pair, size)
            share = -laid.values(ratchet, pair, looked_at, j)[0] if k != j else 0.0
            direct[k, j] = max(0.0, share)
    reached = np.maximum(np.eye(size), direct)
    for _ in range(size if term.remembers_billed else 0):
        chains = (direct[:, :, None] * reached[None, :, :]).max(axis=1)
        reached = np.maximum(reached, chains)
    return reached


def _least_mw(laid: Laid, term: Peak, size: int) -> FloatArray:
    """Return what each month is billed at least, whatever is imported [k]."""
    looks = _looks_back(laid, term, size)
    peaks, billed = (
        np.array([laid.lower(block_name(term, block), k).fixed[0] for k in range(size)])
        for block in ("peak", "billed")
    )
    looked_at = np.maximum(peaks, billed) if term.remembers_billed else peaks
    return np.asarray(np.maximum(billed, (looks * looked_at[None, :]).max(axis=1)))


def _groups(through: dict[int, FloatArray]) -> list[dict[int, FloatArray]]:
    """Return months in groups of which no two look at the same interval."""
    groups: list[dict[int, FloatArray]] = []
    for k, mine in through.items():
        for group in groups:
            if not any(((mine > 0.0) & (other > 0.0)).any() for other in group.values()):
                group[k] = mine
                break
        else:
            groups.append({k: mine})
    return groups


def _stage(
    parts: Parts, laid: Laid, term: Peak, group: dict[int, FloatArray], start: str, end: str
) -> None:
    """The links of some months side by side, and one without a limit where none of them looks."""
    billed = block_name(term, "billed")
    least = _least_mw(laid, term, laid.program.columns[billed].size)
    ends = {"bus0": start, "bus1": end, "carrier": "power"}
    for k, through in group.items():
        name = f"{term.contract_id} {term.component} {k}"
        parts.add(
            "Link", name, **ends, p_nom_extendable=True, p_nom_min=float(least[k]),
            p_max_pu=through, capital_cost=float(laid.cost(billed, k)[0]),
        )  # fmt: skip
        parts.means(billed, k, "Link", "p_nom", name, 1.0)
    looked = np.any([through > 0.0 for through in group.values()], axis=0)
    if not looked.all():
        free = np.where(looked, 0.0, 1.0)
        parts.add("Link", f"beside {start}", **ends, p_nom=PLENTY, p_max_pu=free)
