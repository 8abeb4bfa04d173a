import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.forwarding import rework
from api.jobs import reprocess
from api.jobs.reprocess import Wish
from api.settings import Settings
from ingest.errors import ReprocessError
from storage.catalog import Catalog, Patient
from storage.due import is_due, mark_due
from storage.result_book import ResultBook

T_NS = 1_790_000_000 * 10**9


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, zone="UTC")


@pytest.fixture
def catalog(settings: Settings) -> Iterator[Catalog]:
    with Catalog(settings.data_dir) as opened:
        for name in ("p1", "p2"):
            opened.save_patient(Patient(name, "", "UTC"))
        yield opened


class Made:
    """Stands for reprocessing, which has tests of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wishes: list[Wish] = []
        self.removed: list[tuple[str | None, str]] = []
        self.replaces: str | None = "1-aa.2"
        self.during: Callable[[Wish], None] = lambda _: None
        monkeypatch.setattr(reprocess, "run_reprocess", self.run)
        monkeypatch.setattr(
            reprocess, "remove_version", lambda _, who, old: self.removed.append((who, old))
        )

    def run(self, _settings: Settings, wish: Wish, _told: object) -> list[dict[str, Any]]:
        self.wishes.append(wish)
        self.during(wish)
        return [{"version": "1-aa.3", "replaces": self.replaces}]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(monkeypatch)


def test_what_is_due_is_made_from_there_on_and_its_old_version_goes(
    settings: Settings, catalog: Catalog, made: Made
) -> None:
    assert rework.rework(settings) == 0
    mark_due(catalog, "p1", T_NS)
    assert rework.rework(settings) == 1
    assert made.wishes == [Wish("p1", datetime.fromtimestamp(T_NS // 10**9, UTC))]
    assert made.removed == [("p1", "1-aa.2")]
    assert not is_due(catalog, "p1")


def test_a_try_that_failed_is_told_until_one_works(
    settings: Settings, catalog: Catalog, made: Made
) -> None:
    def fail(_wish: Wish) -> None:
        raise ReprocessError("nothing was recorded")

    mark_due(catalog, "p1", 0)
    made.during = fail
    assert rework.rework(settings) == 0
    assert rework.has_failed(catalog, "p1")
    made.during = lambda _: None
    assert rework.rework(settings) == 1
    assert not rework.has_failed(catalog, "p1")


def test_versions_of_other_algorithms_stay(
    settings: Settings, catalog: Catalog, made: Made
) -> None:
    for replaces in (None, "2-aa.1", "demo"):
        made.replaces = replaces
        mark_due(catalog, "p1", 0)
        rework.rework(settings)
    assert made.removed == []
    assert [wish.begin for wish in made.wishes] == [None] * 3


def test_few_versions_stay_that_other_thresholds_replaced(
    settings: Settings, catalog: Catalog, made: Made
) -> None:
    book = ResultBook(settings.data_dir)
    names = ["2-aa", "2-bb.2", "2-cc.2", "2-dd.2"]
    for algo in (*names, "9-trial.2"):
        book.register("p1", algo)
    for replaces, current in zip(names, [*names[1:], "2-ee.2"], strict=True):
        book.register("p1", current)
        book.switch("p1", current)
        made.replaces = replaces
        mark_due(catalog, "p1", 0)
        rework.rework(settings)
    book.close()
    assert made.removed == [("p1", "2-aa"), ("p1", "2-bb.2")]


def test_what_arrives_meanwhile_is_made_too(
    settings: Settings, catalog: Catalog, made: Made
) -> None:
    def arrive(wish: Wish) -> None:
        if len(made.wishes) == 1:
            mark_due(catalog, "p2", T_NS)
            mark_due(catalog, "p1", 2 * T_NS)

    made.during = arrive
    mark_due(catalog, "p1", T_NS)
    assert rework.rework(settings) == 3
    assert [wish.patient for wish in made.wishes] == ["p1", "p1", "p2"]


def test_a_run_that_failed_stays_due_and_holds_up_nobody(
    settings: Settings, catalog: Catalog, made: Made
) -> None:
    def fail(wish: Wish) -> None:
        if wish.patient == "p1":
            raise OSError

    made.during = fail
    mark_due(catalog, "p1", T_NS)
    mark_due(catalog, "p2", T_NS)
    assert rework.rework(settings) == 1
    assert is_due(catalog, "p1")
    assert not is_due(catalog, "p2")


def test_where_a_part_cannot_be_made_alone_everything_is(
    settings: Settings, catalog: Catalog, made: Made
) -> None:
    def refuse_parts(wish: Wish) -> None:
        if wish.begin is not None:
            raise ReprocessError("a range alone cannot be made")

    made.during = refuse_parts
    mark_due(catalog, "p1", T_NS)
    rework.rework(settings)
    assert [wish.begin is None for wish in made.wishes] == [False, True]


def test_one_process_does_it(settings: Settings, catalog: Catalog, made: Made) -> None:
    inner: list[int] = []
    made.during = lambda _: inner.append(rework.rework(settings))
    mark_due(catalog, "p1", T_NS)
    rework.rework(settings)
    assert inner == [0]
    assert len(made.wishes) == 1


def test_it_is_started_only_where_due_and_free(
    settings: Settings, catalog: Catalog, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(rework, "_wait_for", started.append)
    assert not rework.start(settings, catalog, "p1")
    mark_due(catalog, "p1", T_NS)
    made.during = lambda _: started.append(["busy", str(rework.start(settings, catalog, "p1"))])
    rework.rework(settings)
    assert started == [["busy", "False"]]
    mark_due(catalog, "p1", T_NS)
    assert rework.start(settings, catalog, "p1")
    for thread in threading.enumerate():
        if thread.name == "forward-rework":
            thread.join(5.0)
    assert started[1][1:] == ["-m", "api.forwarding.rework", str(settings.data_dir)]
