"""Backup while recording, restore, taking over another hub's record, and deleting a patient."""

import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from processing.summary.types import CELL_SPAN_NS, PLANES, PostureCell
from storage.backup import backup, restore
from storage.catalog import Catalog, Device, Patient, StoredAlignment
from storage.credentials import add_token, tokens
from storage.embedded import EmbeddedStore
from storage.erasure import erase_patient, tombstone_of
from storage.errors import (
    BackupError,
    CatalogError,
    ImportRecordError,
    NotARecordError,
    WriterLockedError,
)
from storage.exports import everything_zip
from storage.influx_store import InfluxStore
from storage.notes import add_annotation, annotation_history, annotations, edit_annotation
from storage.record import Channel, Packet, RecordWriter, StreamInfo, verify
from storage.result_rows import FullRate, ResultBatch
from storage.transfer import import_record
from tests.support.influx import InfluxServer, drop_buckets
from tests.support.necktrace import run
from tests.support.records import T0_NS, expected, held, imu, packet
from tests.support.results import ALGO, episode, seconds

EVENTS = StreamInfo(
    patient="p1",
    device_id="hub",
    boot=0,
    role="none",
    kind="event",
    channels=(Channel("code", "1", "int32"),),
    rate_hz=0.0,
    index_source="host",
)


def fill(folder: Path, patient: str, device: str) -> int:
    """Give a patient a record, results, files and notes; return the IMU stream's id."""
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient(patient, f"Secret {patient}", "UTC"))
        catalog.save_device(Device(device, patient, "head"))
        catalog.start_wear(patient, 5, alignment_id="al")
        catalog.save_alignment(StoredAlignment(patient, f"al-{patient}", "n", 5, {"q": [1]}))
        catalog.add_span(patient, "neutral_pose", 1, 2)
        note = add_annotation(catalog, patient, "note", 1, 2, body={"x": patient}, author="a")
        edit_annotation(catalog, note.id, author="b", body={"x": "changed"})
        catalog.audit("a", "look", patient, {"label": f"Secret {patient}"})
        catalog.set_setting(f"patient/{patient}", "snooze", 1)
    with RecordWriter(folder, background=False) as writer:
        stream = writer.open_stream(imu(device, patient=patient))
        writer.append(stream, [packet(k, 20) for k in range(0, 2000, 20)])
        events = writer.open_stream(replace(EVENTS, patient=patient, device_id=f"hub-{patient}"))
        for k in range(3):
            data = np.array([[k]], dtype=np.int32)
            writer.append(events, [Packet(0, None, T0_NS + k * 10**9, data)])
        writer.commit()
        writer.seal(stream)
        writer.append(stream, [packet(2000, 100)])
    q = np.tile([1.0, 0.0, 0.0, 0.0], (100, 1))
    times = T0_NS + np.arange(100) * 10_000_000
    rows = FullRate(times, np.ones((100, 4)), np.ones(100), q, np.ones(100, np.bool_))
    store = EmbeddedStore(folder)
    quarter = T0_NS // CELL_SPAN_NS * CELL_SPAN_NS
    batch = ResultBatch(
        patient,
        ALGO,
        angles=seconds(0, 60),
        episodes=[episode(1.0)],
        cells=[PostureCell(quarter, 5.0, 0.0, 60.0, plane) for plane in PLANES],
        full_rate=rows,
    )
    store.put(batch)
    store.full_rate.seal(patient, ALGO)
    store.put(ResultBatch(patient, ALGO, full_rate=replace(rows, t_ns=times + 10**9)))
    store.close()
    return stream


