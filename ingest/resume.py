"""The wear session that an earlier start left under way: whether to go on with it, and from where.

A program that ended, was killed or lost its power begins anew; the person wears the sensors as
before. Calibration, heading, learnt bias, open episodes and the minute under way belong to the
wear session, not to the process, so the chain goes through the record of the session first. The
record holds all that is known up to the last commit, so nothing else has to be saved, and what
comes out is what `necktrace reprocess` would make.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ingest.processor import MAX_BREAK_S
from ingest.reprocess_wear import END_NS, Wear
from processing import clock
from processing.types import IntArray
from storage.errors import StorageError
from storage.record import RecordReader
from storage.result_book import AlgorithmRow
from storage.result_rows import SECOND_NS
from storage.results import ResultStore

SURE_S = 60.0
"""Added to the break after which a new stretch begins: arrival is not the time of a sample."""
STORED_MARGIN_S = 900.0
"""Results so much older than the newest stored one are final and not stored again."""

Held = Mapping[str, Mapping[int, Sequence[tuple[int, int]]]]
"""Index ranges [a, b) that the record holds, by device and boot."""


@dataclass(frozen=True, slots=True)
class Resume:
    """A wear session to go on with, and what an earlier start has done of it."""

    wear: Wear
    stored_until_ns: int = 0
    """Results before this are stored for good."""


def wear_to_resume(reader: RecordReader, patient: str, last: Wear, now_ns: int) -> Wear | None:
    """Return the part of the last wear session that a filter of now would still go on with.

    Parameters
    ----------
    reader : RecordReader
    patient : str
    last : Wear
        The newest unit of `ingest.reprocess_wear.wears`.
    now_ns : int
        UTC.

    Returns
    -------
    Wear or None
        From the last silence of both sensors on after which a new stretch begins; None where the
        session is over, or silent for so long that nothing of it is worth keeping.
    """
    if last.until_ns != END_NS:
        return None
    arrivals = _arrivals_ns(reader, patient, last.since_ns)
    if not arrivals.size or now_ns - int(arrivals[-1]) > MAX_BREAK_S * SECOND_NS:
        return None
    breaks = np.flatnonzero(np.diff(arrivals) > (MAX_BREAK_S + SURE_S) * SECOND_NS)
    if not breaks.size:
        return last
    since_ns = int(arrivals[breaks[-1] + 1]) - round(SURE_S * SECOND_NS)
    return replace(last, since_ns=since_ns, first_resets=())


def _arrivals_ns(reader: RecordReader, patient: str, since_ns: int) -> IntArray:
    """Return when packets came live since a time, sorted."""
    found = [np.empty(0, np.int64)]
    for stream in reader.streams(patient=patient, kind="imu", t0_ns=since_ns):
        host_ns = reader.anchors(stream.id).host_ns
        found.append(host_ns[clock.in_order(host_ns) & (host_ns >= since_ns)])
    return np.sort(np.concatenate(found))


def stored_until_ns(store: ResultStore, patient: str, current: AlgorithmRow | None) -> int:
    """Return up to when the results of the version that recording goes on with are final.

    Parameters
    ----------
    store : ResultStore
    patient : str
    current : AlgorithmRow or None
        That version; None where recording goes on in another one, which holds nothing yet.
    """
    if current is None:
        return 0
    try:
        newest = store.latest(patient, algo=current.algo).t_ns
    except StorageError:
        return 0  # a server that does not answer: storing again changes nothing
    return int(newest[-1] - STORED_MARGIN_S * SECOND_NS) if newest.size else 0
