"""`necktrace serve` on a data folder with InfluxDB, as a process to be killed."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from storage.influx import InfluxSettings

ROOT = Path(__file__).parents[2]
NECKTRACE = [sys.executable, "-c", "from api.cli import main; main()"]
READY_S = 90.0


class ServedFolder:
    """Starts, watches and kills the API of a folder."""

    def __init__(self, folder: Path, influx_url: str, settings: InfluxSettings) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        token = folder / "influx-token"
        token.write_text(settings.token)
        self._folder = folder
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NECKTRACE_INFLUX_URL": influx_url,
            "NECKTRACE_INFLUX_ORG": settings.org,
            "NECKTRACE_INFLUX_TOKEN_FILE": str(token),
            "NECKTRACE_INFLUX_BUCKET_PREFIX": settings.bucket_prefix,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [*NECKTRACE, "serve", "--data-dir", str(self._folder)]
        self._process = subprocess.Popen(
            [*command, "--port", str(self._port)],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + READY_S
        while self.backlog() is None:
            ended = self._process.poll()
            if ended is not None or time.monotonic() > deadline:
                said = self._process.stderr
                self._process.kill()
                words = said.read().decode() if said is not None else ""
                self.kill()
                raise AssertionError(f"the API did not come up (exit code {ended}): {words}")
            time.sleep(0.1)

    def backlog(self) -> int | None:
        """Return how many points wait, as the health endpoint says; None where it is silent."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self._port}/api/v1/health", timeout=5.0)
        except httpx.HTTPError:
            return None
        return int(answer.json()["delivery"]["backlog_points"])

    def sends(self, longest_s: float = 60.0) -> int:
        """Wait until something that waited is delivered; return how many points."""
        before = self.backlog() or 0
        deadline = time.monotonic() + longest_s
        now = before
        while 0 < now == before and time.monotonic() < deadline:
            time.sleep(0.05)
            found = self.backlog()
            now = now if found is None else found
        return max(before - now, 0)

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
