"""The writer lock of a data folder: one collector records, everybody may read.

The lock is the kernel's (``flock``), so it vanishes with its process, even after kill -9. What
stands in the file only tells people who holds it.
"""

import fcntl
import json
import os
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from storage.database import folder_errors, make_private
from storage.errors import WriterLockedError

LOCK_FILE = "writer.lock"
_TRIES = 5
_PAUSE_S = 0.04
"""`lock_holder` takes the lock shared for an instant; that must not look like a second writer."""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who records into a folder."""

    pid: int
    since: str
    """Local start time, ISO 8601 with offset."""
    command: str


class WriterLock:
    """Exclusive right to record into a folder, held until `release`."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises
        ------
        WriterLockedError
            Another process holds it; the error names that process.
        ReadOnlyFolderError, DiskFullError
        """
        self._folder = folder
        with folder_errors(folder):
            make_private(folder)
            self._fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if not _acquire(self._fd):
                os.close(self._fd)
                held = _read(folder)
                raise WriterLockedError(
                    folder,
                    held.pid if held else None,
                    held.since if held else "",
                    held.command if held else "",
                )
            # A forked child shares the lock and would keep it beyond our death.
            os.register_at_fork(after_in_child=self.release)
            holder = {
                "pid": os.getpid(),
                "since": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                "command": shlex.join(sys.argv) or sys.executable,
            }
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(holder).encode(), 0)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _acquire(fd: int) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_S)
        else:
            return True
    return False


def lock_holder(folder: Path) -> LockHolder | None:
    """Return who records into the folder now, or None."""
    try:
        fd = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(folder) or LockHolder(pid=0, since="", command="")
    finally:
        os.close(fd)
    return None


def _read(folder: Path) -> LockHolder | None:
    try:
        raw = json.loads((folder / LOCK_FILE).read_text(encoding="utf-8"))
        return LockHolder(pid=int(raw["pid"]), since=str(raw["since"]), command=str(raw["command"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
