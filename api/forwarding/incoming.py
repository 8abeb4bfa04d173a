"""Parts of segments that are under way, each in a file that grows until the segment is whole."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.database import folder_errors

FOLDER: Final = "incoming"
MAX_PARTS: Final = 8
"""Unfinished segments that one sender may leave; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file under way that nobody else writes meanwhile."""

    path: Path
    fd: int

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return os.fstat(self.fd).st_size

    def cut(self, size: int) -> None:
        """Forget what lies behind."""
        with folder_errors(self.path.parent):
            os.ftruncate(self.fd, size)

    def append(self, piece: bytes) -> None:
        """Add bytes at the end."""
        with folder_errors(self.path.parent):
            view = memoryview(piece)
            while view:
                view = view[os.write(self.fd, view) :]

    def body(self) -> bytes:
        """Return all of it."""
        with folder_errors(self.path.parent):
            return self.path.read_bytes()

    def discard(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)


def part_path(folder: Path, sender: str, sha256: str) -> Path:
    """Return where a part is kept; every sender has a folder of its own."""
    return folder / FOLDER / sender / f"{sha256}.part"


def held_bytes(folder: Path, sender: str, sha256: str) -> int:
    """Return how much of a segment is held."""
    try:
        return part_path(folder, sender, sha256).stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def open_part(folder: Path, sender: str, sha256: str) -> Iterator[Part | None]:
    """Give the part to write to; None while another request writes to it."""
    path = part_path(folder, sender, sha256)
    with folder_errors(folder):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _drop_oldest(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(path, flags, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield Part(path, fd)
    finally:
        os.close(fd)


def _drop_oldest(path: Path) -> None:
    others = [other for other in path.parent.glob("*.part") if other != path]
    others.sort(key=lambda other: other.stat().st_mtime)
    for other in others[: max(0, len(others) + 1 - MAX_PARTS)]:
        other.unlink(missing_ok=True)
