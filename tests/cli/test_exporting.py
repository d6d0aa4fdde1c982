"""`tokenergy export`, as a command of its own until it stands among the verbs."""

import json
from pathlib import Path

import pytest
import typer
from commands import SMALL
from typer.testing import CliRunner

from tokenergy.cli.exporting import export
from tokenergy.errors import InputError


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(export)
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


def test_contracts_go_to_out(run, tmp_path):
    done = run("focus-contracts", SMALL)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "small.focus-contracts.csv").is_file()
    assert "conformance: passes" in done.stdout


def test_stdout_holds_the_file_and_nothing_else(run, tmp_path):
    done = run("focus-contracts", SMALL, "--out", "-", "--format", "csv")
    assert done.stdout.startswith("BillingCurrency,ContractCommitmentCategory,")
    assert len(done.stdout.splitlines()) == 1 and "COMMITMENT_OPEN_ENDED" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_object(run, tmp_path):
    done = run("focus-contracts", SMALL, "--json", "--out", tmp_path / "c.csv")
    told = json.loads(done.stdout)
    assert told["kind"] == "focus-contracts" and told["conformance"]["passed"] is True


def test_a_word_that_is_none_leaves_no_folder(run, tmp_path):
    done = run("xls", SMALL)
    assert isinstance(done.exception, InputError)
    both = run("focus", SMALL, "--out", "-", "--json")
    assert isinstance(both.exception, InputError)
    assert list(tmp_path.iterdir()) == []
