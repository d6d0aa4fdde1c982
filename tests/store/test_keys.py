"""Keys of tenants: told once, kept as a hash, gone when they are revoked."""

import re
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.serving.ports import StoreFault
from tokenergy.errors import InputError
from tokenergy.store.keys import KEYS_FILE, SECRET_FILE, SqliteKeys


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock):
    with SqliteKeys.in_folder(tmp_path / "data", clock=clock) as made:
        yield made


def test_a_key_is_found_and_says_what_it_is_allowed(keys: SqliteKeys) -> None:
    made = keys.create(tenant="acme", tiers=("chat",), scopes=("inference", "usage"))
    facts = keys.find(made.key.encode())
    assert facts == made.record.facts
    assert facts is not None
    assert (facts.tenant, facts.tiers, facts.scopes) == ("acme", ("chat",), {"inference", "usage"})


def test_a_key_is_256_bits_of_url_safe_text(keys: SqliteKeys) -> None:
    """32 bytes are ceil(32 * 8 / 6) = 43 characters of base64 without padding."""
    made = {keys.create(tenant="acme").key for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"tk-[A-Za-z0-9_-]{43}", key) for key in made)


@given(key=st.binary(max_size=200))
def test_no_other_text_is_a_key(tmp_path_factory: pytest.TempPathFactory, key: bytes) -> None:
    with SqliteKeys.in_folder(tmp_path_factory.mktemp("keys")) as keys:
        made = keys.create(tenant="acme")
        assert (keys.find(key) is not None) == (key == made.key.encode())


def test_the_key_is_in_no_file_and_no_repr(keys: SqliteKeys, tmp_path: Path) -> None:
    made = keys.create(tenant="acme")
    keys.close()
    held = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    assert made.key.encode() not in held
    assert made.key[3:].encode() not in held
    assert made.key not in repr(made) + repr(keys) + str(keys.listed())


def test_files_are_nobody_elses(keys: SqliteKeys, tmp_path: Path) -> None:
    keys.create(tenant="acme")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert modes[KEYS_FILE] == modes[SECRET_FILE] == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_copy_without_the_secret_lets_nobody_in(keys: SqliteKeys, tmp_path: Path) -> None:
    made = keys.create(tenant="acme")
    with SqliteKeys(tmp_path / "data" / KEYS_FILE, bytes(32)) as stolen:
        assert stolen.find(made.key.encode()) is None
        assert len(stolen.listed()) == 1


def test_a_revoked_key_is_unknown_at_once(keys: SqliteKeys) -> None:
    made, other = keys.create(tenant="acme"), keys.create(tenant="acme")
    keys.revoke(made.record.facts.key_id)
    assert keys.find(made.key.encode()) is None
    assert keys.find(other.key.encode()) is not None
    with pytest.raises(InputError, match="ended already"):
        keys.revoke(made.record.facts.key_id)


def test_an_unknown_id_is_told(keys: SqliteKeys) -> None:
    with pytest.raises(InputError, match="no key 'key_none'"):
        keys.revoke("key_none")


def test_a_key_ends_at_its_moment(keys: SqliteKeys, clock: Clock) -> None:
    made = keys.create(tenant="acme", expires_s=1_100.0)
    clock.now_s = 1_099.9
    assert keys.find(made.key.encode()) is not None
    clock.now_s = 1_100.0
    assert keys.find(made.key.encode()) is None


def test_a_rotated_key_lives_for_its_grace(keys: SqliteKeys, clock: Clock) -> None:
    """Made at 1,000 s, replaced with 60 s of grace: both fit at 1,059 s, the new one at 1,060 s."""
    old = keys.create(tenant="acme", tiers=("chat",), scopes=("usage",), note="ci")
    new = keys.rotate(old.record.facts.key_id, grace_s=60.0)
    assert new.record.facts[1:] == old.record.facts[1:]
    assert new.record.note == "ci"
    clock.now_s = 1_059.0
    assert keys.find(old.key.encode()) is not None
    assert keys.find(new.key.encode()) is not None
    clock.now_s = 1_060.0
    assert keys.find(old.key.encode()) is None
    assert keys.find(new.key.encode()) is not None


def test_rotation_lengthens_no_life(keys: SqliteKeys, clock: Clock) -> None:
    old = keys.create(tenant="acme", expires_s=1_010.0)
    new = keys.rotate(old.record.facts.key_id, grace_s=60.0)
    clock.now_s = 1_010.0
    assert keys.find(old.key.encode()) is None
    assert keys.find(new.key.encode()) is None


@pytest.mark.parametrize("scopes", [(), ("inference", "root")])
def test_a_key_has_scopes_that_there_are(keys: SqliteKeys, scopes: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="scopes"):
        keys.create(tenant="acme", scopes=scopes)
    assert keys.listed() == ()


def test_another_process_sees_new_keys(keys: SqliteKeys, tmp_path: Path) -> None:
    with SqliteKeys.in_folder(tmp_path / "data") as other:
        assert other.listed() == ()
        made = keys.create(tenant="acme")
        assert other.find(made.key.encode()) == made.record.facts


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    start, told = threading.Barrier(8), []

    def create() -> None:
        start.wait()
        with SqliteKeys.in_folder(tmp_path / "data") as keys:
            try:
                told.append(keys.create(tenant="acme").record.facts.key_id)
            except InputError as fault:
                told.append(str(fault))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with SqliteKeys.in_folder(tmp_path / "data") as keys:
        assert sorted(each.facts.key_id for each in keys.listed()) == sorted(told)


def test_a_broken_file_is_a_fault_and_not_a_refusal(keys: SqliteKeys, tmp_path: Path) -> None:
    made = keys.create(tenant="acme")
    keys.close()
    file = tmp_path / "data" / KEYS_FILE
    whole = file.read_bytes()
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreFault) as told:
        keys.find(made.key.encode())
    assert made.key not in str(told.value)
    file.write_bytes(whole)
    assert keys.find(made.key.encode()) is not None  # it is opened anew


def test_a_file_of_something_else_is_refused(keys: SqliteKeys, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "data" / KEYS_FILE) as file:
        file.execute("CREATE TABLE ledger (amount INTEGER)")
    file.close()
    with pytest.raises(InputError, match="no keys of version"):
        keys.create(tenant="acme")


def test_a_secret_that_others_may_read_is_refused(keys: SqliteKeys, tmp_path: Path) -> None:
    (tmp_path / "data" / SECRET_FILE).chmod(0o644)
    with pytest.raises(InputError, match="others may read it"):
        SqliteKeys.in_folder(tmp_path / "data")


def test_a_secret_that_was_cut_is_refused(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"short")
    (tmp_path / SECRET_FILE).chmod(0o600)
    with pytest.raises(InputError, match="32 bytes"):
        SqliteKeys.in_folder(tmp_path)
    with pytest.raises(InputError, match="5 bytes"):
        SqliteKeys(tmp_path / KEYS_FILE, b"short")
