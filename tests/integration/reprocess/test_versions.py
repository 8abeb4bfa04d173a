"""One record, any number of workers, stopped anywhere: the same results, switched at once."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import ReprocessError
from ingest.reprocess_workers import in_order
from processing.pipeline import PipelineParams
from storage.catalog import Catalog
from storage.embedded import EmbeddedStore
from storage.errors import ResultStoreError
from storage.result_rows import ResultBatch
from tests.support.necktrace import run
from tests.support.reprocessing import again, results, versions
from tests.support.results import seconds
from tests.support.worn_record import DAY_NS, PATIENT, START_NS, wear_days

ALGO = PipelineParams().algorithm_id


def test_all_sessions_come_out_and_the_next_run_equals_it(data: Path) -> None:
    first = again(data)
    assert first["version"] == f"{ALGO}.2"
    assert first["replaces"] is None
    assert (first["sessions"], first["resumed"], first["days"]) == (3, 0, 3)
    found = results(data)
    assert len(found["t_ns"]) == pytest.approx(390, abs=6)
    assert [day.texts["date"] for day in found["days"]] == [
        "2026-09-21",
        "2026-09-22",
        "2026-09-23",
    ]
    assert len(found["minutes"]) >= 7
    with contextlib.closing(EmbeddedStore(data)) as store:
        rows = store.book.provenance(PATIENT, 0, 2**62)
    assert [row.notes["made"] for row in rows] == ["reprocess"] * 3
    assert [{u["role"] for u in row.notes["units"]} for row in rows] == [{"head", "trunk"}] * 3
    second = again(data)
    assert (second["version"], second["replaces"]) == (f"{ALGO}.3", f"{ALGO}.2")
    assert results(data) == found == results(data, f"{ALGO}.2")
    assert versions(data) == {f"{ALGO}.2": (True, False), f"{ALGO}.3": (True, True)}


@pytest.mark.slow
def test_a_pool_of_processes_gives_the_same(data: Path) -> None:
    again(data)
    expected = results(data)
    assert again(data, workers=2)["sessions"] == 3
    assert results(data) == expected


class PlantedError(Exception):
    """Stands for the power going out."""


@pytest.mark.parametrize(("puts", "at_least"), [(0, 0), (2, 1), (5, 2)])
def test_stopped_anywhere_it_goes_on_where_it_was(
    data: Path, puts: int, at_least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(data)
    expected = results(data)
    left, marks = [puts], [0]
    put = EmbeddedStore.put

    def failing(self: EmbeddedStore, batch: ResultBatch, **more: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise PlantedError
        put(self, batch, **more)
        marks[0] += batch.cursor is not None

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedStore, "put", failing)
        with pytest.raises(PlantedError):
            again(data)
    assert results(data) == expected, "readers see the old version until the switch"
    assert versions(data)[f"{ALGO}.3"] == (False, False)
    report = again(data)
    assert report["version"] == f"{ALGO}.3", "the version that was begun is finished"
    assert report["resumed"] == marks[0] >= at_least
    assert report["resumed"] + report["sessions"] == 3
    assert results(data) == expected


def test_sessions_with_new_samples_are_done_again_after_a_stop(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise PlantedError

    with monkeypatch.context() as patch:
        patch.setattr("api.jobs.reprocess.summarise_stored_day", failing)
        with pytest.raises(PlantedError):
            again(data)
    with Catalog(data) as catalog:
        at_ns = START_NS + DAY_NS + 100 * 10**9
        catalog.add_span(PATIENT, "neutral_pose", at_ns, at_ns + 4 * 10**9)
    assert again(data)["resumed"] == 1, "the day before the new pose is kept"


def test_other_parameters_make_a_version_of_their_own(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    again(data)
    before = results(data)
    params = tmp_path / "params.json"
    params.write_text(json.dumps({"grid": {"max_gap_s": 0.05}, "wear": {}}))
    report = again(data, params=params)
    assert not report["version"].startswith(ALGO)
    assert report["replaces"] == f"{ALGO}.2"
    assert results(data, f"{ALGO}.2") == before
    with pytest.raises(ReprocessError, match="holds results of one kind"):
        again(data, begin=datetime(2026, 9, 22, tzinfo=UTC))
    done = run(
        monkeypatch, capsys, "reprocess", "--data-dir", str(data), "--remove", f"{ALGO}.2", "--json"
    )
    assert json.loads(done.out)["removed"] == f"{ALGO}.2"
    assert list(versions(data)) == [report["version"]]
    refused = run(
        monkeypatch, capsys, "reprocess", "--data-dir", str(data), "--remove", report["version"]
    )
    assert refused.exit_code == 1
    assert "is the current one" in refused.err


def test_a_range_takes_the_rest_over(data: Path) -> None:
    again(data)
    before = results(data)
    day = datetime(2026, 9, 22, 15, tzinfo=UTC)
    report = again(data, begin=day, end=day.replace(hour=20))
    assert (report["sessions"], report["copied"]) == (1, 2)
    assert results(data) == before
    with pytest.raises(Exception, match="later than"):
        again(data, begin=day, end=day)


def test_live_results_join_the_version_that_is_current(data: Path) -> None:
    again(data)
    store = EmbeddedStore(data)
    held = len(store.angles(PATIENT, 0, 2**62).t_ns)
    store.put(ResultBatch(PATIENT, ALGO, angles=seconds(0, 30)))
    assert len(store.angles(PATIENT, 0, 2**62).t_ns) == held + 30
    assert store.book.current(PATIENT) == f"{ALGO}.2"
    assert list(versions(data)) == [f"{ALGO}.2"]
    with pytest.raises(ResultStoreError):
        store.remove_algorithm(PATIENT, f"{ALGO}.2")
    store.close()


def test_the_command_says_what_it_did_and_what_is_wrong(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = run(
        monkeypatch, capsys, "reprocess", "--data-dir", str(data), "--workers", "1", "--json"
    )
    assert done.exit_code == 0, done.err
    (report,) = json.loads(done.out)["patients"]
    assert report["samples"] == 2 * 104 * 390
    assert done.err == "", "no progress bar without a terminal"
    for arguments, said in (
        (["--patient", "nobody"], "there is no patient 'nobody'"),
        (["--scheduler", "tcp://127.0.0.1:1"], "does not answer"),
        (["--algorithm-params", str(tmp_path / "none.json")], "cannot be read"),
        (["--remove", "7-x"], "no results of version"),
    ):
        failed = run(monkeypatch, capsys, "reprocess", "--data-dir", str(data), *arguments)
        assert failed.exit_code == 1, failed.err
        assert said in failed.err
        assert len(failed.err.strip().splitlines()) == 1


@pytest.mark.slow
def test_kill_9_costs_at_most_the_session_under_way(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    wear_days(folder, [200.0] * 6)
    program = "from api.cli import main; main()"
    command = [sys.executable, "-c", program, "reprocess", "--data-dir", str(folder)]
    process = subprocess.Popen(
        [*command, "--workers", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    store = EmbeddedStore(folder)
    try:
        until = time.monotonic() + 120.0
        while not store.book.cursors(PATIENT, f"{ALGO}.2"):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.005)
    finally:
        store.close()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert versions(folder)[f"{ALGO}.2"][0] is False, "it was killed in the middle"
    report = again(folder)
    assert report["resumed"] >= 1
    assert report["version"] == f"{ALGO}.2"
    resumed = results(folder)
    again(folder)
    assert results(folder) == resumed


def die_once(flag: str, value: int) -> int:
    """Kill the worker that comes here first."""
    path = Path(flag)
    if value == 2 and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return value * value


def test_a_killed_worker_of_the_pool_costs_nothing(tmp_path: Path) -> None:
    calls = [(str(tmp_path / "flag"), value) for value in range(5)]
    assert list(in_order(die_once, calls, workers=2)) == [0, 1, 4, 9, 16]
    assert (tmp_path / "flag").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_dask_cluster_gives_the_same_though_a_worker_is_killed(
    data: Path, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    again(data)
    expected = results(data)
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        local_directory=str(tmp_path / "dask"),
    ) as cluster:
        calls = [(str(tmp_path / "flag"), value) for value in range(5)]
        squares = in_order(die_once, calls, scheduler=cluster.scheduler_address)
        assert list(squares) == [0, 1, 4, 9, 16]
        assert (tmp_path / "flag").exists(), "a worker was killed at its work"
        report = again(data, scheduler=cluster.scheduler_address)
    assert report["sessions"] == 3
    assert results(data) == expected
