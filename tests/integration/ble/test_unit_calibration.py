"""Each model on its six faces: from its notifications to what is kept with the unit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.candidates import SensorWish
from ingest.drivers import StreamStarted
from ingest.link_state import LinkEvent
from ingest.recorder import Recorder
from ingest.unit_calibration import is_due
from storage.catalog import Catalog
from storage.record import RecordWriter
from tests.integration.ble.conftest import HEAD, Bluez, Rig, v1
from tests.support.bluez.bus import EmulatedBluez
from tests.support.necktrace import run
from tests.support.six_faces import ACC_OFFSET, ACC_SCALE, GYR_ERROR, GYR_OFFSET

H10 = {"kind": "polar", "name": "Polar H10 12345678", "gyroscope": False}
MODELS: dict[str, dict[str, Any]] = {
    "v1": v1(HEAD, "0000000000000001"),
    "capture2go": {"kind": "capture2go"},
    "movesense": {"kind": "movesense"},
    "verity": {"kind": "polar"},
    "h10": H10,
    "witmotion": {"kind": "witmotion"},
    "dot": {"kind": "movella_dot"},
}
SPEED = 40.0
"""How much faster than the wall's the sensors' clocks run: 70 s of handling are two."""
OFFSET_NS = 1_790_000_000 * 10**9


async def record_faces(rig: Rig, daemon: EmulatedBluez, folder: Path, *, faces: int = 6) -> str:
    """Lay the sensor on its faces while it streams; return its name."""
    recorder = Recorder(
        RecordWriter(folder, background=False), patient="p1", utc_offset_ns=OFFSET_NS
    )
    recorder.start()
    link = rig.link("head", SensorWish(rate_hz=100.0, address=HEAD))
    await rig.streaming(packets=1)
    seconds = daemon.command("move", address=HEAD, kind="faces", faces=faces)
    daemon.command("speed", factor=SPEED)
    before = link.counters.samples
    (started,) = rig.listener.of(StreamStarted)
    wanted = before + (seconds + 8) * started.streams[0].rate_hz
    await rig.listener.until(lambda: link.counters.samples > wanted)
    daemon.command("speed", factor=1.0)
    await rig.stop()
    recorder.put("head", [e for e in rig.listener.outputs if not isinstance(e, LinkEvent)])
    recorder.stop()
    return link.wish.device_id


@pytest.mark.parametrize("model", MODELS)
async def test_errors_of_each_model_are_found_and_kept(
    bluez: Bluez,
    rig: Rig,
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    daemon = bluez(MODELS[model] | {"address": HEAD})
    unit = await record_faces(rig, daemon, tmp_path)
    ran = run(monkeypatch, capsys, "calibrate", "device", unit, "--data-dir", str(tmp_path))
    assert ran.exit_code == 0, ran.err
    assert "all six faces found" in ran.out
    with Catalog(tmp_path) as catalog:
        (device,) = catalog.devices()
    kept = device.calibration
    np.testing.assert_allclose(kept["acc_offset_ms2"], ACC_OFFSET, atol=0.02)
    np.testing.assert_allclose(np.diag(kept["acc_matrix"]), ACC_SCALE, atol=0.004)
    assert max(kept["acc_offset_sigma_ms2"]) < 0.02
    assert not is_due(kept, now_ns=kept["at_ns"])
    assert is_due(kept, now_ns=kept["at_ns"] + 181 * 86_400 * 10**9)
    if model == "h10":
        assert "this sensor has none" in ran.out
        assert not any(name.startswith("gyr") for name in kept)
        return
    # where samples fall differs from run to run, but the identity is 0.0104 away
    assert np.linalg.norm(kept["gyr_matrix"] - np.eye(3) - GYR_ERROR) < 0.008
    # one count of the coarsest gyroscope is 0.0625 deg/s
    np.testing.assert_allclose(kept["gyr_offset_rads"], GYR_OFFSET, atol=np.radians(0.0625))
    assert kept["gyr_gain_sigma"] < 0.004


async def test_faces_that_were_left_out_are_named(
    bluez: Bluez,
    rig: Rig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    daemon = bluez(H10 | {"address": HEAD})
    unit = await record_faces(rig, daemon, tmp_path, faces=4)
    arguments = ["calibrate", "device", unit, "--data-dir", str(tmp_path)]
    ran = run(monkeypatch, capsys, *arguments)
    assert ran.exit_code == 1
    assert "+y up, -y up" in ran.err
    assert json.loads(run(monkeypatch, capsys, "verify", "--data-dir", str(tmp_path), "--json").out)
