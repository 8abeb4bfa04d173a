"""The command line on the emulated radio, as a person would use it: scan, pair, record, verify."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.embedded import EmbeddedStore
from storage.record import RecordReader
from storage.record.types import Stream
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, v1

pytestmark = pytest.mark.long

NECKTRACE = [sys.executable, "-c", "from api.cli import main; main()"]


def necktrace(*arguments: str) -> Any:
    """Run a command that must succeed and return its JSON result."""
    done = subprocess.run(
        [*NECKTRACE, *arguments, "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    """Run a command that must say why it cannot, without a traceback; return what it says."""
    done = subprocess.run(
        [*NECKTRACE, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode in {1, 2}, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_pairing_never_takes_a_neighbours_sensor_unasked(bluez: Bluez, tmp_path: Path) -> None:
    data = ["--data-dir", str(tmp_path / "data")]
    bluez(v1(HEAD), v1(TRUNK))
    assert "add --yes if both of these are yours" in refused("pair", "--seconds", "1", *data)
    third = "C0:00:00:00:00:03"
    bluez(v1(HEAD), v1(TRUNK), v1(third))
    said = refused("pair", "--yes", "--seconds", "1", *data)
    assert "3 usable sensors were heard" in said
    assert third in said
    assert "say where" in refused("pair", HEAD, *data)
    assert "two different addresses" in refused("pair", HEAD, HEAD, *data)
    assert not (tmp_path / "data" / "catalog.sqlite").exists()


@pytest.mark.slow
def test_a_pair_of_two_makes_from_box_to_angles(bluez: Bluez, tmp_path: Path) -> None:
    daemon = bluez(v1(HEAD, faults={"needs_pairing": True}), {"kind": "polar", "address": TRUNK})
    found = necktrace("scan", "--seconds", "1")
    assert {each["address"] for each in found["sensors"]} == {HEAD, TRUNK}
    assert all(each["model"] and each["rssi_dbm"] for each in found["sensors"])
    folder = tmp_path / "data"
    data = ["--data-dir", str(folder)]
    daemon.command("move", address=HEAD, kind="nod")
    daemon.command("move", address=TRUNK, kind="still")
    paired = necktrace("pair", "--yes", "--seconds", "1", "--nod-seconds", "1", *data)
    assert (paired["head"]["address"], paired["trunk"]["address"]) == (HEAD, TRUNK)
    log = tmp_path / "up.log"
    with log.open("w") as out:
        up = subprocess.Popen(
            [*NECKTRACE, "up", *data, "--port", "0", "--no-browser"],
            stdout=out,
            stderr=out,
            text=True,
        )
        try:
            wait_for(up, lambda: min(samples_of(folder).values()) > 100)
            for address in (HEAD, TRUNK):
                daemon.faults(address, hidden=True)
                daemon.command("lose_link", address=address)
            before = samples_of(folder)
            time.sleep(1)
            for address in (HEAD, TRUNK):
                daemon.faults(address, hidden=False)
            # both have come back, and the head has handed over what it saw meanwhile
            wait_for(up, lambda: samples_of(folder)["trunk"] > before["trunk"] + 100)
            wait_for(up, lambda: samples_of(folder)["head"] > before["head"] + 200)
            wait_for(up, lambda: is_whole(folder))
            up.send_signal(signal.SIGINT)
            # a first run may have to finish compiling its kernels
            assert up.wait(timeout=120) == 0, log.read_text()
        finally:
            up.kill()
            up.wait()
    assert "Traceback" not in log.read_text()
    state = daemon.command("state", address=HEAD)
    assert (state["streaming"], state["recording"]) == (False, True)
    assert daemon.command("running", address=TRUNK) == []
    verdict = subprocess.run(
        [*NECKTRACE, "verify", *data], check=False, capture_output=True, text=True, timeout=60
    )
    assert verdict.returncode == 0, verdict.stdout
    assert " 0 samples never received" in verdict.stdout
    assert "The record is whole" in verdict.stdout
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


def samples_of(folder: Path) -> dict[str, int]:
    """Return the samples on disk by role; none while there is no record."""
    held = {"head": 0, "trunk": 0}
    for stream in _streams(folder):
        held[stream.info.role] += stream.samples
    return held


def is_whole(folder: Path) -> bool:
    """Whether nothing is missing between the first and the last sample of the head."""
    (head,) = [each for each in _streams(folder) if each.info.role == "head"]
    with RecordReader(folder) as reader:
        index = [chunk.index for chunk in reader.samples(head.id)]
    return bool(index) and int(index[-1][-1]) - int(index[0][0]) + 1 == sum(map(len, index))


def _streams(folder: Path) -> list[Stream]:
    try:
        with RecordReader(folder) as reader:
            return reader.streams(patient="p1", kind="imu")
    except Exception:
        return []


def wait_for(up: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert up.poll() is None, "the collector ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.3)
