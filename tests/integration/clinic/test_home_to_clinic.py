"""A home and a clinic as two processes: links are cut, both are killed, every byte arrives once."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from ingest.reprocess_version import current_row
from processing.summary import MinuteSummary
from storage.catalog import Catalog, Device, Patient
from storage.consent import consent_history, record_consent
from storage.credentials import add_token
from storage.due import is_due
from storage.embedded import EmbeddedStore
from storage.exchange import scope_of
from storage.forwarding import unsent
from storage.notes import (
    Annotation,
    ExerciseSession,
    Treatment,
    add_annotation,
    annotations,
    exercises,
    save_exercise,
    save_treatment,
    treatments,
)
from storage.record import RecordReader, verify
from storage.result_rows import restore
from tests.support.cuttable_link import CuttableLink, free_port
from tests.support.worn_record import PATIENT, START_NS, wear_days

NECKTRACE = [sys.executable, "-c", "from api.cli import main; main()"]
SECOND_NS = 10**9


@dataclass
class Processes:
    """Programs that this test started, and ends."""

    clinic_folder: Path
    home_folder: Path
    clinic_port: int
    link: CuttableLink
    token_file: Path
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `necktrace ARGUMENTS`."""
        process = subprocess.Popen(
            [*NECKTRACE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.started.append(process)
        return process

    def start_clinic(self) -> "subprocess.Popen[str]":
        """Start the clinic's server and wait until it answers."""
        where = ["--data-dir", str(self.clinic_folder), "--port", str(self.clinic_port)]
        process = self.start("serve", *where)

        def answers() -> bool:
            assert process.poll() is None, "the clinic's server ended"
            with contextlib.suppress(httpx.TransportError):
                url = f"http://127.0.0.1:{self.clinic_port}/api/v1/health"
                return httpx.get(url, trust_env=False).status_code == 200
            return False

        until(answers, 60.0)
        return process

    @property
    def forward_arguments(self) -> list[str]:
        """What every `necktrace forward` of this home is given."""
        url = f"http://127.0.0.1:{self.link.port}"
        where = ["--data-dir", str(self.home_folder)]
        return ["forward", "--to", url, "--token-file", str(self.token_file), *where]

    def forward_once(self) -> tuple[int, dict[str, Any]]:
        """Have one exchange; return exit code and report."""
        done = subprocess.run(
            [*NECKTRACE, *self.forward_arguments, "--once", "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120.0,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def end(self) -> None:
        """End what still runs."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill -9 one process of ours and wait for its end."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def until(condition: Callable[[], bool], timeout_s: float) -> None:
    """Wait until something is the case."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "that never came"
        time.sleep(0.05)


def samples(folder: Path) -> dict[tuple[str, int, str], dict[int, tuple[float, ...]]]:
    """Return every sample by stream and index; one that is served twice fails."""
    found: dict[tuple[str, int, str], dict[int, tuple[float, ...]]] = {}
    with RecordReader(folder) as reader:
        for stream in reader.streams():
            held = found.setdefault((stream.info.device_id, stream.info.boot, stream.info.kind), {})
            for chunk in reader.samples(stream.id):
                for index, row in zip(chunk.index.tolist(), chunk.data.tolist(), strict=True):
                    assert index not in held, f"sample {index} is served twice"
                    held[index] = tuple(row)
    return found


def live_home(folder: Path) -> None:
    """Fill a home: two wear sessions and everything that people write."""
    wear_days(folder, [400.0, 200.0])
    with Catalog(folder) as home:
        home.save_device(Device("head", PATIENT, "head", model="virtual", calibration={"k": 1.5}))
        home.add_span(PATIENT, "neutral_pose", START_NS + 250 * SECOND_NS,
                      START_NS + 253 * SECOND_NS, sigma_deg=3.0)  # fmt: skip
        add_annotation(home, PATIENT, "pain", START_NS, START_NS, body={"level": 4}, author="owner")
        save_treatment(home, Treatment("t1", PATIENT, "injection", START_NS, {"units": 80}))
        start, end = START_NS, START_NS + 60 * SECOND_NS
        save_exercise(home, ExerciseSession("e1", PATIENT, "turn", start, end, {"repeats": 8}))
        record_consent(home, PATIENT, "research", given=True, version="2", author="owner")


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    home, clinic = tmp_path / "home", tmp_path / "clinic"
    live_home(home)
    token_file = tmp_path / "token"
    with Catalog(clinic) as catalog:
        catalog.save_patient(Patient(PATIENT, "Sam", "UTC"))
        catalog.save_patient(Patient("p2", "Alex", "UTC"))
        for name, patient in (("token", PATIENT), ("other", "p2")):
            _, secret = add_token(
                catalog, name, scopes=["forward"], patients=[patient],
                expires_ns=time.time_ns() + 3600 * SECOND_NS, account=None, blind=False,
                actor="test",
            )  # fmt: skip
            (tmp_path / name).write_text(secret + "\n")
    port = free_port()
    with CuttableLink(port) as link:
        made = Processes(clinic, home, port, link, token_file)
        try:
            yield made
        finally:
            made.end()


def results(folder: Path) -> dict[str, Any]:
    """Return the current results of the patient."""
    store = EmbeddedStore(folder)
    try:
        end_ns = START_NS + 10 * 86_400 * SECOND_NS
        return {
            "angles": store.angles(PATIENT, 0, end_ns),
            "minutes": [restore(MinuteSummary, row) for row in store.minutes(PATIENT, 0, end_ns)],
            "episodes": store.episodes(PATIENT, 0, end_ns),
            "days": store.days(PATIENT, 0, end_ns),
        }
    finally:
        store.close()


@pytest.mark.slow
@pytest.mark.long
def test_every_byte_arrives_once_and_the_clinics_word_comes_home(processes: Processes) -> None:
    home, clinic, link = processes.home_folder, processes.clinic_folder, processes.link
    server = processes.start_clinic()
    parcels = unsent(home)
    assert len(parcels) == 6

    # the link breaks inside the first segment, and the next exchange goes on inside it
    link.budget = 30_000 + parcels[0].bytes // 2
    code, report = processes.forward_once()
    assert (code, report["ok"]) == (1, False)
    assert "cannot be reached" in report["error"]
    (part,) = (clinic / "incoming").rglob("*.part")
    assert 0 < part.stat().st_size < max(parcel.bytes for parcel in parcels)
    assert len(unsent(home)) >= 5

    # both are killed in the middle, twice, and started again
    link.budget, link.pause_s = None, 0.02
    for left in (4, 2):
        sender = processes.start(*processes.forward_arguments, "--every", "1")
        until(lambda: len(unsent(home)) <= left, 60.0)  # noqa: B023  waited for at once
        kill(sender)
        kill(server)
        server = processes.start_clinic()
    assert unsent(home)
    link.pause_s = 0.0
    code, report = processes.forward_once()
    assert (code, report["error"]) == (0, ""), report
    assert unsent(home) == []
    assert list((clinic / "incoming").rglob("*.part")) == []

    sent = samples(home)
    assert sum(map(len, sent.values())) > 100_000
    assert samples(clinic) == sent
    checked = verify(clinic)
    assert checked["ok"], checked["errors"]
    assert all(stream["missing_samples"] == 0 for stream in checked["streams"])
    assert_entries_arrived(home, clinic)

    assert_same_results(processes)
    assert_word_comes_home(processes)
    assert_others_are_refused(processes)


def assert_entries_arrived(home: Path, clinic: Path) -> None:
    """What people wrote at home is in the clinic; the patient's name did not go along."""
    with Catalog(home) as ours, Catalog(clinic) as theirs:
        assert theirs.patient(PATIENT).label == "Sam"
        assert theirs.patient(PATIENT).zone == ours.patient(PATIENT).zone
        assert theirs.alignments(PATIENT) == ours.alignments(PATIENT)
        held, sent = theirs.wear_sessions(PATIENT), ours.wear_sessions(PATIENT)
        assert [(w.start_ns, w.detail) for w in held] == [(w.start_ns, w.detail) for w in sent]
        (said,) = consent_history(theirs, PATIENT)
        assert (said.purpose, said.given, said.version) == ("research", True, "2")
        assert treatments(theirs, PATIENT) == treatments(ours, PATIENT)
        assert exercises(theirs, PATIENT) == exercises(ours, PATIENT)
        assert theirs.devices(patient=PATIENT)[0].calibration == {"k": 1.5}
        assert len(theirs.spans(PATIENT)) == len(ours.spans(PATIENT)) > 0
        (note,) = annotations(theirs, PATIENT)
        assert (note.kind, note.body, note.author) == ("pain", {"level": 4}, "home:owner")


def assert_same_results(processes: Processes) -> None:
    """The clinic makes of it what the home makes of it."""
    home, clinic = processes.home_folder, processes.clinic_folder
    subprocess.run(
        [*NECKTRACE, "reprocess", "--workers", "1", "--data-dir", str(home)],
        check=True, capture_output=True, timeout=300.0,
    )  # fmt: skip

    def made() -> bool:
        with Catalog(clinic) as catalog:
            return not is_due(catalog, PATIENT)

    until(made, 300.0)
    store = EmbeddedStore(clinic)
    current = current_row(store.book, PATIENT)
    store.close()
    assert current is not None
    assert current.complete
    ours, theirs = results(home), results(clinic)
    assert ours["angles"].t_ns.size > 500
    np.testing.assert_array_equal(theirs["angles"].t_ns, ours["angles"].t_ns)
    np.testing.assert_array_equal(theirs["angles"].values, ours["angles"].values)
    assert len(ours["minutes"]) > 5
    for kind in ("minutes", "episodes", "days"):
        assert theirs[kind] == ours[kind], kind


def assert_word_comes_home(processes: Processes) -> None:
    """Plan, thresholds and verdict arrive; a change of mind does too; the home's own stays."""
    home, clinic = processes.home_folder, processes.clinic_folder
    start, end = START_NS + 100 * SECOND_NS, START_NS + 103 * SECOND_NS
    with Catalog(clinic) as theirs:
        theirs.set_setting(scope_of(PATIENT), "plan", {"exercises": [{"kind": "turn", "a_day": 3}]})
        theirs.set_setting(scope_of(PATIENT), "thresholds", {"rotation_deg": 25.0})
        add_annotation(theirs, PATIENT, "verdict", start, end, body={"accepted": True},
                       author="dr.k", annotation_id="v1")  # fmt: skip
        add_annotation(theirs, PATIENT, "note", start, end, body={"text": "ours"}, author="dr.k")
    code, report = processes.forward_once()
    assert (code, report["patients"][0]["fetched"]) == (0, 3)
    with Catalog(home) as ours:
        assert ours.setting(scope_of(PATIENT), "plan")["exercises"][0]["a_day"] == 3
        assert ours.setting(scope_of(PATIENT), "thresholds") == {"rotation_deg": 25.0}
        found: dict[str, Annotation] = {a.kind: a for a in annotations(ours, PATIENT)}
        assert set(found) == {"pain", "verdict"}, "other notes of the clinic stay there"
        assert found["verdict"].body == {"accepted": True}
        assert found["verdict"].author == "clinic:dr.k"
    code, report = processes.forward_once()
    assert code == 0
    assert {k: report["patients"][0][k] for k in ("segments", "entries", "fetched")} == {
        "segments": 0, "entries": 0, "fetched": 0,
    }  # fmt: skip


def assert_others_are_refused(processes: Processes) -> None:
    """A token opens its own patient's door for forwarding, and nothing else."""
    folder = processes.token_file.parent
    url = f"http://127.0.0.1:{processes.clinic_port}/api/v1"
    good = {"Authorization": f"Bearer {processes.token_file.read_text().strip()}"}
    other = {"Authorization": f"Bearer {(folder / 'other').read_text().strip()}"}
    segment = f"{url}/forward/segments/{'0' * 64}"
    headers = {"Content-Range": "bytes 0-3/4"}
    mine = {"patient_id": PATIENT}

    def status(method: str, address: str, **more: Any) -> int:
        return httpx.request(method, address, trust_env=False, **more).status_code

    assert status("PUT", segment, params=mine, content=b"abcd", headers=other | headers) == 403
    assert status("PUT", f"{url}/forward/catalogue/zone", headers=other,
                  json={"patient_id": PATIENT, "items": [{"value": "UTC"}]}) == 403  # fmt: skip
    assert status("GET", f"{url}/forward/patients/{PATIENT}", headers=other) in {403, 404}
    assert status("PUT", segment, params=mine, content=b"abcd", headers=headers) == 401
    assert status("GET", f"{url}/patients/{PATIENT}/angles", headers=good) in {403, 404}
    processes.token_file.write_text((folder / "other").read_text())
    code, report = processes.forward_once()
    assert code == 1
    assert "refused" in report["patients"][0]["refused"]
