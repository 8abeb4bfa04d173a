"""A clinic with made-up patients as a process of its own, for real browsers."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support.clinic_folder import ZONE, fill


def fill_clinic(folder: Path) -> date:
    """Write three patients: one wearing off, one of poor trust, one silent; return today."""
    today = datetime.now(ZoneInfo(ZONE)).date()
    fill(folder, today)
    fill(
        folder, today, patient="p2", label="Robin", injected_ago=(40,), poor_h=5.0,
        slipped_ago=(9, 2),
    )  # fmt: skip
    silent = date.fromordinal(today.toordinal() - 6)
    fill(folder, silent, patient="p3", label="Kim", days=30, injected_ago=(), minutes_days=0)
    return today


@contextmanager
def clinic_server(folder: Path) -> Iterator[str]:
    """Serve a data folder on a free port while inside; gives the address."""
    process = subprocess.Popen(
        [
            sys.executable, "-c", "from api.cli import main; main()", "serve",
            "--port", "0", "--data-dir", str(folder),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                yield found.group()
                return
        raise AssertionError(f"the server did not start:\n{said}")
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()
