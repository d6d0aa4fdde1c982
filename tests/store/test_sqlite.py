"""The ledger file: what was written is read back, once, exactly, or not at all."""

import os
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tokenergy.company.ledger import COLUMNS, LedgerEntry
from tokenergy.errors import InputError
from tokenergy.store.sqlite import SqliteLedger, stamp

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUSE_COLUMNS = """
    run_id source kind request_id part start end tenant tier workload site model accelerator
    contract_id component quantity unit rate_nano_usd amount_nano_usd energy_microjoules
    energy_tier boundary decision reason board_id price_version policy
"""


def entry(at=0, **columns) -> LedgerEntry:
    start = START + timedelta(hours=at)
    given = {
        "run_id": "r", "source": "simulate", "kind": "interval", "start": start,
        "end": start + timedelta(hours=1), "site": "s0", "component": "serve", "quantity": 2.0,
        "unit": "Mtok", "amount_nano_usd": 3, "policy": "greedy",
    }  # fmt: skip
    return LedgerEntry(**given | columns)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "down" / "company.sqlite"


def test_the_columns_are_those_of_the_house() -> None:
    assert list(COLUMNS) == HOUSE_COLUMNS.split()


def test_rows_come_back_as_they_were_written(path: Path) -> None:
    rows = [
        entry(0),
        entry(1, kind="request", request_id="q", reason='it\'s; "odd" é'),
        entry(2, start=START + timedelta(microseconds=1), energy_microjoules=2**63 - 1),
    ]
    with SqliteLedger(path) as ledger:
        assert ledger.append(rows) == 3
        assert list(ledger.entries()) == rows
        assert list(ledger.entries(run_id="none")) == []
        assert ledger.runs() == ("r",)


def test_appending_a_run_again_changes_nothing(path: Path) -> None:
    rows = [entry(at) for at in range(10)]
    with SqliteLedger(path) as ledger:
        ledger.append(rows[:6])
    with SqliteLedger(path) as ledger:
        assert ledger.append(rows) == 4
        assert ledger.append([entry(0, amount_nano_usd=99)]) == 0
        assert len(list(ledger.entries())) == 10
        assert next(ledger.entries()).amount_nano_usd == 3


@pytest.mark.parametrize(
    "name",
    ["run_id", "request_id", "site", "model", "workload", "contract_id", "component", "part"],
)
def test_every_word_of_the_key_tells_rows_apart(path: Path, name: str) -> None:
    with SqliteLedger(path) as ledger:
        assert ledger.append([entry(), entry(**{name: "other"})]) == 2
        assert ledger.append([entry(policy="other")]) == 0


def test_an_append_is_all_or_nothing(path: Path) -> None:
    def rows():
        for at in range(6_000):
            yield entry(at)
        raise ZeroDivisionError

    with SqliteLedger(path) as ledger:
        with pytest.raises(ZeroDivisionError):
            ledger.append(rows())
        assert not list(ledger.entries())
        assert ledger.append([entry()]) == 1, "the file is usable afterwards"


def test_a_naive_stamp_is_refused(path: Path) -> None:
    with SqliteLedger(path) as ledger, pytest.raises(InputError, match="naive time stamp"):
        ledger.append([entry(start=datetime(2026, 3, 2))])


def test_stamps_sort_in_the_order_of_time() -> None:
    moments = [START, START + timedelta(microseconds=5), START + timedelta(seconds=1)]
    assert sorted(map(stamp, moments), reverse=True) == [stamp(m) for m in reversed(moments)]
    assert stamp(START.astimezone(timezone(timedelta(hours=5.5)))) == "2026-03-02T00:00:00.000000Z"


def test_sums_by_group_are_exact(path: Path) -> None:
    """3 x 2,000 MWh do not fit into 64 bits of microjoules; the last nano-dollar is kept."""
    big = 2000 * 3_600_000_000_000_000
    rows = [entry(at, energy_microjoules=big, amount_nano_usd=-7) for at in range(3)]
    rows += [entry(9, site="s1", component="lease", unit="GPU-hour", amount_nano_usd=10**18 + 1)]
    with SqliteLedger(path) as ledger:
        ledger.append(rows)
        (whole,) = ledger.sums()
        assert (whole.entries_count, whole.quantity, whole.group) == (4, None, {})
        assert whole.energy_mwh == pytest.approx(6000.0, rel=1e-15)
        assert whole.amount_usd == (10**18 + 1 - 21) / 1e9
        assert whole.served_mtok == 6.0
        first, second = ledger.sums(("site", "unit"))
        assert first.group == {"site": "s0", "unit": "Mtok"}
        assert (first.amount_usd, first.quantity, first.served_mtok) == (-21 / 1e9, 6.0, 6.0)
        assert (second.quantity, second.served_mtok) == (2.0, 0.0)
        assert second.to_dict()["unit"] == "GPU-hour"
        assert ledger.sums(run_id="none") == ()
        assert [s.group["end"][:13] for s in ledger.sums(("end",))][:1] == ["2026-03-02T01"]


