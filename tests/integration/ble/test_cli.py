"""The command line on the emulated radio, as a person would use it: scan, pair, record, verify."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ble.conftest import HEAD, TRUNK, Bluez, v1

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


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


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
def test_scan_pair_record_and_verify(bluez: Bluez, tmp_path: Path) -> None:
    needs = {"needs_pairing": True}
    daemon = bluez(v1(HEAD, faults=needs), v1(TRUNK, faults=needs))
    found = necktrace("scan", "--seconds", "1")
    assert {each["address"] for each in found["sensors"]} == {HEAD, TRUNK}
    data = ["--data-dir", str(tmp_path / "data")]
    daemon.command("move", address=HEAD, kind="nod")
    daemon.command("move", address=TRUNK, kind="still")
    quick = ("--seconds", "1", "--nod-seconds", "1")
    paired = necktrace("pair", "--yes", *quick, *data)
    assert (paired["head"]["address"], paired["trunk"]["address"]) == (HEAD, TRUNK)
    log = tmp_path / "up.log"
    with log.open("w") as out:
        up = subprocess.Popen(
            [*NECKTRACE, "up", *data, "--port", free_port()], stdout=out, stderr=out, text=True
        )
        try:
            _streaming(daemon, HEAD)
            _streaming(daemon, TRUNK)
            time.sleep(2)
            daemon.command("lose_link", address=HEAD)
            _streaming(daemon, HEAD)
            time.sleep(8)
            up.send_signal(signal.SIGINT)
            # a first run may have to finish compiling its kernels
            assert up.wait(timeout=120) == 0, log.read_text()
        finally:
            up.kill()
            up.wait()
    for address in (HEAD, TRUNK):
        state = daemon.command("state", address=address)
        assert (state["streaming"], state["recording"]) == (False, True)
    verdict = subprocess.run(
        [*NECKTRACE, "verify", *data], check=False, capture_output=True, text=True, timeout=60
    )
    assert verdict.returncode == 0, verdict.stdout
    assert " 0 samples never received" in verdict.stdout
    assert "The record is whole" in verdict.stdout


def _streaming(daemon: Any, address: str) -> None:
    deadline = time.monotonic() + 60
    while not daemon.command("state", address=address)["streaming"]:
        assert time.monotonic() < deadline, f"{address} never streamed"
        time.sleep(0.1)
