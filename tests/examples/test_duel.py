"""The companies of examples/duel: clean, alike but for power, and what the thesis runs."""

import pytest
from commands import ROOT

import tokenergy as te
from tokenergy.company.company import Company
from tokenergy.thesis.duel import duel
from tokenergy.thesis.duel_books import grid_queue, own_power

FOLDER = ROOT / "examples" / "duel"
BOOKS = {"own-power.yaml": own_power(), "grid-queue.yaml": grid_queue()}
POWER_BOOK = ("contracts", "growth", "company", "about")


def test_the_folder_holds_the_two_and_nothing_else() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(BOOKS)


@pytest.mark.parametrize("name", BOOKS)
def test_a_file_checks_clean_and_is_short(name: str) -> None:
    checked = te.check(FOLDER / name)
    # Own power is more than the hall draws: a duel's point, and a warning.
    assert [f for f in checked.findings if f.code != "OVERHEDGED"] == []
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 90
    assert sum("#" in line for line in lines) >= 10
    assert (FOLDER / lines[0].split("$schema=")[1]).is_file()


@pytest.mark.parametrize("name", BOOKS)
def test_a_file_says_what_the_thesis_runs(name: str) -> None:
    """Field by field, so that neither drifts from the other."""
    said, ran = te.load(FOLDER / name).company, BOOKS[name]
    for field in Company.model_fields:
        assert getattr(said, field) == getattr(ran, field), field


def test_the_two_differ_in_their_power_books_alone() -> None:
    own, rival = (te.load(FOLDER / name).company for name in BOOKS)
    for field in Company.model_fields:
        assert (getattr(own, field) == getattr(rival, field)) == (field not in POWER_BOOK), field
    assert own.growth is not None
    assert rival.growth is not None
    assert own.growth.model_copy(update={"lead_time_months": 36.0}) == rival.growth


@pytest.mark.parametrize("name", BOOKS)
def test_nobody_is_refused_today(name: str) -> None:
    """Megawatts bind only when the users have grown."""
    result = te.dispatch(te.load(FOLDER / name), hours=6)
    assert sum(row["refused_mtok"] for row in result.workloads) == pytest.approx(0.0, abs=1e-6)


def test_the_files_can_be_fought_as_they_stand() -> None:
    """On the prices of their own fortnight: the worlds of two files are all that a duel needs."""
    own, rival = (te.load(FOLDER / name).world for name in BOOKS)
    fought = duel(own, rival, delays_months=(0.0, 36.0))
    assert fought.path.delay_months == 36.0
    assert fought.path.months == fought.sweep[1].months
    assert fought.stated_parts.decides == "megawatts"
    assert fought.sweep[0].short_count == 0
