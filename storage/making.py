"""Who makes results of a folder again: many may at once, but nobody while a patient is deleted.

The lock is the kernel's, so it ends with its process; its file stays empty.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from storage.database import folder_errors
from storage.errors import MakingError

LOCK_FILE: Final = "making.lock"


@contextmanager
def making_results(folder: Path) -> Iterator[None]:
    """Keep patients from being deleted while inside.

    Raises
    ------
    MakingError
        One is being deleted now.
    """
    with _locked(folder, fcntl.LOCK_SH) as free:
        if not free:
            raise MakingError(
                f"a patient is being deleted from {folder}; run the same command again in a minute",
                folder,
            )
        yield


@contextmanager
def nobody_makes_results(folder: Path) -> Iterator[None]:
    """Keep results from being made while inside.

    Raises
    ------
    MakingError
        Somebody makes some.
    """
    with _locked(folder, fcntl.LOCK_EX) as free:
        if not free:
            raise MakingError(
                f"results of {folder} are being made by another program, such as `necktrace "
                "reprocess`, which would write after the deletion; nothing was deleted yet, ask "
                "again when it has ended",
                folder,
            )
        yield


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[bool]:
    with folder_errors(folder):
        fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)
