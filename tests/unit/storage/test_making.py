"""Results are not made while a patient is deleted, and the other way round."""

from pathlib import Path

import pytest

from api.jobs.reprocess import Wish, run_reprocess
from api.settings import Settings
from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore
from storage.erasure import erase_patient
from storage.errors import MakingError
from storage.making import making_results, nobody_makes_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
    return tmp_path


def test_many_make_results_and_nothing_is_deleted_meanwhile(folder: Path) -> None:
    store = EmbeddedStore(folder)
    try:
        with making_results(folder), making_results(folder):
            with pytest.raises(MakingError, match="nothing was deleted yet"):
                erase_patient(folder, "p1", actor="test", results=store)
            with Catalog(folder) as catalog:
                assert catalog.patient("p1").id == "p1"
        erase_patient(folder, "p1", actor="test", results=store)
    finally:
        store.close()
    with Catalog(folder) as catalog:
        assert catalog.patients() == []


def test_the_command_makes_nothing_while_somebody_is_deleted(folder: Path) -> None:
    with nobody_makes_results(folder), pytest.raises(MakingError, match="run the same command"):
        run_reprocess(Settings(data_dir=folder, zone="UTC"), Wish("p1"), lambda _a, _b: None)
