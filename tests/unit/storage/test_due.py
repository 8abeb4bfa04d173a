from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog, Patient
from storage.due import finish_due, is_due, mark_due, take_due


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as opened:
        opened.save_patient(Patient("p1", "", "UTC"))
        opened.save_patient(Patient("p2", "", "UTC"))
        yield opened


def test_the_earliest_time_counts_and_each_patient_for_themselves(catalog: Catalog) -> None:
    assert take_due(catalog, "p1") is None
    # as text "9" would be later than "10"
    for since in (10, 9, 12):
        mark_due(catalog, "p1", since)
    assert is_due(catalog, "p1")
    assert not is_due(catalog, "p2")
    assert take_due(catalog, "p1") == 9


def test_what_comes_in_during_a_run_is_due_after_it(catalog: Catalog) -> None:
    mark_due(catalog, "p1", 50)
    assert take_due(catalog, "p1") == 50
    mark_due(catalog, "p1", 80)
    finish_due(catalog, "p1")
    assert is_due(catalog, "p1")
    assert take_due(catalog, "p1") == 80
    finish_due(catalog, "p1")
    assert not is_due(catalog, "p1")


def test_a_killed_run_is_taken_up_with_its_own_beginning(catalog: Catalog) -> None:
    mark_due(catalog, "p1", 50)
    take_due(catalog, "p1")
    mark_due(catalog, "p1", 20)
    assert is_due(catalog, "p1")
    assert take_due(catalog, "p1") == 50
    finish_due(catalog, "p1")
    assert take_due(catalog, "p1") == 20
