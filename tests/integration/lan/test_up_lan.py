"""`necktrace up --lan` as a command on a terminal: what is printed lets a phone in, and only that.

The address in the house is played by 127.0.0.2.
"""

import hashlib
import io
import os
import pty
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import segno

HOUSE = "127.0.0.2"
START_S = 90.0


@dataclass
class Terminal:
    """A command on a terminal of its own, and what it has said."""

    process: "subprocess.Popen[bytes]"
    data_dir: Path
    said: list[bytes] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything so far."""
        return b"".join(self.said).decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return what the command says, once it does."""
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            found = re.search(pattern, self.text)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"it never said {pattern!r}:\n{self.text}")


def up(data_dir: Path, *more: str, stdout: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            sys.executable, "-c", "from api.cli import main; main()", "up", "--lan",
            "--no-browser", "--port", "0", "--data-dir", str(data_dir), *more,
        ],
        stdin=stdout,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NECKTRACE_LAN_ADDRESS": HOUSE, "NECKTRACE_LAN_PORT": "0"},
        start_new_session=True,
    )  # fmt: skip


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    running = Terminal(up(tmp_path / "data", stdout=theirs), tmp_path / "data")
    os.close(theirs)

    def gather() -> None:
        # the end of the other side is an error on Linux
        with suppress(OSError):
            while part := os.read(ours, 4096):
                running.said.append(part)

    reader = threading.Thread(target=gather, daemon=True)
    reader.start()
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()
    reader.join(10)
    os.close(ours)


def test_the_phone_comes_in_with_what_the_terminal_shows(terminal: Terminal) -> None:
    password = terminal.wait_for(r"password\s+(\S+)")[1]
    url = terminal.wait_for(rf"https://{re.escape(HOUSE)}:\d+/")[0]
    fingerprint = terminal.wait_for(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")[0]
    name = terminal.wait_for(r"name\s+(\S+)")[1]

    # the code on the terminal is that of the address, with the fingerprint behind it
    drawn = io.StringIO()
    code = segno.make_qr(f"{url}#sha256={fingerprint.replace(':', '')}", error="m")
    code.terminal(out=drawn, compact=True)
    assert drawn.getvalue() in terminal.text

    # what is served there is the certificate that was named
    port = int(url.rstrip("/").rpartition(":")[2])
    served = ssl.get_server_certificate((HOUSE, port))
    der = ssl.PEM_cert_to_DER_cert(served)
    assert hashlib.sha256(der).hexdigest().upper() == fingerprint.replace(":", "")

    (authority,) = terminal.data_dir.rglob("authority.crt")
    trusting = ssl.create_default_context(cafile=str(authority))
    with httpx.Client(base_url=url, verify=trusting, headers={"origin": url.rstrip("/")}) as phone:
        assert phone.get("/api/v1/patients").status_code == 401
        wrong = phone.post("/login", data={"name": name, "password": f"{password}x"})
        assert wrong.status_code == 401
        assert phone.post("/login", data={"name": name, "password": password}).status_code == 303
        page = phone.get("/setup")
        assert page.status_code == 200
        assert "Look for sensors" in page.text
        shown = phone.get("/account/phone").text
        assert fingerprint in shown
        assert "data:image/svg+xml" in shown
    # this computer is asked for the login as well, and nothing is open there without TLS
    here = terminal.wait_for(r"http://127\.0\.0\.1:\d+/")[0]
    assert httpx.get(f"{here}api/v1/patients").status_code == 401
    with pytest.raises(httpx.TransportError):
        httpx.get(url.replace("https", "http"))
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(30) == 0, terminal.text
    assert "Traceback" not in terminal.text


def test_without_a_terminal_no_password_lands_in_a_log(tmp_path: Path) -> None:
    with up(tmp_path / "data", stdout=subprocess.PIPE) as process:
        said, _ = process.communicate(timeout=START_S)
    assert process.returncode != 0
    text = said.decode()
    assert "necktrace user add me" in text
    assert "password  " not in text
    assert "Traceback" not in text
