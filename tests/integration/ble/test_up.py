"""Each model through `necktrace up`, by its pages: paired, calibrated, worn, lost and back.

Real bleak on the emulated radio; a simulated person wears the sensors and does what the guide asks.
"""

import io
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from api.alignments import alignment_body, latest_alignment
from api.exports.choices import Source, export_samples
from api.queries import Range
from ingest.reprocess_wear import wear_detail
from ingest.warm_up import compile_chain
from processing import quaternion
from processing.pipeline import PipelineParams
from storage.catalog import Catalog, Device, Patient, StoredAlignment
from storage.embedded import EmbeddedStore
from storage.record import RecordReader, verify
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez
from tests.support.at_home import Home, at_home
from tests.support.collecting import plain_setup
from tests.support.reprocessing import again

pytestmark = [pytest.mark.slow, pytest.mark.long]
SPEED = 6.0

PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[float, float]]] = {
    "two movesense": (
        {"kind": "movesense", "serial": "174030000001"},
        {"kind": "movesense", "serial": "174030000002"},
        (104.0, 104.0),
    ),
    "capture2go and verity": ({"kind": "capture2go"}, {"kind": "polar"}, (100.0, 104.0)),
    "v1 and witmotion": (
        {"kind": "v1", "device_id": "0000000000000001"},
        {"kind": "witmotion"},
        (100.0, 100.0),
    ),
    "dot and h10": (
        {"kind": "movella_dot"},
        {"kind": "polar", "name": "Polar H10 12345678", "gyroscope": False},
        (60.0, 100.0),
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """A radio does not wait for a compiler."""
    compile_chain(PipelineParams(), plain_setup())


@pytest.mark.parametrize("pair", PAIRS)
async def test_paired_calibrated_worn_lost_and_back(
    bluez: Bluez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: str
) -> None:
    head, trunk, rates_hz = PAIRS[pair]
    daemon = bluez(head | {"address": HEAD}, trunk | {"address": TRUNK})
    truth = daemon.command("wear", head=HEAD, trunk=TRUNK)
    async with at_home(tmp_path, daemon, monkeypatch, speed=SPEED) as home:
        await home.pair(head=HEAD, trunk=TRUNK)
        await home.until_frame(_in_time)
        view = await home.calibrate()
        assert view["state"] == "done", view
        assert view["quality"] in {"good", "fair"}, view["sentences"]
        frame = await home.until_frame(lambda frame: frame["alignment_quality"] != "low")
        assert frame["worn"]
        for role, address in (("head", HEAD), ("trunk", TRUNK)):
            await _lose_and_find_again(home, address, role)
        angle = "head_pitch_deg" if pair == "dot and h10" else "flexion_deg"
        shown = await home.until_frame(lambda frame: frame[angle] is not None)
        assert shown["alignment_id"] == frame["alignment_id"]
    assert not any("did not work" in line for line in home.said)
    assert verify(tmp_path)["ok"]
    with Catalog(tmp_path) as catalog, RecordReader(tmp_path) as reader:
        found = latest_alignment(catalog, "p1")
        (session,) = catalog.wear_sessions("p1")
        streams = reader.streams(kind="imu")
    assert session.alignment_id == found.id == frame["alignment_id"]
    assert {s.info.role: s.info.rate_hz for s in streams} == dict(
        zip(("head", "trunk"), rates_hz, strict=True)
    )
    # where the simulated person's sensors truly sit; movements by a person are worth some degrees
    assert _apart_deg(truth["head"], found.q_head_segment_sensor) < 10.0
    if pair == "dot and h10":
        _assert_reduced(tmp_path)
    else:
        assert _apart_deg(truth["trunk"], found.q_trunk_segment_sensor) < 10.0


async def test_another_sensor_takes_the_place_of_one_by_the_page(
    bluez: Bluez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = "C0:00:00:00:00:03"
    daemon = bluez(
        {"kind": "movesense", "serial": "174030000001", "address": HEAD},
        {"kind": "movesense", "serial": "174030000002", "address": TRUNK},
        {"kind": "movella_dot", "address": new},
    )
    daemon.command("wear", head=HEAD, trunk=TRUNK)
    setup = plain_setup()
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
        body = alignment_body(setup.alignment) | {"quality": "good"}
        catalog.save_alignment(
            StoredAlignment("p1", setup.alignment.id, setup.alignment.n_id, 0, body)
        )
        catalog.start_wear(
            "p1", 0, alignment_id=setup.alignment.id, detail=wear_detail(setup, (), 0)
        )
        for role, address, unit in (("head", HEAD, "1"), ("trunk", TRUNK, "2")):
            device = Device(f"movesense-17403000000{unit}", "p1", role, address, "Movesense MD")
            catalog.save_device(device)
    async with at_home(tmp_path, daemon, monkeypatch, speed=SPEED) as home:
        before = await home.until_frame(lambda frame: frame["valid"])
        daemon.command("wear", head=new, trunk=TRUNK)
        assert "Movella" in await home.press("/setup/replace") + await home.press("/setup/scan")
        await home.press("/setup/pair", address=new, role="head")
        await home.press("/setup/begin")
        after = await home.until_frame(
            lambda frame: frame["valid"] and frame["event_id"] > before["event_id"]
            and (frame["head"]["serial"] or "").startswith("dot-")
        )  # fmt: skip
        assert after["alignment_quality"] == "low"
        assert any("Another sensor is worn on the head" in line for line in after["warnings"])
    assert verify(tmp_path)["ok"]
    with Catalog(tmp_path) as catalog, RecordReader(tmp_path) as reader:
        (session,) = catalog.wear_sessions("p1")
        worn = [(s.info.role, s.info.device_id.split("-")[0]) for s in reader.streams(kind="imu")]
        kept = latest_alignment(catalog, "p1")
    assert session.end_ns is not None
    assert kept.n_id == setup.alignment.n_id
    assert ("head", "movesense") in worn
    assert ("head", "dot") in worn


def _in_time(frame: dict[str, Any]) -> bool:
    """Whether samples come, and no busy moment at the start makes them seem late."""
    ages = [frame[role]["age_s"] for role in ("head", "trunk")]
    return not frame["stale"] and None not in ages and min(ages) > -0.3


async def _lose_and_find_again(home: Home, address: str, role: str) -> None:
    home.daemon.faults(address, hidden=True)
    home.daemon.command("lose_link", address=address)
    await home.until_frame(
        lambda frame: frame[role]["stale"] and frame[role]["link_state"] != "streaming"
    )
    home.daemon.faults(address, hidden=False)
    await home.until_frame(lambda frame: frame["valid"] and not frame["stale"])


def _assert_reduced(folder: Path) -> None:
    """Whether a trunk sensor without gyroscope gives its acceleration, and the head itself."""
    everything = Range(0, 2**62)
    with (
        Catalog(folder) as catalog,
        RecordReader(folder) as record,
        closing(EmbeddedStore(folder)) as results,
    ):
        source = Source(record, catalog, results)
        made = export_samples(source, catalog.patient("p1"), "trunk", everything, "parquet")
        table = pq.read_table(io.BytesIO(b"".join(made.pieces)))
    acc = np.stack([table.column(f"acc_{axis}_ms2").to_numpy() for axis in "xyz"], axis=1)
    assert len(acc) > 1000
    assert np.linalg.norm(acc, axis=1).mean() == pytest.approx(9.81, abs=0.3)
    assert table.column("gyr_x_rads").null_count == len(acc)
    assert all(table.column("valid").to_pylist())
    report = again(folder)
    with closing(EmbeddedStore(folder)) as results:
        angles = results.angles("p1", 0, 2**62, algo=report["version"])
    assert np.isfinite(angles.column("head_pitch_deg")).mean() > 0.5
    assert not np.isfinite(angles.column("flexion_deg")).any()


def _apart_deg(truth: list[float], found: np.ndarray) -> float:
    turn = quaternion.multiply(quaternion.conjugate(np.array(truth)), found)
    return float(np.degrees(2.0 * np.arccos(min(1.0, abs(float(turn[0]))))))
