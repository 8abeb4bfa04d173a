"""Pairs of two makes at two rates: worn, lost for a while, found again, through real bleak.

One pair goes the owner's whole way from an empty folder, by the command line in processes of its
own; the others are looked at inside this one, which takes seconds instead of minutes.
"""

import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ingest.candidates import SensorWish
from ingest.drivers import StreamStarted
from storage.embedded import EmbeddedStore
from storage.record import RecordReader
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, Rig
from tests.integration.ble.test_cli import NECKTRACE, free_port, necktrace

PAIRS = [
    ({"kind": "capture2go"}, {"kind": "polar"}),
    ({"kind": "movesense"}, {"kind": "movella_dot"}),
    ({"kind": "v1", "device_id": "0000000000000001"}, {"kind": "witmotion"}),
]


def samples_of(folder: Path) -> dict[str, int]:
    """Return the samples on disk by role; empty while there is no record."""
    try:
        with RecordReader(folder) as reader:
            held: dict[str, int] = {"head": 0, "trunk": 0}
            for stream in reader.streams(patient="p1", kind="imu"):
                held[stream.info.role] += stream.samples
            return held
    except Exception:
        return {"head": 0, "trunk": 0}


def wait_for_samples(folder: Path, n: dict[str, int], up: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while any(samples_of(folder)[role] < wanted for role, wanted in n.items()):
        assert up.poll() is None, "the collector ended by itself"
        assert time.monotonic() < deadline, f"only {samples_of(folder)} of {n}"
        time.sleep(0.3)


@pytest.mark.parametrize(("head", "trunk"), PAIRS, ids=lambda made: made["kind"])
async def test_both_are_lost_and_found_again(
    bluez: Bluez, rig: Rig, head: dict[str, Any], trunk: dict[str, Any]
) -> None:
    daemon = bluez(head | {"address": HEAD}, trunk | {"address": TRUNK})
    for role, address in (("head", HEAD), ("trunk", TRUNK)):
        rig.link(role, SensorWish(rate_hz=100.0, address=address))
    for role, address in (("head", HEAD), ("trunk", TRUNK)):
        await rig.streaming(role, packets=2)
        link, _ = rig.tasks[role]
        begun = len(_starts(rig, link.wish.device_id))
        daemon.faults(address, hidden=True)
        daemon.command("lose_link", address=address)
        await rig.listener.until(partial(_was_lost, rig, role))
        daemon.faults(address, hidden=False)
        await rig.listener.until(partial(_delivers_again, rig, link.wish.device_id, begun))
        # both quantities in one stream, so that there are angles
        names = {c.name for c in _starts(rig, link.wish.device_id)[-1].streams[0].channels}
        assert {"acc_x", "gyr_z"} <= names


def _was_lost(rig: Rig, role: str) -> bool:
    return ("backoff", "link_lost") in rig.listener.states(role)


def _delivers_again(rig: Rig, unit: str, begun: int) -> bool:
    """Whether the same unit has started again and sent samples since."""
    starts = _starts(rig, unit)
    if len(starts) <= begun:
        return False
    again = starts[-1]
    packets = rig.listener.packets(unit)
    return any(p.boot == again.boot and p.host_mono_ns > again.host_mono_ns for p in packets)


def _starts(rig: Rig, unit: str) -> list[StreamStarted]:
    return [s for s in rig.listener.of(StreamStarted) if s.device_id == unit]


@pytest.mark.slow
def test_a_pair_of_two_makes_from_box_to_angles(bluez: Bluez, tmp_path: Path) -> None:
    head, trunk = PAIRS[0]
    daemon = bluez(head | {"address": HEAD}, trunk | {"address": TRUNK})
    folder = tmp_path / "data"
    data = ["--data-dir", str(folder)]
    found = necktrace("scan", "--seconds", "1")
    assert found["usable"] == 2
    assert all(each["model"] and each["rssi_dbm"] for each in found["sensors"])
    for address, role in ((HEAD, "head"), (TRUNK, "trunk")):
        assert necktrace("pair", address, "--role", role, *data)["role"] == role
    log = tmp_path / "up.log"
    with log.open("w") as out:
        up = subprocess.Popen(
            [*NECKTRACE, "up", *data, "--port", free_port(), "--no-browser"],
            stdout=out,
            stderr=out,
            text=True,
        )
        try:
            wait_for_samples(folder, {"head": 200, "trunk": 200}, up)
            daemon.faults(TRUNK, hidden=True)
            daemon.command("lose_link", address=TRUNK)
            time.sleep(2)
            daemon.faults(TRUNK, hidden=False)
            before = samples_of(folder)
            more = {role: n + 200 for role, n in before.items()}
            wait_for_samples(folder, more, up)
            up.send_signal(signal.SIGINT)
            # a first run may have to finish compiling its kernels
            assert up.wait(timeout=120) == 0, log.read_text()
        finally:
            up.kill()
            up.wait()
    assert "Traceback" not in log.read_text()
    verdict = subprocess.run(
        [*NECKTRACE, "verify", *data], check=False, capture_output=True, text=True, timeout=60
    )
    assert "The record is whole" in verdict.stdout, verdict.stdout
    # live results may still be waiting for the compiler at the end of so short a recording
    made = subprocess.run(
        [*NECKTRACE, "reprocess", *data], check=False, capture_output=True, text=True, timeout=240
    )
    assert made.returncode == 0, made.stderr
    store = EmbeddedStore(folder)
    try:
        angles = store.angles("p1", 0, 2**62)
    finally:
        store.close()
    assert len(angles.t_ns) >= 3, "no angles were made of this pair"
