"""Results that are due are made again, in a process of its own that starts where that is noticed.

Due is what a home sent, what came late from a sensor, and what other thresholds were set for.
A process that was killed is started again by the next exchange with the home.
"""

import fcntl
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from api.settings import Settings, load_settings
from storage.catalog import Catalog
from storage.consent import is_withdrawn
from storage.due import finish_due, is_due, take_due
from storage.exchange import scope_of

log = logging.getLogger(__name__)

LOCK_FILE: Final = "rework.lock"
KEPT_VERSIONS: Final = 2
"""Results that other thresholds replaced by themselves; each takes as much as those shown."""
_FAILED: Final = "rework_failed"
_REPLACED: Final = "replaced_versions"
_NICENESS: Final = 10


def start(settings: Settings, catalog: Catalog, patient: str) -> bool:
    """Start making results again where that is due and nobody does it; return whether it is."""
    if not is_due(catalog, patient) or is_withdrawn(catalog, patient, "processing"):
        return False
    with _lock(settings.data_dir) as free:
        if not free:
            return False
    # A process of its own: the answers of this one stay fast.
    command = [sys.executable, "-m", "api.forwarding.rework", str(settings.data_dir)]
    threading.Thread(target=_wait_for, args=(command,), name="forward-rework", daemon=True).start()
    return True


def is_running(folder: Path) -> bool:
    """Return whether a process makes results again in this folder."""
    with _lock(folder) as free:
        return not free


def rework(settings: Settings) -> int:
    """Make everything again that is due, unless another process does; return how often.

    What fails stays due, and holds up nobody else.
    """
    done = 0
    failed: set[str] = set()
    with _lock(settings.data_dir) as free:
        if not free:
            return 0
        with Catalog(settings.data_dir) as catalog:
            while waiting := [
                p.id
                for p in catalog.patients()
                if p.id not in failed
                and is_due(catalog, p.id)
                and not is_withdrawn(catalog, p.id, "processing")
            ]:
                for patient in waiting:
                    try:
                        _rework_patient(settings, catalog, patient)
                        done += 1
                    except Exception:
                        log.exception("results could not be made again")
                        failed.add(patient)
                    catalog.set_setting(scope_of(patient), _FAILED, value=patient in failed)
    return done


def has_failed(catalog: Catalog, patient: str) -> bool:
    """Return whether the last try to make a patient's results again came to nothing."""
    return catalog.setting(scope_of(patient), _FAILED) is True


def forget_failure(catalog: Catalog, patient: str) -> None:
    """Begin anew, as what there is to do has changed."""
    catalog.set_setting(scope_of(patient), _FAILED, value=False)


def _rework_patient(settings: Settings, catalog: Catalog, patient: str) -> None:
    from api.jobs.reprocess import Wish, remove_version, run_reprocess
    from ingest.errors import ReprocessError

    since_ns = take_due(catalog, patient)
    if since_ns is None:
        return
    begin = datetime.fromtimestamp(since_ns // 10**9, UTC) if since_ns > 0 else None

    def ignore(_fraction: float, _note: str) -> None: ...

    try:
        reports = run_reprocess(settings, Wish(patient, begin), ignore)
    except ReprocessError:
        if begin is None:
            raise
        # a part alone cannot be made where other parameters or none made the rest
        reports = run_reprocess(settings, Wish(patient), ignore)
    finish_due(catalog, patient)
    for report in reports:
        old, new = report["replaces"], report["version"]
        if old is not None and old.split(".")[0] == new.split(".")[0]:
            remove_version(settings, patient, old)
        elif old is not None:
            _keep_few(settings, catalog, patient, old)


def _keep_few(settings: Settings, catalog: Catalog, patient: str, replaced: str) -> None:
    """Keep the last versions that other thresholds replaced; trials are not among them."""
    from api.jobs.reprocess import remove_version
    from storage.result_book import ResultBook

    scope = scope_of(patient)
    book = ResultBook(settings.data_dir)
    try:
        there = {row.algo for row in book.algorithms(patient) if not row.current}
    finally:
        book.close()
    noted = [*(catalog.setting(scope, _REPLACED) or []), replaced]
    kept = [algo for algo in dict.fromkeys(noted) if algo in there]
    for algo in kept[:-KEPT_VERSIONS]:
        remove_version(settings, patient, algo)
    catalog.set_setting(scope, _REPLACED, value=kept[-KEPT_VERSIONS:])


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock while inside, where it is free."""
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)


def _wait_for(command: list[str]) -> None:
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # noqa: S603  # our own program
    if ended.returncode:
        log.error("results of forwarded data could not be made (exit code %d)", ended.returncode)


if __name__ == "__main__":
    from api.kernel_cache import use_kernel_cache

    os.nice(_NICENESS)
    use_kernel_cache()
    rework(load_settings(data_dir=Path(sys.argv[1])))
