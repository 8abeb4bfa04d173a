"""A private system bus with an emulated Bluetooth daemon on it, for one test."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """A dbus-daemon of our own."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "bus.conf"
        self._socket = folder / "bus"
        self.address = f"unix:path={self._socket}"
        self._config.write_text(_CONFIG.format(socket=self._socket))
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self._config}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "dbus-daemon did not start"

    @property
    def running(self) -> bool:
        return self._process is not None

    def kill(self) -> None:
        if self._process is not None:
            _end(self._process)
            self._process = None


class EmulatedBluez:
    """The emulated daemon's process and its fault commands."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._devices: list[dict[str, Any]] = []
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def populate(self, devices: list[dict[str, Any]]) -> None:
        """Begin afresh with these devices, in the running process if there is one."""
        self._devices = devices
        if self._process is not None and self._process.poll() is not None:
            self.kill()
        if self._process is None:
            self.start()
        else:
            self.command("world", devices=devices)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.bluez.daemon", json.dumps(self._devices)],
            cwd=ROOT,
            env=self._environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the emulated daemon did not start"

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def command(self, name: str, **arguments: Any) -> Any:
        """Send a command and return its result."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"name": name, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["ok"]

    def faults(self, address: str, **faults: Any) -> None:
        self.command("faults", address=address, **faults)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def available() -> bool:
    """Whether this machine can run the harness."""
    return sys.platform == "linux" and shutil.which("dbus-daemon") is not None


@contextlib.contextmanager
def private_bus(folder: Path) -> Iterator[PrivateBus]:
    bus = PrivateBus(folder)
    bus.start()
    try:
        yield bus
    finally:
        bus.kill()
