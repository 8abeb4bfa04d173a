"""`necktrace up` killed and started again beside sensors that go on: one wear session, whole."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ingest.warm_up import compile_chain
from processing.pipeline import PipelineParams
from storage.catalog import Catalog, Device, Patient
from storage.embedded import EmbeddedStore
from storage.record import RecordReader
from storage.result_rows import AngleSeries
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, v1
from tests.integration.ble.test_cli import NECKTRACE, necktrace
from tests.support.collecting import plain_setup

EACH = 5
"""Seconds of results that every run has to add."""


@contextlib.contextmanager
def recording(folder: Path, log: Path, *, seconds: int) -> Iterator["subprocess.Popen[str]"]:
    """Run `up` until it has stored so many more seconds of angles."""
    before = angles(folder).t_ns.size
    with log.open("a") as out:
        up = subprocess.Popen(
            [*NECKTRACE, "up", "--data-dir", str(folder), "--port", "0", "--no-browser"],
            stdout=out,
            stderr=out,
            text=True,
        )
        try:
            deadline = time.monotonic() + 300
            while angles(folder).t_ns.size < before + seconds:
                assert time.monotonic() < deadline, log.read_text()
                assert up.poll() is None, log.read_text()
                time.sleep(0.3)
            yield up
        finally:
            up.kill()
            up.wait()


SHOWN = ("flexion_deg", "lateral_right_deg", "rotation_right_deg", "heading_sigma_deg")


def worn(series: AngleSeries) -> dict[int, list[float]]:
    """Return the seconds that hold samples: live also notes that sensors are silent."""
    columns = np.column_stack([series.column(name) for name in SHOWN])
    there = series.column("valid") > 0.0
    return dict(zip(series.t_ns[there].tolist(), columns[there].tolist(), strict=True))


def angles(folder: Path, version: str | None = None) -> AngleSeries:
    store = EmbeddedStore(folder)
    try:
        return store.angles("p1", 0, 2**62, algo=version)
    finally:
        store.close()


@pytest.mark.slow
def test_a_killed_up_goes_on_beside_sensors_that_never_stop(bluez: Bluez, tmp_path: Path) -> None:
    # `up` finds the kernels compiled: a radio does not wait for a compiler
    compile_chain(PipelineParams(), plain_setup())
    # without memory of its own a sensor has nothing to deliver late: live is all there is
    bluez(v1(HEAD, flash_samples=1), v1(TRUNK, flash_samples=1))
    data, log = tmp_path / "data", tmp_path / "up.log"
    with Catalog(data) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
        for role, address in (("head", HEAD), ("trunk", TRUNK)):
            unit = f"v1-{'00' * 7}{address[-2:]}"
            catalog.save_device(Device(unit, "p1", role, address))
    with recording(data, log, seconds=EACH) as up:
        up.send_signal(signal.SIGKILL)
        up.wait()
    first = angles(data)
    with recording(data, log, seconds=EACH) as up:
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=120) == 0, log.read_text()
    assert "a new stretch begins" not in log.read_text()
    second = angles(data)
    assert (np.diff(second.t_ns) > 0).all()
    assert np.isin(first.t_ns, second.t_ns).all(), "nothing that was there is missing"
    with RecordReader(data) as reader:
        boots = {(s.info.role, s.info.boot) for s in reader.streams(kind="imu")}
    assert len(boots) == 2, "the same boots: the sensors never stopped"
    report = necktrace("reprocess", "--data-dir", str(data))
    (made,) = report if isinstance(report, list) else report["patients"]
    again, live = worn(angles(data, made["version"])), worn(second)
    assert set(again) == set(live), "no second is missing, none is made up"
    for column, name in enumerate(SHOWN):
        apart = [abs(again[t][column] - live[t][column]) for t in live]
        assert max(apart) < 0.5, f"{name}: live and reprocessing agree across the restart"
