"""Reprocess a folder and compare versions of results, bit for bit."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from api.jobs.reprocess import Wish, run_reprocess
from api.settings import load_settings
from processing.summary.types import PLANES
from storage.embedded import EmbeddedStore
from storage.full_rate_files import pack
from tests.support.worn_record import PATIENT

END_NS = 2**62


def again(
    folder: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
    params: Path | None = None,
    on_progress: Callable[[float, str], None] = lambda _fraction, _note: None,
) -> dict[str, Any]:
    """Run `necktrace reprocess` in this process and return its report of the one patient."""
    wish = Wish(None, begin, end, params, workers, scheduler)
    (report,) = run_reprocess(load_settings(data_dir=folder), wish, on_progress)
    return report


def results(folder: Path, algo: str | None = None, patient: str = PATIENT) -> dict[str, Any]:
    """Return everything that a version holds, as values that compare."""
    store = EmbeddedStore(folder)
    try:
        angles = store.angles(patient, 0, END_NS, algo=algo)
        full = [pack(part) for part in store.full_rate.read(patient, 0, END_NS, algo=algo)]
        return {
            "t_ns": angles.t_ns.tolist(),
            # NaN compares by its bytes
            "angles": np.ascontiguousarray(angles.values).tobytes(),
            "full_rate": [(p.t_ns.tobytes(), p.columns.tobytes(), p.valid.tobytes()) for p in full],
            "minutes": store.minutes(patient, 0, END_NS, algo=algo),
            "episodes": store.episodes(patient, 0, END_NS, algo=algo),
            "days": store.days(patient, 0, END_NS, algo=algo),
            "cells": [
                cell
                for plane in PLANES
                for cell in store.cells(patient, [(0, END_NS)], plane=plane, algo=algo)[0]
            ],
        }
    finally:
        store.close()


def versions(folder: Path, patient: str = PATIENT) -> dict[str, tuple[bool, bool]]:
    """Return (complete, current) of every version."""
    store = EmbeddedStore(folder)
    try:
        return {row.algo: (row.complete, row.current) for row in store.book.algorithms(patient)}
    finally:
        store.close()
