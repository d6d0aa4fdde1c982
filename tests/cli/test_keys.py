"""`tokenergy keys`: a key is shown once, on standard output alone; the list never has one."""

from pathlib import Path

import pytest
from commands import MERIDIAN, listing
from serving_company import written

from tokenergy.store.keys import SqliteKeys


@pytest.fixture
def company(tmp_path: Path) -> Path:
    return written(tmp_path)


def test_a_key_from_its_making_to_its_end(inside, company: Path, tmp_path: Path) -> None:
    made = inside("keys", company, "create", "--tenant", "acme", "--note", "first")
    assert made.status == 0, made.err
    key = made.out.strip()
    assert key.startswith("tk-")
    assert key not in made.err

    listed = inside("keys", company, "list")
    assert "acme" in listed.out and "first" in listed.out and "active" in listed.out
    (row,) = inside("keys", company, "list", "--json").json()["keys"]
    assert (row["tenant"], row["tiers"], row["scopes"]) == ("acme", [], ["batches", "inference"])

    rotated = inside("keys", company, "rotate", row["key_id"], "--grace-h", "0", "--json").json()
    assert rotated["key"] != key
    ended = inside("keys", company, "revoke", rotated["key_id"])
    assert "within a minute" in ended.out
    states = {each["key_id"]: each["state"]
              for each in inside("keys", company, "list", "--json").json()["keys"]}  # fmt: skip
    assert states == {row["key_id"]: "expired", rotated["key_id"]: "revoked"}
    held = b"".join(listing(tmp_path / ".tokenergy").values())
    assert key.encode() not in held and rotated["key"].encode() not in held


def test_a_key_opens_the_folder_that_was_named(inside, company: Path, tmp_path: Path) -> None:
    words = ["--tenant", "acme", "--tiers", "nightly", "--scopes", "usage", "--days", "1"]
    told = inside("keys", company, "create", *words, "--data", tmp_path / "elsewhere", "--json")
    with SqliteKeys.in_folder(tmp_path / "elsewhere") as keys:
        facts = keys.find(told.json()["key"].encode())
    assert facts is not None
    assert (facts.tenant, facts.tiers, facts.scopes) == ("acme", ("nightly",), {"usage"})
    assert told.json()["expires"] is not None
    assert not (tmp_path / ".tokenergy").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create"], "create needs --tenant"),
        (["create", "--tenant", "acne"], "no tenant 'acne'; there is acme"),
        (["create", "--tenant", "acme", "--tiers", "chat,gold"], "no tier gold"),
        (["create", "--tenant", "acme", "--scopes", "root"], "this one: root"),
        (["create", "--tenant", "acme", "--days", "0"], "more than 0"),
        (["create", "key_1", "--tenant", "acme"], "takes no id"),
        (["list", "--tenant", "acme"], "list takes no --tenant"),
        (["revoke"], "revoke which key?"),
        (["revoke", "key_1"], "no key 'key_1'"),
        (["rotate", "key_1", "--grace-h", "-1"], "0 or more"),
    ],
)
def test_what_cannot_be_is_told(inside, company: Path, words: list[str], said: str) -> None:
    done = inside("keys", company, *words)
    assert done.status == 2
    assert said in done.err
    assert done.out == ""


def test_a_company_without_a_gateway_has_one_tenant(inside) -> None:
    assert inside("keys", MERIDIAN, "create", "--tenant", "demo").status == 0
    assert "no key was ever made" not in inside("keys", MERIDIAN, "list").out


def test_a_key_whose_tenant_has_gone_is_told(inside, company: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    inside("keys", company, "create", "--tenant", "acme", "--tiers", "chat", "--data", data)

    def renamed(tree) -> None:
        tree["serve"]["tenants"][0]["name"] = "globex"

    def without_tier(tree) -> None:
        tree["serve"]["tenants"][0]["tiers"] = ["nightly"]

    for change, code in ((renamed, "KEY_WITHOUT_TENANT"), (without_tier, "KEY_WITHOUT_TIER")):
        told = inside("keys", written(tmp_path, change), "list", "--data", data, "--json").json()
        (finding,) = told["findings"]
        assert (finding["code"], finding["severity"]) == (code, "warning")


def test_a_broken_company_file_is_told(inside, company: Path) -> None:
    company.write_text(company.read_text().replace("origin: america", "origin: amerika"))
    done = inside("keys", company, "list")
    assert done.status == 2
    assert "UNKNOWN_NAME" in done.err
