"""`ledger`: of a file or a company, and tokens in whole numbers."""

from pathlib import Path

import pytest
from served_records import closed, opened, plan, refused

from tokenergy.company.serving.plan import TenantPlan, encoded_plan
from tokenergy.store.projector import Projector
from tokenergy.store.segments import SegmentJournal


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Return the default ledger of small.yaml with three requests of two tenants."""
    ledger = tmp_path / ".tokenergy" / "small.sqlite"
    folder = tmp_path / ".tokenergy" / "serve" / "small"
    folder.mkdir(parents=True)
    tenants = tuple(TenantPlan(name=n, tiers=("free",), origin="eu") for n in ("ann", "bob"))
    (folder / "plan.json").write_bytes(encoded_plan(plan(tenants=tenants)))
    with SegmentJournal(folder / "journal" / "1", worker=1, limit_bytes=10**8) as journal:
        for name, tenant in (("r1", "ann"), ("r2", "ann"), ("r3", "bob")):
            journal.write(opened(name, tenant=tenant))
            journal.write(closed(name))
        journal.write(refused("x1", tenant="bob"))
    projector = Projector(folder, ledger)
    while projector.step():
        pass
    projector.close()
    (tmp_path / "small.yaml").write_text("company: small\n")
    return ledger


def test_a_company_file_means_its_own_ledger(inside, served: Path) -> None:
    """Each request: 100 in, 20 of them cached, 50 out, 44,500 nano-dollars."""
    told = inside("ledger", "small.yaml", "--by", "tenant,model,site", "--json").json()
    assert told["ledger"] == ".tokenergy/small.sqlite" and told["runs"] == ["serve"]
    ann, bob = [row for row in told["sums"] if row["model"]]
    assert (ann["tenant"], ann["model"], ann["site"]) == ("ann", "m", "a")
    assert (ann["requests_count"], bob["requests_count"]) == (2, 1)
    assert (ann["input_tokens"], ann["cached_input_tokens"], ann["output_tokens"]) == (200, 40, 100)
    assert ann["charged_nano_usd"] == 89_000 and ann["charged_usd"] == 89_000 / 1e9
    (whole,) = inside("ledger", served, "--by", "source", "--json").json()["sums"]
    assert whole["input_tokens"] == 300 and whole["charged_nano_usd"] == 3 * 44_500


def test_the_table_has_them_where_there_are_any(inside, served: Path) -> None:
    out = inside("ledger", "small.yaml", "--by", "tenant").out
    assert "input tokens" in out and "charged USD" in out and "200" in out


def test_a_company_without_a_ledger_is_told(inside, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("company: other\n")
    ended = inside("ledger", "other.yaml")
    assert ended.status == 2 and ".tokenergy/other.sqlite" in ended.err
    assert inside("ledger", "nothing.sqlite").status == 2
