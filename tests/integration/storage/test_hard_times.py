"""Full disks, folders that cannot be written, damaged files, other versions."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import schema
from storage.catalog import Catalog, Patient
from storage.database import DATABASE, open_database
from storage.errors import (
    CatalogError,
    DiskFullError,
    FolderError,
    MigrationError,
    NewerSchemaError,
    NotARecordError,
    ReadOnlyFolderError,
)
from storage.record import RecordReader, RecordWriter, lock_holder, verify
from tests.support.records import expected, held, imu, packet


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 3 MB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root and CAP_SYS_ADMIN")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for _ in range(100_000):
            file.write(os.urandom(512))


@pytest.mark.parametrize(
    "times", [1, pytest.param(25, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_a_full_disk_is_said_and_recording_goes_on_when_there_is_room(
    tiny_disk: Path, times: int
) -> None:
    filler = tiny_disk / "filler"
    with RecordWriter(tiny_disk / "data", background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 100)])
        writer.commit()
        end = 100
        for _ in range(times):
            fill_up(filler)
            with pytest.raises(DiskFullError, match="free some space"):
                for _ in range(1000):
                    writer.append(stream, [packet(end, 500)])
                    end += 500
                    writer.commit()
            assert isinstance(writer.state.error, DiskFullError)
            committed = writer.state.committed_samples
            assert held(tiny_disk / "data", stream) == expected(set(range(committed)))
            filler.unlink()
            writer.commit()
            assert writer.state.committed_samples == end
            writer.seal(stream)
    assert held(tiny_disk / "data", stream) == expected(set(range(end)))
    report = verify(tiny_disk / "data")
    assert report["ok"], report["errors"]


def test_a_disk_that_fills_while_sealing_keeps_the_journal(tiny_disk: Path) -> None:
    data = tiny_disk / "data"
    filler = tiny_disk / "filler"
    with RecordWriter(data, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(k, 100) for k in range(0, 30_000, 100)])
        writer.commit()
        fill_up(filler)
        with pytest.raises(DiskFullError):
            writer.seal(stream)
        assert held(data, stream) == expected(set(range(30_000)))
        filler.unlink()
        assert sum(file.samples for file in writer.seal(stream)) == 30_000
    assert held(data, stream) == expected(set(range(30_000)))
    assert verify(data)["ok"]
    assert not list(data.glob("raw/**/*.tmp"))


def test_a_read_only_folder_is_named_and_still_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with RecordWriter(data, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 500)])
        writer.commit()
        writer.seal(stream)
        writer.append(stream, [packet(500, 20)])
    mount = ["mount", "--bind", str(data), str(data)]
    if os.geteuid() != 0:
        for path in (data, *data.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
    elif subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("root may write everywhere, and a read-only bind mount was refused")
    else:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(data)], check=True)
    try:
        with pytest.raises(ReadOnlyFolderError, match="--data-dir"):
            RecordWriter(data)
        with pytest.raises(ReadOnlyFolderError):
            Catalog(data).save_patient(Patient("p", "P", "UTC"))
        assert held(data, stream) == expected(set(range(520)))
        assert verify(data)["ok"]
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", "-l", str(data)], check=True)
        else:
            for path in (data, *data.rglob("*")):
                path.chmod(0o755)


def test_a_folder_without_a_record_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotARecordError, match=r"posture\.db"):
        RecordReader(tmp_path)


@pytest.mark.parametrize("damage", ["flip", "truncate", "missing"])
def test_a_damaged_segment_is_named_and_everything_else_served(tmp_path: Path, damage: str) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        files = []
        for start in (0, 400, 800):
            writer.append(stream, [packet(start, 400)])
            writer.commit()
            files += writer.seal(stream)
        victim = tmp_path / files[1].path
        body = bytearray(victim.read_bytes())
        body[len(body) // 2] ^= 1
        if damage == "flip":
            victim.write_bytes(body)
        elif damage == "truncate":
            victim.write_bytes(body[:100])
        else:
            victim.unlink()
        rest = set(range(400)) | set(range(800, 1200))
        with RecordReader(tmp_path) as reader:
            served = [c for chunk in reader.samples(stream) for c in chunk.index.tolist()]
            assert set(served) == rest
            assert [d.path for d in reader.damaged] == [files[1].path]
            (missing,) = reader.quarantined(patient="p1")
            assert (missing.path, missing.samples) == (files[1].path, 400)
        report = verify(tmp_path)
        assert not report["ok"]
        assert any(files[1].path in error for error in report["errors"])
        assert report["streams"][0]["damaged"] == [files[1].path]
        assert report["streams"][0]["checksums"] == {"right": len(files) - 1, "wrong": 1}
        assert not victim.exists()
        if damage != "missing":
            assert (tmp_path / "quarantine" / files[1].path).exists()
        assert held(tmp_path, stream) == expected(rest)
    with RecordWriter(tmp_path, background=False) as writer:
        # The sensor may still have them.
        writer.open_stream(imu())
        assert writer.append(stream, [packet(0, 1200)]) == 400
        writer.commit()
        writer.seal(stream)
    assert held(tmp_path, stream) == expected(set(range(1200)))
    with RecordReader(tmp_path) as reader:
        assert reader.quarantined(patient="p1") == [], "sent again: nothing is missing"


def test_damage_in_a_folder_that_cannot_be_written_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 400)])
        writer.commit()
        (file,) = writer.seal(stream)
    (tmp_path / file.path).write_bytes(b"nothing")

    def refused(folder: Path, **_: object) -> sqlite3.Connection:
        raise ReadOnlyFolderError(folder)

    with RecordReader(tmp_path) as reader:
        monkeypatch.setattr("storage.record.reader.open_database", refused)
        assert list(reader.samples(stream)) == []
        (missing,) = reader.quarantined(patient="p1")
        assert (missing.path, missing.samples) == (file.path, 400)
        assert missing.t0_ns <= missing.t1_ns
        assert reader.quarantined(patient="p1", t0_ns=missing.t1_ns + 1) == []
        assert reader.quarantined(patient="p2") == []


def _one_segment(data: Path) -> None:
    with RecordWriter(data, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 500)])
        writer.commit()
        writer.seal(stream)


def test_verify_notices_a_database_that_was_emptied(tmp_path: Path) -> None:
    _one_segment(tmp_path)
    (tmp_path / DATABASE).write_bytes(b"")
    report = verify(tmp_path)
    assert not report["ok"]
    (said,) = report["errors"]
    assert report["unlisted"][0] in said
    assert "restore the folder from a backup" in said
    RecordWriter(tmp_path).close()
    assert verify(tmp_path)["ok"], "the next start takes over what the files hold"


def test_verify_takes_no_rest_of_a_crash_for_damage(tmp_path: Path) -> None:
    _one_segment(tmp_path)
    (file,) = tmp_path.glob("raw/**/*.parquet")
    left = file.with_name("left.parquet")
    shutil.copy(file, left)
    report = verify(tmp_path)
    assert report["ok"], report["errors"]
    assert report["unlisted"] == [left.relative_to(tmp_path).as_posix()]


def test_verify_notices_a_damaged_page_of_the_database(tmp_path: Path) -> None:
    _one_segment(tmp_path)
    database = tmp_path / DATABASE
    with contextlib.closing(sqlite3.connect(database)) as connection:
        root, size = (
            int(connection.execute(question).fetchone()[0])
            for question in (
                "SELECT rootpage FROM sqlite_master WHERE name = 'episode'",
                "PRAGMA page_size",
            )
        )
    with database.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(bytes(size))
    with pytest.raises(FolderError, match="restore the folder from a backup"):
        verify(tmp_path)


def test_verify_notices_what_is_missing_from_the_journal(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 100), packet(100, 100)])
        writer.commit()
    with sqlite3.connect(tmp_path / "posture.db") as connection:
        connection.execute("DELETE FROM packet WHERE i0 = 100")
    connection.close()
    report = verify(tmp_path)
    assert report["errors"] == ["stream 1: 200 samples were acknowledged, 100 are accounted for"]


def test_a_newer_record_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_database(tmp_path, create=True).close()
    with sqlite3.connect(tmp_path / "posture.db") as connection:
        connection.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION + 1}")
    connection.close()
    before = (tmp_path / "posture.db").read_bytes()
    for opening in (RecordWriter, RecordReader, Catalog):
        with pytest.raises(NewerSchemaError, match="install the newer necktrace"):
            opening(tmp_path)
    assert (tmp_path / "posture.db").read_bytes() == before
    assert lock_holder(tmp_path) is None


def test_an_older_record_is_migrated_copy_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p", "P", "UTC"))
    current = schema.SCHEMA_VERSION
    monkeypatch.setattr(schema, "SCHEMA_VERSION", current + 1)
    monkeypatch.setitem(
        schema.MIGRATIONS,
        current,
        lambda connection: connection.execute("ALTER TABLE patient ADD COLUMN height_m REAL"),
    )
    connection = open_database(tmp_path)
    assert connection.execute("SELECT id, height_m FROM patient").fetchall() == [("p", None)]
    assert connection.execute("PRAGMA user_version").fetchone()[0] == current + 1
    connection.close()
    copy = sqlite3.connect(tmp_path / f"posture.db.before-v{current + 1}")
    assert copy.execute("PRAGMA user_version").fetchone()[0] == current
    assert copy.execute("SELECT id FROM patient").fetchall() == [("p",)]
    copy.close()


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_database(tmp_path, create=True).close()
    current = schema.SCHEMA_VERSION
    monkeypatch.setattr(schema, "SCHEMA_VERSION", current + 1)

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE audit")
        connection.execute("ALTER TABLE nowhere ADD COLUMN x")

    monkeypatch.setitem(schema.MIGRATIONS, current, broken)
    with pytest.raises(MigrationError, match="nothing was changed"):
        open_database(tmp_path)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", current)
    connection = open_database(tmp_path)
    assert connection.execute("SELECT count(*) FROM audit").fetchone() == (0,)
    connection.close()


def test_a_rejected_patient_leaves_no_trace(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        with pytest.raises(CatalogError, match="Europe/Berlin"):
            catalog.save_patient(Patient("p", "P", "Mars/Olympus"))
        assert catalog.patients() == []


def test_unlisted_segments_of_a_restored_older_database_come_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with RecordWriter(data, background=False) as writer:
        stream = writer.open_stream(imu())
        writer.append(stream, [packet(0, 400)])
    older = tmp_path / "older.db"
    shutil.copy(data / "posture.db", older)
    with RecordWriter(data, background=False) as writer:
        writer.open_stream(imu())
        writer.append(stream, [packet(400, 400)])
        writer.commit()
        writer.seal(stream)
        writer.append(stream, [packet(800, 400)])
        writer.commit()
        writer.seal(stream)
    for name in ("posture.db-wal", "posture.db-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copy(older, data / "posture.db")
    with RecordWriter(data, background=False):
        pass
    assert held(data, stream) == expected(set(range(1200)))
    assert not list(data.glob("quarantine/**/*.parquet"))
    assert verify(data)["ok"]
