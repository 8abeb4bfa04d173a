"""A trial with other parameters: in a process of its own, beside the results that are shown."""

import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

from api.http.problems import problem
from api.runtime import Runtime
from ingest.errors import ReprocessError
from ingest.reprocess_params import parse_params
from ingest.reprocess_version import begin_version, current_row, same_algorithm
from ingest.reprocess_wear import END_NS
from storage.catalog import Patient
from storage.consent import is_withdrawn

log = logging.getLogger(__name__)

LOCK_FILE: Final = "rerun.lock"
_NICENESS: Final = 10
_MOST_TRIALS: Final = 20
"""Per patient: each holds as many rows as the results themselves."""


def start_rerun(runtime: Runtime, patient: Patient, given: dict[str, Any]) -> str:
    """Begin a trial and return the name of its version.

    Raises
    ------
    ProblemError
        `invalid-request`: no such parameter; `conflict`: another trial is under way, there are no
        results yet or such results already, too many trials, or processing was withdrawn.
    """
    try:
        params = parse_params(given, "params")
    except ReprocessError as error:
        raise problem("invalid-request", f"{error}") from None
    book = runtime.results.book
    if is_withdrawn(runtime.catalog, patient.id, "processing"):
        raise problem("conflict", "This patient withdrew the consent to processing.")
    shown = current_row(book, patient.id)
    if shown is None:
        raise problem("conflict", "There are no results yet that a trial could stand beside.")
    if same_algorithm(shown, params):
        raise problem("conflict", "The results that are shown were made with these parameters.")
    if len(book.algorithms(patient.id)) >= _MOST_TRIALS:
        raise problem("conflict", "There are too many versions of results; remove trials first.")
    lock = _locked(runtime.settings.data_dir)
    if lock is None:
        raise problem("conflict", "Another trial is under way; try again when it is done.")
    try:
        version = begin_version(book, patient.id, params, (0, END_NS))
        command = [
            *(sys.executable, "-m", "api.jobs.rerun"),
            *(str(runtime.settings.data_dir), patient.id, json.dumps(given)),
        ]
        begin(command, lock)
    finally:
        os.close(lock)
    return version


def is_running(folder: Path) -> bool:
    """Return whether a trial is being worked out in this folder."""
    lock = _locked(folder)
    if lock is None:
        return True
    os.close(lock)
    return False


def begin(command: list[str], lock: int) -> None:
    """Start a trial's process; the lock goes along, so that it is free once that has ended."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(lock,))  # noqa: S603  our own program, no shell
    threading.Thread(target=_wait_for, args=(process,), name="rerun", daemon=True).start()


def _locked(folder: Path) -> int | None:
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _wait_for(process: "subprocess.Popen[bytes]") -> None:
    if process.wait():
        log.error("a trial with other parameters failed (exit code %d)", process.returncode)


def main(folder: Path, patient: str, given: str) -> None:
    """Work a trial out."""
    from api.jobs.reprocess import Wish, run_reprocess
    from api.kernel_cache import use_kernel_cache
    from api.settings import load_settings

    os.nice(_NICENESS)
    use_kernel_cache()
    params = parse_params(json.loads(given), "params")
    wish = Wish(patient, params=params, keep_current=True)
    run_reprocess(load_settings(data_dir=folder), wish, lambda _fraction, _note: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
