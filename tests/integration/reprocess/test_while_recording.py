"""Recording ends, or begins, while results are made again: what it stored meanwhile is kept."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.days import summarise_stored_day
from processing.pipeline import PipelineParams
from storage.embedded import EmbeddedStore
from storage.record.lock import WriterLock
from storage.result_rows import SECOND_NS, ResultBatch
from tests.support.reprocessing import again, results
from tests.support.results import seconds
from tests.support.worn_record import PATIENT

ALGO = PipelineParams().algorithm_id
ADDED = 30


def store_live(folder: Path, after_ns: int) -> list[int]:
    """Store results of samples that came after a time, as a collector does; return their times."""
    rows = seconds(0, ADDED)
    moved = replace(rows, t_ns=rows.t_ns - rows.t_ns[0] + after_ns + SECOND_NS)
    with contextlib.closing(EmbeddedStore(folder)) as store:
        store.put(ResultBatch(PATIENT, ALGO, angles=moved))
    return [int(t) for t in moved.t_ns]


@pytest.mark.parametrize(
    ("at_first", "at_last"), [(True, False), (False, True), (True, True)],
    ids=["ends", "begins", "goes on"],
)  # fmt: skip
def test_results_stored_meanwhile_come_along(
    data: Path, monkeypatch: pytest.MonkeyPatch, at_first: bool, at_last: bool
) -> None:
    again(data)
    before = results(data)["t_ns"]
    added: list[int] = []
    lock = [WriterLock(data)] if at_first else []

    def meanwhile(*args: Any, **options: Any) -> Any:
        """Every sample that is read was read; the switch has not come."""
        if not added:
            if not lock:
                lock.append(WriterLock(data))
            added.extend(store_live(data, before[-1]))
            if not at_last:
                lock.pop().release()
        return summarise_stored_day(*args, **options)

    monkeypatch.setattr("api.jobs.reprocess.summarise_stored_day", meanwhile)
    try:
        report = again(data)
    finally:
        for each in lock:
            each.release()
    assert report["version"] == f"{ALGO}.3"
    assert results(data)["t_ns"] == before + added
    assert report["restart"] is False