@pytest.mark.parametrize("name", ["amount_nano_usd", "quantity", 'site"; DROP TABLE ledger; --'])
def test_only_columns_of_words_can_be_summed_by(path: Path, name: str) -> None:
    with SqliteLedger(path) as ledger, pytest.raises(InputError, match="cannot be summed by"):
        ledger.sums((name,))


def test_states_and_boards_are_kept(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        assert (ledger.last_state("r"), ledger.board("b")) == (None, None)
        ledger.save_state("r", START, {"awake": [1.0]})
        ledger.save_state("r", START + timedelta(hours=1), {"awake": [2.0]})
        ledger.save_board("b", START, [{"price": 1.0}])
        assert ledger.last_state("r") == (START + timedelta(hours=1), {"awake": [2.0]})
        assert ledger.board("b") == (START, [{"price": 1.0}])


def test_a_reader_works_beside_a_writer(path: Path) -> None:
    with SqliteLedger(path) as ledger, SqliteLedger(path, read_only=True) as reader:
        ledger.append([entry()])
        assert len(list(reader.entries())) == 1
        with pytest.raises(InputError, match=r"company\.sqlite cannot be written: .*readonly"):
            reader.append([entry(1)])


def test_a_file_that_may_not_be_written_says_so(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.append([entry()])
    if os.access(path, os.W_OK) and os.geteuid() == 0:
        pytest.skip("root may write everything: the mode of a file stops nobody here")
    path.chmod(0o444)
    with pytest.raises(InputError, match="cannot be"), SqliteLedger(path) as ledger:
        ledger.append([entry(1)])


def test_places_where_no_ledger_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="folder cannot be made"):
        SqliteLedger(tmp_path / "file" / "ledger.sqlite")
    with pytest.raises(InputError, match="cannot be opened"):
        SqliteLedger(tmp_path)
    with pytest.raises(InputError, match="cannot be opened"):
        SqliteLedger(tmp_path / "missing.sqlite", read_only=True)
    assert not (tmp_path / "missing.sqlite").exists()


def test_another_file_is_not_written_into(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 200)
    with pytest.raises(InputError, match="file is not a database"):
        SqliteLedger(text)
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE other (x)")
    other.close()
    with pytest.raises(InputError, match="is no ledger of version 1"):
        SqliteLedger(tmp_path / "other.sqlite")
    assert text.read_text() == "no database " * 200


def test_names_with_odd_letters_are_paths_not_options(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#é %41.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.append([entry()])
    assert path.exists()


def test_a_reader_alone_leaves_nothing_beside_the_file(tmp_path):
    """Write-ahead files belong to writers; a ledger in a folder that is read-only can be read."""
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path):
        pass
    before = sorted(tmp_path.iterdir())
    with SqliteLedger(path, read_only=True) as held:
        assert held.sums(["policy"]) == ()
        assert sorted(tmp_path.iterdir()) == before
    assert sorted(tmp_path.iterdir()) == before


def test_notes_of_a_run_are_kept_until_it_ends(path: Path) -> None:
    later = START + timedelta(days=1)
    with SqliteLedger(path) as ledger:
        assert (ledger.unfinished(), ledger.checkpoints("a/mpc")) == ({}, ())
        for run, moment in (("a/mpc", later), ("a/mpc", START), ("b/mpc", START)):
            ledger.save_checkpoint(run, moment, {"at": moment.day})
        ledger.save_checkpoint("a/mpc", later, {"at": 99})
        assert ledger.unfinished() == {"a/mpc": later, "b/mpc": START}
        assert ledger.checkpoints("a/mpc") == ({"at": START.day}, {"at": 99})
        ledger.finish({"a/mpc": (later, {"awake": [0.1]})})
        assert ledger.unfinished() == {"b/mpc": START}
        assert ledger.last_state("a/mpc") == (later, {"awake": [0.1]})
        ledger.forget(["b/mpc", "nobody"])
        assert ledger.unfinished() == {}


def test_a_ledger_of_an_earlier_release_takes_notes_too(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.append([entry()])
    with sqlite3.connect(path) as held:
        held.execute("DROP TABLE checkpoint")
    with SqliteLedger(path) as ledger:
        ledger.save_checkpoint("a/mpc", START, {"at": 1})
        assert len(list(ledger.entries())) == 1
        assert ledger.checkpoints("a/mpc") == ({"at": 1},)
