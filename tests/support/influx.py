"""A real InfluxDB 2.x for the tests: named by the environment, or started from a binary.

``NECKTRACE_TEST_INFLUX_URL`` with ``NECKTRACE_TEST_INFLUX_TOKEN`` and
``NECKTRACE_TEST_INFLUX_ORG``; else ``.cache/influxd`` of the checkout (see tests/influxd/build.sh)
or ``influxd`` on PATH, on a free loopback port in a temporary folder; else the reason to skip.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import httpx

from storage.influx import RETENTION_S, InfluxConnection, InfluxSettings

ROOT = Path(__file__).parents[2]
TOKEN = "necktrace-test-token"
ORG = "necktrace-test"
READY_S = 60.0


class NoServerError(Exception):
    """Why there is no server to test with."""


@dataclass
class InfluxServer:
    """A running server and, where it is ours, its process."""

    settings: InfluxSettings
    folder: Path | None = None
    binary: Path | None = None
    process: "subprocess.Popen[bytes] | None" = None

    def kill(self) -> None:
        """Kill -9 our own process."""
        assert self.process is not None, "this server was not started by the tests"
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start(self) -> None:
        """Start our own process (again) and wait until it answers."""
        assert self.folder is not None
        assert self.binary is not None
        port = self.settings.url.rsplit(":", 1)[1]
        with (self.folder / "influxd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(self.binary),
                    "run",
                    "--http-bind-address",
                    f"127.0.0.1:{port}",
                    "--bolt-path",
                    str(self.folder / "influxd.bolt"),
                    "--engine-path",
                    str(self.folder / "engine"),
                    "--sqlite-path",
                    str(self.folder / "influxd.sqlite"),
                    "--reporting-disabled",
                    "--log-level",
                    "error",
                ],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder)},
            )
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.settings.url}/health", timeout=2.0).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        text = (self.folder / "influxd.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"influxd did not become ready: {text}")

    def fresh(self) -> InfluxSettings:
        """Return settings for buckets of their own, which keep everything."""
        return replace(self.settings, bucket_prefix=f"t{uuid4().hex[:10]}_", live_retention_days=0)


@contextmanager
def running_server(folder: Path) -> Iterator[InfluxServer]:
    """Yield a server; raise `NoServerError` where there is none."""
    url = os.environ.get("NECKTRACE_TEST_INFLUX_URL")
    if url:
        settings = InfluxSettings(
            url=url,
            token=os.environ.get("NECKTRACE_TEST_INFLUX_TOKEN", ""),
            org=os.environ.get("NECKTRACE_TEST_INFLUX_ORG", ""),
        )
        yield InfluxServer(settings)
        return
    built = ROOT / ".cache/influxd"
    binary = str(built) if built.exists() else shutil.which("influxd")
    if binary is None:
        raise NoServerError(
            "no InfluxDB 2.x: set NECKTRACE_TEST_INFLUX_URL (and _TOKEN, _ORG), or run "
            "tests/influxd/build.sh"
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = InfluxSettings(f"http://127.0.0.1:{port}", TOKEN, ORG)
    server = InfluxServer(settings, folder, Path(binary))
    server.start()
    try:
        answer = httpx.post(
            f"{settings.url}/api/v2/setup",
            json={
                "username": "tester",
                "password": "tester-password",
                "org": ORG,
                "bucket": "unused",
                "token": TOKEN,
            },
            timeout=20.0,
        )
        answer.raise_for_status()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.terminate()
            try:
                server.process.wait(20.0)
            except subprocess.TimeoutExpired:
                server.kill()


def drop_buckets(settings: InfluxSettings) -> None:
    """Delete the buckets of `InfluxServer.fresh`."""
    connection = InfluxConnection(settings)
    try:
        for name in RETENTION_S:
            bucket = connection._find_bucket(name)
            if bucket is not None:
                connection._client.buckets_api().delete_bucket(bucket)
    finally:
        connection.close()
