"""`tokenergy export pypsa COMPANY FILE`."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tokenergy.cli.exporting import export
from tokenergy.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
STARTUP = ROOT / "examples" / "startup.yaml"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(export)
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


def test_the_file_and_what_is_in_which_form(run, tmp_path):
    done = run("pypsa", STARTUP, tmp_path / "out.nc", "--hours", 24)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out.nc").read_bytes()[:3] == b"CDF"
    assert "size of dallas: p_nom_opt of the Link 'import dallas'" in done.stdout
    assert "nothing stands beside the components" in done.stdout
    again = run("pypsa", STARTUP, "--out", tmp_path / "out.nc", "--hours", 24)
    assert again.exit_code == 0, again.output


def test_json_names_every_size(run, tmp_path):
    done = run("pypsa", STARTUP, tmp_path / "out.nc", "--hours", 24, "--json")
    told = json.loads(done.stdout)
    assert told["snapshots_count"] == 24 and told["rows_beside"] == []
    assert set(told["sizes"]) == {"dallas", "own", "rented", "cabinet", "sun", "wind"}


def test_a_company_without_a_plan_is_its_dispatch(run, tmp_path):
    done = run("pypsa", ROOT / "examples" / "contracts.yaml", tmp_path / "c.nc")
    assert done.exit_code == 0, done.output
    assert "components cannot say" in done.stdout and "extra_functionality" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pypsa", STARTUP, "-"), "a network is no text"),
        (("pypsa", STARTUP, "a.nc", "--out", "b.nc"), "name the file once"),
        (("focus", STARTUP, "a.csv", "--hours", "24"), "--hours belongs to pypsa"),
        (("pypsa", STARTUP, "a.nc", "--hours", "99999"), "hours is 99999"),
    ],
)
def test_what_does_not_fit_is_refused(run, tmp_path, words, said):
    done = run(*words)
    assert isinstance(done.exception, InputError) and said in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_not_replaced(run, tmp_path):
    (tmp_path / "notes.nc").write_text("my notes")
    done = run("pypsa", STARTUP, tmp_path / "notes.nc", "--hours", 24)
    assert isinstance(done.exception, InputError) and "exists already" in str(done.exception)
    assert (tmp_path / "notes.nc").read_text() == "my notes"
