"""A data folder with two days of made-up results, and a client that counts as the owner."""

import dataclasses
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.runtime import Runtime
from api.settings import Settings
from processing.summary.types import DaySummary, MinuteSummary
from processing.types import Episode
from storage.catalog import Catalog, Device, Patient
from storage.embedded import EmbeddedStore
from storage.record.direct import DirectWriter
from storage.record.reader import RecordReader
from storage.record.types import Anchors, Channel, StreamInfo
from storage.result_rows import ANGLE_FIELDS, AngleSeries, FullRate, ResultBatch

ZONE = "Europe/Berlin"
T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
T0_NS = int(T0.timestamp()) * 10**9
ALGO = "1-00000000"


def filled(kind: type, **given: object) -> object:
    """A summary with 1 in every field of numbers, so that each reaches the answer."""
    hints = get_type_hints(kind)
    values: dict[str, object] = {}
    for field in dataclasses.fields(kind):
        members = getattr(hints[field.name], "__args__", None) or (hints[field.name],)
        if bool in members:
            values[field.name] = True
        elif int in members or float in members:
            values[field.name] = 1
        else:
            values[field.name] = "" if str in members else ()
    return kind(**{**values, **given})


def episode(at_s: float, kind: str, label: str, amplitude_deg: float) -> Episode:
    start = T0_NS + int(at_s * 1e9)
    return Episode(
        kind=kind,  # type: ignore[arg-type]  # the fixture names real kinds
        label=label,
        start_ns=start,
        end_ns=start + 2_000_000_000,
        peak_ns=start + 1_000_000_000,
        amplitude_deg=amplitude_deg,
        confidence=0.8,
        detector=f"{kind} 1",
        features={"duration_s": 2.0},
    )


def full_rate(n: int) -> FullRate:
    """Rows at 100 Hz from T0: rotation is the number of the row over ten."""
    angles = np.zeros((n, 4))
    angles[:, 2] = np.arange(n) / 10.0
    q = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
    times = T0_NS + np.arange(n, dtype=np.int64) * 10**7
    return FullRate(times, angles, np.full(n, 2.0), q, np.ones(n, dtype=np.bool_))


def fill(folder: Path) -> None:
    """Write the record, the catalogue and the results."""
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "Sam", ZONE))
        catalog.save_device(Device("NT-1", "p1", "head", model="virtual"))
        catalog.start_wear("p1", T0_NS, alignment_id="a1")
    info = StreamInfo(
        patient="p1", device_id="NT-1", boot=1, role="head", kind="imu", rate_hz=100.0,
        channels=(Channel("acc_x", "m/s^2", scale=0.01), Channel("gyr_x", "rad/s", scale=0.001)),
        device_clock_hz=1e6,
    )  # fmt: skip
    with DirectWriter(folder) as writer:
        data = np.arange(2000, dtype=np.int16).reshape(1000, 2)
        at = np.arange(0, 1000, 10, dtype=np.int64)
        writer.seal_direct(
            writer.open_stream(info),
            data,
            first_index=0,
            anchors=Anchors(at, at * 10_000, T0_NS + at * 10_000_000),
        )
    store = EmbeddedStore(folder)
    try:
        store.book.register("p1", ALGO, version="1", params_hash="00000000", params={})
        t_ns = T0_NS + np.arange(600, dtype=np.int64) * 10**9
        values = np.full((600, len(ANGLE_FIELDS)), np.nan)
        values[:, ANGLE_FIELDS.index("rotation_right_deg")] = 25.0
        values[:, ANGLE_FIELDS.index("rotation_right_min_deg")] = 24.0
        values[:, ANGLE_FIELDS.index("rotation_right_max_deg")] = 26.0
        values[300, ANGLE_FIELDS.index("rotation_right_max_deg")] = 61.0
        values[:, ANGLE_FIELDS.index("valid")] = 1.0
        minutes = [
            filled(MinuteSummary, t_ns=T0_NS + m * 60 * 10**9, rotation_mean_deg=None)
            for m in range(10)
        ]
        days = [
            filled(
                DaySummary, date="2026-11-20", t_ns=T0_NS - 9 * 3600 * 10**9,
                end_ns=T0_NS + 15 * 3600 * 10**9, worn_s=600.0, sufficient=False,
                near_neutral_fraction=None, reasons=("worn 10 min of 6 h",),
            )
        ]  # fmt: skip
        episodes = [episode(10 * i, "jerk", "jerk", 10.0 + i) for i in range(30)]
        episodes += [episode(3.5, "posture", "dystonic", 31.0), episode(7.5, "tremor", "jerky", 2)]
        store.put(
            ResultBatch(
                "p1", ALGO, angles=AngleSeries(t_ns, 1, values), minutes=minutes, days=days,
                episodes=sorted(episodes, key=lambda e: e.start_ns), full_rate=full_rate(500),
            )
        )  # fmt: skip
    finally:
        store.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "record"
    fill(path)
    return path


@pytest.fixture(scope="module")
def written(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for the tests of one file, which change it; `folder` stays as it is."""
    return Path(shutil.copytree(folder, tmp_path_factory.mktemp("module") / "record"))


@pytest.fixture
def runtime(written: Path) -> Iterator[Runtime]:
    results = EmbeddedStore(written)
    with RecordReader(written) as record, Catalog(written) as catalog:
        yield Runtime(
            settings=Settings(data_dir=written, zone=ZONE, port=8765),
            mode="serve",
            record=record,
            results=results,
            catalog=catalog,
            port=8765,
        )
    results.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    app = create_app(runtime)
    with TestClient(
        app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False
    ) as session:
        yield session
