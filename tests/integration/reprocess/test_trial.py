"""A researcher's trial over HTTP, beside what the clinic is shown; thresholds without a command."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.access.passwords import hash_password
from api.hub.recording import params_in_force
from api.jobs.reprocess import Wish, run_reprocess
from api.settings import load_settings
from api.thresholds import Thresholds, ask_for, is_asked_for, pipeline_params, save_thresholds
from ingest.reprocess_params import differing, parse_params
from processing.pipeline import PipelineParams
from storage.access import add_account, add_grant
from storage.catalog import Catalog
from storage.credentials import add_token
from storage.embedded import EmbeddedStore
from storage.record.lock import WriterLock
from storage.result_rows import ResultBatch
from tests.support.reprocessing import again, results, versions
from tests.support.results import seconds
from tests.support.worn_record import PATIENT

NECKTRACE = (sys.executable, "-c", "from api.cli import main; main()")
ALGO = PipelineParams().algorithm_id
STRICTER = {"episodes": {"jerk": {"amplitude_min_deg": 6.0}}}
Ask = Callable[..., Any]


@pytest.fixture
def ask(data: Path) -> Iterator[Ask]:
    """A real server on the folder, and what a program of a researcher asks it for."""
    again(data)
    with Catalog(data) as catalog:
        secrets = {}
        for name in ("ray", "eve"):
            account = add_account(catalog, name, "researcher", hash_password("x" * 10), actor="t")
            add_grant(catalog, account, PATIENT, identified=False, expires_ns=None, actor="t")
            secrets[name] = add_token(
                catalog, name, scopes=["read:raw", "read:summary"], patients=[PATIENT],
                expires_ns=2**62, account=account.id, blind=True, actor="t",
            )[1]  # fmt: skip
    environment = {**os.environ, "NECKTRACE_DATA_DIR": str(data), "NECKTRACE_PORT": "0"}
    with subprocess.Popen(
        [*NECKTRACE, "serve"], env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1].rstrip("/")

        def asked(path: str, method: str = "GET", body: Any = None, who: str = "ray") -> Any:
            headers = {
                "Authorization": f"Bearer {secrets[who]}",
                "Content-Type": "application/json",
            }
            given = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(
                f"{url}/api/v1{path}", data=given, headers=headers, method=method
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    held = answer.read()
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code
            return json.loads(held) if held else None

        try:
            yield asked
        finally:
            server.terminate()


def test_a_trial_stands_beside_the_results_until_it_is_removed(
    ask: Ask, data: Path, tmp_path: Path
) -> None:
    shown = results(data)
    me = f"/patients/{ask('/patients')['items'][0]['id']}"
    assert PATIENT not in me
    trial = ask(f"{me}/versions", "POST", {"params": STRICTER})["algo"]
    until = time.monotonic() + 300.0
    while True:
        held = {each["algo"]: each for each in ask(f"{me}/versions")["items"]}
        if held[trial]["complete"]:
            break
        assert held[trial]["under_way"], "the trial stopped"
        assert time.monotonic() < until
        time.sleep(0.5)
    assert held[trial]["differs"] == STRICTER
    assert held[f"{ALGO}.2"]["differs"] == {}
    assert [each["current"] for each in held.values()] == [True, False]

    assert results(data) == shown, "what pages and reports show is as it was"
    for table in ("angles", "days", "minutes"):
        both = [ask(f"{me}/{table}?algo={algo}&from=2026-01-01T00:00:00Z") for algo in held]
        assert both  # each version can be read by its name
    tried = results(data, trial)
    assert tried["angles"] == shown["angles"], "only the detector differs"
    jerks = [[e for e in found["episodes"] if e.kind == "jerk"] for found in (tried, shown)]
    assert all(each.amplitude_deg >= 6.0 for each in jerks[0])
    assert len(jerks[0]) < len(jerks[1])

    params = tmp_path / "mine.json"
    params.write_text(json.dumps(STRICTER))
    (report,) = run_reprocess(
        load_settings(data_dir=data),
        Wish(PATIENT, params=params, keep_current=True),
        lambda _fraction, _note: None,
    )
    assert results(data, report["version"]) == tried, "the command makes the same"

    assert ask(f"{me}/versions", "POST", {"params": {}}) == 409, "these are shown already"
    assert ask(f"{me}/versions/{trial}", "DELETE", who="eve") == 403, "not theirs"
    assert ask(f"{me}/versions/{ALGO}.2", "DELETE") == 403, "the clinic's"
    assert ask(f"{me}/versions/9-none", "DELETE") == 404
    assert ask(f"{me}/versions/{trial}", "DELETE") is None
    assert set(versions(data)) == {f"{ALGO}.2", report["version"]}
    assert results(data) == shown


def test_what_differs_is_what_was_asked_for() -> None:
    asked = {"episodes": {"jerk": {"burst_n": 4}}, "grid": {"max_gap_s": 0.05}}
    assert differing(parse_params(asked, "test")) == asked
    assert differing(PipelineParams()) == {}


def test_changed_thresholds_hold_from_the_next_recording_for_all_days(data: Path) -> None:
    """A recording that began with new thresholds and the days before end in one version."""
    again(data)
    wanted = Thresholds(jerk_least_deg=6.0)
    params = pipeline_params(wanted)
    with Catalog(data) as catalog:
        save_thresholds(catalog, PATIENT, wanted, "test")
        ask_for(catalog, PATIENT)
    store = EmbeddedStore(data)
    with Catalog(data) as catalog:
        assert params_in_force(store, catalog, PATIENT) == params
    lock = WriterLock(data)
    try:
        # what the collector has written since, after all that is in the record
        store.book.register(PATIENT, params.algorithm_id, params_hash=params.hash)
        held = store.angles(PATIENT, 0, 2**62).t_ns
        later = seconds(0, 30)
        shift_ns = (int(held[-1]) - int(later.t_ns[0])) // 10**9 * 10**9 + 10 * 10**9
        later = type(later)(later.t_ns + shift_ns, later.step_s, later.values)
        store.put(ResultBatch(PATIENT, params.algorithm_id, angles=later))
        report = again(data)
    finally:
        lock.release()
    assert not report["restart"], "the collector goes on in the version that is shown"
    assert store.book.current(PATIENT) == report["version"] == f"{params.algorithm_id}.2"
    assert len(store.angles(PATIENT, 0, 2**62).t_ns) == len(held) + 30
    more = type(later)(later.t_ns + 60 * 10**9, later.step_s, later.values)
    store.put(ResultBatch(PATIENT, params.algorithm_id, angles=more))
    assert len(store.angles(PATIENT, 0, 2**62).t_ns) == len(held) + 60
    assert all(e.amplitude_deg >= 6.0 for e in store.episodes(PATIENT, 0, 2**62, kind="jerk"))
    store.close()
    with Catalog(data) as catalog:
        assert not is_asked_for(catalog, PATIENT)