def test_a_backup_taken_while_recording_restores_to_one_instant(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fill(data, "p1", "d1")
    stop = threading.Event()
    writer = RecordWriter(data, background=False)
    stream = writer.open_stream(imu("d1"))

    def record() -> None:
        index = 2100
        while not stop.is_set():
            writer.append(stream, [packet(index, 100)])
            index += 100
            writer.commit()
            if index % 1000 == 0:
                writer.seal(stream)

    thread = threading.Thread(target=record)
    thread.start()
    try:
        first = backup(data, tmp_path / "backup")
        second = backup(data, tmp_path / "backup")
    finally:
        stop.set()
        thread.join()
        writer.close()
    assert first.missing == second.missing == ()
    assert second.copied_files < second.segments + second.derived_files
    report = restore(tmp_path / "backup", tmp_path / "new")
    assert report.segments == second.segments
    checked = verify(tmp_path / "new")
    assert checked["ok"], checked["errors"]
    samples = checked["streams"][0]["samples"]
    assert samples >= 2100
    assert held(tmp_path / "new", stream) == expected(set(range(samples)))
    store = EmbeddedStore(tmp_path / "new")
    assert store.episodes("p1", 0, 2**62) == [episode(1.0)]
    store.close()
    with Catalog(tmp_path / "new") as catalog:
        assert len(annotations(catalog, "p1")) == 1
    # The restored folder records on where it stopped.
    with RecordWriter(tmp_path / "new", background=False) as again:
        assert again.append(again.open_stream(imu("d1")), [packet(samples - 10, 20)]) == 10


def test_backups_and_restores_refuse_what_would_destroy(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fill(data, "p1", "d1")
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    with pytest.raises(BackupError, match="no backup"):
        backup(data, other)
    backup(data, tmp_path / "backup")
    with pytest.raises(BackupError, match="not empty"):
        restore(tmp_path / "backup", other)
    with pytest.raises(BackupError, match="is no backup"):
        restore(other, tmp_path / "new")
    note = json.loads((tmp_path / "backup/backup.json").read_text())
    (tmp_path / "backup/backup.json").write_text(json.dumps({**note, "complete": False}))
    with pytest.raises(BackupError, match="interrupted"):
        restore(tmp_path / "backup", tmp_path / "new")


def test_a_backup_that_rotted_does_not_restore_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    fill(data, "p1", "d1")
    backup(data, tmp_path / "backup")
    victim = next((tmp_path / "backup").glob("raw/**/*.parquet"))
    victim.write_bytes(b"rot" + victim.read_bytes()[3:])
    report = restore(tmp_path / "backup", tmp_path / "new")
    assert len(report.missing) == 1
    assert not verify(tmp_path / "new", quarantine_damaged=False)["ok"]
    again = ("restore", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "again"))
    done = run(monkeypatch, capsys, *again)
    assert done.exit_code == 1
    assert report.missing[0] in done.out


def test_a_folder_without_a_record_gives_no_backup(tmp_path: Path) -> None:
    with pytest.raises(NotARecordError):
        backup(tmp_path / "nothing", tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_another_hubs_record_is_taken_over_once(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    fill(theirs, "p1", "d1")
    fill(theirs, "p2", "d2")
    with RecordWriter(ours, background=False) as writer:
        # We hold part of it already, and are recording.
        stream = writer.open_stream(imu("d1"))
        writer.append(stream, [packet(500, 700)])
        writer.commit()
        first = import_record(theirs, ours)
        assert (first.streams, first.samples, first.known_samples) == (4, 4206 - 700, 700)
        second = import_record(theirs, ours)
        assert (second.samples, second.known_samples, second.entries) == (0, 4206, 0)
        assert writer.append(stream, [packet(2090, 20)]) <= 20
        writer.commit()
    checked = verify(ours)
    assert checked["ok"], checked["errors"]
    assert held(ours, stream) == expected(set(range(2110)))
    by_device = {s["device_id"]: s["samples"] for s in checked["streams"]}
    assert by_device == {"d1": 2110, "d2": 2100, "hub-p1": 3, "hub-p2": 3}
    with Catalog(ours) as catalog:
        assert [p.id for p in catalog.patients()] == ["p1", "p2"]
        assert len(catalog.wear_sessions("p1")) == 1
        (note,) = annotations(catalog, "p1")
        assert len(annotation_history(catalog, note.id)) == 1
    with pytest.raises(ImportRecordError):
        import_record(ours, ours)


def test_only_one_patient_is_taken_over(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    fill(theirs, "p1", "d1")
    fill(theirs, "p2", "d2")
    import_record(theirs, ours, patient="p2")
    assert {s["patient"] for s in verify(ours)["streams"]} == {"p2"}
    with Catalog(ours) as catalog:
        assert [p.id for p in catalog.patients()] == ["p2"]


def test_an_importer_writes_beside_a_collector(tmp_path: Path) -> None:
    """Two processes, the same stream, overlapping ranges: every sample once."""
    script = (
        "import sys, numpy as np\n"
        "from storage.record import Anchors, DirectWriter\n"
        "from tests.support.records import T0_NS, imu, values\n"
        "with DirectWriter(sys.argv[1]) as writer:\n"
        "    stream = writer.open_stream(imu())\n"
        "    print('ready', flush=True)\n"
        "    for k in range(0, 40_000, 700):\n"
        "        at = np.array([k])\n"
        "        writer.seal_direct(stream, values(np.arange(k, k + 700)), first_index=k,\n"
        "                           anchors=Anchors(at, at * 10, at * 1000 + T0_NS))\n"
    )
    root = Path(__file__).parents[3]
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for k in range(40_500, 0, -500):
            writer.append(stream, [packet(k - 500, 500)])
            writer.commit()
            if k % 5000 == 0:
                writer.seal(stream)
        assert process.wait(120) == 0
        process.stdout.close()
    report = verify(tmp_path)
    assert report["ok"], report["errors"]
    assert held(tmp_path, stream) == expected(set(range(40_600)))


def test_a_data_folder_is_private(tmp_path: Path) -> None:
    RecordWriter(tmp_path / "new" / "data", background=False).close()
    assert (tmp_path / "new" / "data").stat().st_mode & 0o077 == 0


def test_a_patient_gets_everything_in_one_archive(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fill(data, "p1", "d1")
    fill(data, "p2", "d2")
    store = EmbeddedStore(data)
    body = b"".join(everything_zip(data, "p1", store))
    store.close()
    assert b"Secret p2" not in body
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.testzip() is None
    catalog = json.loads(archive.read("catalog.json"))
    assert catalog["patient"][0]["label"] == "Secret p1"
    assert len(catalog["annotation_history"]) == 1
    assert catalog["setting"] == [{"key": "snooze", "value": "1"}]
    assert [row["action"] for row in catalog["audit"]] == ["look"]
    assert catalog["access"] == []
    assert [len(catalog[t]) for t in ("wear_session", "alignment", "span_event")] == [1, 1, 1]
    rows = {
        name: pq.read_table(io.BytesIO(archive.read(name))).num_rows
        for name in archive.namelist()
        if name.endswith(".parquet")
    }
    assert rows.pop(f"results/{ALGO}/angles_1hz.parquet") == 60
    assert rows.pop(f"results/{ALGO}/posture_map.parquet") == 2
    assert rows.pop(f"results/{ALGO}/angles.parquet") == 200
    assert rows.pop(f"results/{ALGO}/episodes.parquet") == 1
    raw = {name.split("-b")[0]: n for name, n in rows.items() if name.startswith("raw/")}
    assert raw == {"raw/d1": 2100, "raw/hub-p1": 3}
    with pytest.raises(CatalogError):
        next(everything_zip(data, "nobody", store))


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influx)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedStore | InfluxStore]:
    if request.param == "embedded":
        embedded = EmbeddedStore(tmp_path / "data")
        yield embedded
        embedded.close()
        return
    server: InfluxServer = request.getfixturevalue("influx_server")
    settings = server.fresh()
    influx = InfluxStore(tmp_path / "data", settings)
    influx.prepare()
    yield influx
    influx.close()
    drop_buckets(settings)


def test_a_deleted_patient_leaves_only_a_tombstone(
    tmp_path: Path, store: EmbeddedStore | InfluxStore
) -> None:
    data = tmp_path / "data"
    fill(data, "patient-to-go", "d1")
    stays = fill(data, "patient-to-stay", "d2")
    for patient in ("patient-to-go", "patient-to-stay"):
        store.put(ResultBatch(patient, ALGO, angles=seconds(0, 60), episodes=[episode(1.0)]))
    assert store.drain(30.0)
    with Catalog(data) as catalog:
        for label in ("home of patient-to-go", "secret patient-to-go, phone", "patient-to-gogh"):
            add_token(
                catalog, label, scopes=["read:summary"], patients=["patient-to-go"],
                expires_ns=2**62, account=None, blind=False, actor="dr",
            )  # fmt: skip
    erased = erase_patient(data, "patient-to-go", actor="dr", results=store)
    assert store.drain(30.0)
    assert (erased.samples, erased.segments) == (2103, 1)
    assert erased.tombstone == tombstone_of("patient-to-go")
    names = [p.as_posix() for p in data.rglob("*")]
    assert not [name for name in names if "patient-to-go" in name]
    for path in data.rglob("*"):
        if path.is_file():
            body = path.read_bytes()
            assert not re.findall(rb"(?i)patient-to-go(?!gh)", body), path
    assert len(store.angles("patient-to-go", 0, 2**62, algo=ALGO).t_ns) == 0
    # The other patient has everything.
    assert held(data, stays) == expected(set(range(2100)))
    assert len(store.angles("patient-to-stay", T0_NS, 2 * T0_NS).t_ns) == 60
    assert verify(data)["ok"]
    with Catalog(data) as catalog:
        assert [p.id for p in catalog.patients()] == ["patient-to-stay"]
        labels = [token.label for token in tokens(catalog)]
        assert sorted(labels) == sorted(
            [f"home of {erased.tombstone}", f"{erased.tombstone}, phone", "patient-to-gogh"]
        )
        log = [entry[1:] for entry in catalog.audit_log() if entry[3] == erased.tombstone]
        assert log == [
            ("a", "look", erased.tombstone, {}),
            ("dr", "token.add", erased.tombstone, {}),
            ("dr", "token.add", erased.tombstone, {}),
            ("dr", "erase", erased.tombstone, {"samples": 2103, "segments": 1}),
        ]
    with pytest.raises(CatalogError):
        erase_patient(data, "patient-to-go", actor="dr", results=store)


def test_deleting_needs_the_collector_or_its_consent(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fill(data, "p1", "d1")
    store = EmbeddedStore(data)
    with RecordWriter(data, background=False) as writer:
        stream = writer.open_stream(imu("d1"))
        other = writer.open_stream(imu("d9", patient="p9"))
        with pytest.raises(WriterLockedError):
            erase_patient(data, "p1", actor="x", results=store)
        writer.append(stream, [packet(2100, 50)])
        writer.append(other, [packet(0, 50)])
        erase_patient(data, "p1", actor="x", results=store, writer=writer)
        # The collector lives on, and a new stream of that sensor begins from nothing.
        assert writer.commit().samples == {other: 50}
        again = writer.open_stream(imu("d1", patient="p2"))
        assert writer.append(again, [packet(0, 10)]) == 10
        writer.commit()
        assert writer.state.pending_samples == 0
    store.close()
    assert verify(data)["ok"]


def test_an_erasure_that_died_half_way_is_finished_at_the_next_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fill(data, "p1", "d1")
    with Catalog(data) as catalog:
        catalog.set_setting("erasing", "p1", value=True)
        catalog.change("DELETE FROM stream WHERE patient = :p", {"p": "p1"})
    RecordWriter(data, background=False).close()
    assert not list(data.glob("**/patient=p1"))
    with Catalog(data) as catalog:
        assert catalog.settings("erasing") == {}
