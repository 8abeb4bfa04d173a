from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog, Patient
from storage.consent import (
    consent_history,
    is_withdrawn,
    latest_consent,
    merge_consent,
    parse_consent,
    record_consent,
    withdrawn_patients,
)
from storage.errors import CatalogError


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as made:
        made.save_patient(Patient("p1", "Sam", "UTC"))
        made.save_patient(Patient("p2", "Alex", "UTC"))
        yield made


def test_the_last_word_holds_and_the_first_stays(catalog: Catalog) -> None:
    assert latest_consent(catalog, "p1") == dict.fromkeys(("processing", "sharing", "research"))
    assert not is_withdrawn(catalog, "p1", "processing", "sharing", "research")
    for given in (True, False, True, False):
        record_consent(catalog, "p1", "research", given=given, version="3", author="owner")
    assert [each.given for each in consent_history(catalog, "p1")] == [True, False, True, False]
    assert is_withdrawn(catalog, "p1", "sharing", "research")
    assert not is_withdrawn(catalog, "p1", "sharing")
    assert withdrawn_patients(catalog, "research") == {"p1"}
    assert withdrawn_patients(catalog, "sharing") == frozenset()
    written = [entry for entry in catalog.audit_log() if entry[2].startswith("consent.")]
    assert [entry[2] for entry in written] == ["consent.give", "consent.withdraw"] * 2
    assert written[0][1:4:2] == ("owner", "p1")


def test_later_than_before_even_where_the_clock_was_set_back(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_consent(catalog, "p1", "research", given=True, version="3", author="owner")
    monkeypatch.setattr("time.time_ns", lambda: 5)
    record_consent(catalog, "p1", "research", given=False, version="3", author="owner")
    assert is_withdrawn(catalog, "p1", "research")


def test_two_sides_become_one_in_any_order(catalog: Catalog) -> None:
    for purpose in ("research", "sharing"):
        record_consent(catalog, "p1", purpose, given=True, version="3", author="a")
        record_consent(catalog, "p2", purpose, given=False, version="3", author="b")
    ours, theirs = consent_history(catalog, "p1"), consent_history(catalog, "p2")
    both = merge_consent(ours, theirs)
    assert len(both) == 4
    assert merge_consent(theirs, ours) == both == merge_consent(both, ours)


def test_refusals(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="no patient"):
        record_consent(catalog, "p9", "research", given=True, version="3", author="owner")
    with pytest.raises(CatalogError, match="not understood"):
        parse_consent({"research": True})
