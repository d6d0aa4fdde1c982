"""Hashes of keys and names, and the salt they are made with."""

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.api.importing import import_file
from tokenergy.errors import FindingsError
from tokenergy.files.key_hash import KeyHash, key_hash, looks_like_key, shown

KEY = "sk-proj-Zq8wN4rTt1mC7vXa2LpK"
PERSON = "ada.lovelace@example.org"
NOW = datetime(2026, 4, 1, tzinfo=UTC)


def test_the_salt_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = key_hash(tmp_path / "ledgers")
    again = key_hash(tmp_path / "ledgers")
    mode = (tmp_path / "ledgers" / "salt").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert first.of(KEY) == again.of(KEY)
    assert len(first.of(KEY)) == 14 and first.of(KEY).startswith("k_")
    assert [each.name for each in (tmp_path / "ledgers").iterdir()] == ["salt"]


def test_another_ledger_has_another_hash_and_no_repr_has_the_salt(tmp_path: Path) -> None:
    one, other = key_hash(tmp_path / "one"), key_hash(tmp_path / "other")
    assert one.of(KEY) != other.of(KEY)
    assert repr(one.salt) not in repr(one) and one.salt.hex() not in repr(one)


def test_a_salt_that_others_may_read_is_refused(tmp_path: Path) -> None:
    key_hash(tmp_path)
    os.chmod(tmp_path / "salt", 0o644)
    with pytest.raises(FindingsError, match="SALT_OPEN"):
        key_hash(tmp_path)


def test_a_cut_salt_is_refused_and_left(tmp_path: Path) -> None:
    (tmp_path / "salt").write_bytes(b"short")
    os.chmod(tmp_path / "salt", 0o600)
    with pytest.raises(FindingsError, match="SALT_BAD"):
        key_hash(tmp_path)
    assert (tmp_path / "salt").read_bytes() == b"short"


@given(st.text(min_size=1))
def test_a_hash_never_holds_its_text(text: str) -> None:
    hashed = KeyHash(b"s" * 32).of(text)
    assert hashed == KeyHash(b"s" * 32).of(text)
    assert len(text) < 4 or text not in hashed


@pytest.mark.parametrize("text", [KEY, PERSON, "Bearer abc", "a1" * 16, "my sk-abcdef123"])
def test_what_may_be_a_key_is_seen_and_never_shown(text: str) -> None:
    assert looks_like_key(text)
    assert text not in shown(text)


@pytest.mark.parametrize("text", ["team-paris", "proj_7", "llama-3.1-8b-instruct", "batch"])
def test_names_are_no_keys(text: str) -> None:
    assert not looks_like_key(text)


ROW = {"hour": "2026-03-02T05:00Z", "model": "m", "input_tokens": "5", "output_tokens": "2"}


@pytest.mark.parametrize(
    "column", ["api_key", "user", "tenant", "model", "tier", "input_tokens", "hour", "strange"]
)
@pytest.mark.parametrize("secret", [KEY, PERSON])
@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_no_clear_key_reaches_any_output_error_or_file(
    tmp_path: Path, column: str, secret: str, ending: str
) -> None:
    """A key in its own column, in another's place (moved columns), and in a header."""
    made, salts = tmp_path / "made", tmp_path / "salts"
    made.mkdir()
    good, bad = ROW | {"api_key": KEY}, ROW | {"hour": "2026-03-02T06:00Z", column: secret}
    names = list(dict.fromkeys([*good, *bad]))
    if ending == ".csv":
        rows = [",".join(names), *(",".join(r.get(n, "") for n in names) for r in (good, bad))]
        text = "\n".join(rows)
    else:
        text = "\n".join(json.dumps(row) for row in (good, bad))
    source = tmp_path / f"in{ending}"
    source.write_text(text, encoding="utf-8")
    imported = import_file("usage", source, out=made / "o.csv", now=NOW, salt_folder=salts)
    told = [json.dumps(imported.to_dict()), repr(imported), *imported.lines()]
    told += [each.read_text("utf-8", "replace") for each in made.iterdir()]
    assert not any(secret in text or KEY in text for text in told)


@pytest.mark.parametrize("text", [f"{KEY},{PERSON}\n1,2\n", f'{{"{KEY}": "{PERSON}"}}\n', KEY])
def test_an_error_about_columns_shows_no_key(tmp_path: Path, text: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text(text, encoding="utf-8")
    with pytest.raises(FindingsError) as caught:
        import_file("usage", source, now=NOW, salt_folder=tmp_path / "salts")
    assert KEY not in str(caught.value) and PERSON not in str(caught.value)
    assert KEY.lower().replace("-", "_") not in str(caught.value)
