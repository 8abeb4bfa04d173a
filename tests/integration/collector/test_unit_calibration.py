"""`necktrace calibrate device`: from the record to the catalogue, and into later samples."""

import json
from pathlib import Path

import numpy as np
import pytest

from ingest.unit_errors import UnitCalibration
from storage.catalog import Catalog, Device
from storage.record.direct import DirectWriter
from storage.record.types import Anchors, Channel, StreamInfo
from tests.support.necktrace import run
from tests.support.six_faces import ACC_OFFSET, GYR_ERROR, GYR_OFFSET, RATE_HZ, recording

ACC_SCALE = 4.0 * 9.80665 / 32768
GYR_SCALE = np.radians(500.0) / 32768


def write_record(folder: Path, *, faces: int = 6, odr_error: float = 0.02) -> None:
    """Record a unit whose output data rate is wrong by some percent, as real ones are."""
    acc, gyr = recording(faces=faces)
    counts = np.hstack((np.rint(acc / ACC_SCALE), np.rint(gyr / GYR_SCALE))).astype(np.int16)
    channels = tuple(
        Channel(f"{q}_{axis}", unit, scale=scale)
        for q, unit, scale in (("acc", "m/s^2", ACC_SCALE), ("gyr", "rad/s", GYR_SCALE))
        for axis in "xyz"
    )
    info = StreamInfo(
        patient="p1", device_id="NT-1", boot=3, role="head", kind="imu", channels=channels,
        rate_hz=RATE_HZ / (1.0 + odr_error), device_clock_hz=1e6,
    )  # fmt: skip
    index = np.arange(0, counts.shape[0], 10, dtype=np.int64)
    ticks = np.rint(index / RATE_HZ * 1e6).astype(np.int64)
    with DirectWriter(folder) as writer:
        stream = writer.open_stream(info)
        anchors = Anchors(index, ticks, 1_795_000_000 * 10**9 + ticks * 1000)
        writer.seal_direct(stream, counts, first_index=0, anchors=anchors)


def test_found_kept_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path)
    with Catalog(tmp_path) as catalog:
        catalog.save_device(Device("NT-1", None, "head", model="v1", address="AA"))
    arguments = ["calibrate", "device", "NT-1", "--data-dir", str(tmp_path), "--json"]
    ran = run(monkeypatch, capsys, *arguments)
    assert ran.exit_code == 0, ran.err
    shown = json.loads(ran.out)
    np.testing.assert_allclose(shown["acc_offset_ms2"], ACC_OFFSET, atol=0.01)
    np.testing.assert_allclose(shown["gyr_matrix"], np.eye(3) + GYR_ERROR, atol=0.002)
    with Catalog(tmp_path) as catalog:
        (device,) = catalog.devices()
    assert (device.role, device.model, device.address) == ("head", "v1", "AA")
    unit = UnitCalibration.from_record(device.calibration)
    assert unit is not None
    np.testing.assert_allclose(unit.gyr_offset_rads, GYR_OFFSET, atol=np.radians(0.01))


def test_in_words_and_without_keeping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path)
    arguments = ["calibrate", "device", "NT-1", "--data-dir", str(tmp_path), "--dry-run"]
    ran = run(monkeypatch, capsys, *arguments)
    assert ran.exit_code == 0, ran.err
    assert "all six faces found" in ran.out
    assert "Nothing was kept." in ran.out
    with Catalog(tmp_path) as catalog:
        assert catalog.devices() == []


def test_missing_faces_and_strangers_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path, faces=4)
    ran = run(monkeypatch, capsys, "calibrate", "device", "NT-1", "--data-dir", str(tmp_path))
    assert ran.exit_code == 1
    assert "+y up, -y up" in ran.err
    ran = run(monkeypatch, capsys, "calibrate", "device", "XX", "--data-dir", str(tmp_path))
    assert ran.exit_code == 1
    assert "it knows NT-1" in ran.err
