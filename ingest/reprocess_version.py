"""Versions of a patient's results that reprocessing makes: named, resumed, filled up."""

import time
from collections.abc import Sequence
from typing import Final

from ingest.errors import ReprocessError
from processing import state
from processing.pipeline import ALGORITHM_VERSION, PipelineParams
from processing.summary import MinuteSummary
from processing.summary.types import CELL_SPAN_NS, PLANES, PostureCell
from storage.result_book import AlgorithmRow, ResultBook
from storage.result_rows import MINUTE_NS, SECOND_NS, ResultBatch, restore
from storage.results import ResultStore

DAY_NS: Final = 24 * 60 * MINUTE_NS
LONGEST_EPISODE_NS: Final = 4 * 60 * MINUTE_NS
_RANGE: Final = "range_ns"


def begin_version(
    book: ResultBook, patient: str, params: PipelineParams, range_ns: Sequence[int]
) -> str:
    """Return the version to fill: one that was begun alike and not finished, else a new one.

    Its name is the algorithm's id and a number, so that live results of the same algorithm join
    it once it is current (`storage.result_book.written_as`).
    """
    stem = params.algorithm_id
    known = [row for row in book.algorithms(patient) if row.algo.startswith(f"{stem}.")]
    for row in known:
        if not row.complete and list(row.params.get(_RANGE, ())) == list(range_ns):
            return row.algo
    taken = [int(n) for row in known if (n := row.algo.removeprefix(f"{stem}.")).isdecimal()]
    algo = f"{stem}.{max(taken, default=1) + 1}"
    book.register(
        patient,
        algo,
        version=ALGORITHM_VERSION,
        params_hash=params.hash,
        params={"params": state.encode(params), _RANGE: list(range_ns)},
        complete=False,
    )
    return algo


def finish_version(book: ResultBook, patient: str, algo: str) -> None:
    """Say that a version holds all there is, without making it current."""
    (row,) = [row for row in book.algorithms(patient) if row.algo == algo]
    book.register(
        patient, algo, version=row.version, params_hash=row.params_hash, params=row.params
    )


def same_algorithm(row: AlgorithmRow | None, params: PipelineParams) -> bool:
    """Whether a version was made by this algorithm with these parameters."""
    return row is not None and row.algo.split(".")[0] == params.algorithm_id


def current_row(book: ResultBook, patient: str) -> AlgorithmRow | None:
    """Return the version that is read when none is named."""
    return next((row for row in book.algorithms(patient) if row.current), None)


def params_of(row: AlgorithmRow) -> PipelineParams:
    """Return the parameters that a version was made with.

    Raises
    ------
    ReprocessError
        It was made by another version of the program, whose parameters differ.
    """
    try:
        params = state.decode(row.params["params"])
    except Exception as error:
        raise ReprocessError(f"the parameters of version {row.algo} are not known here") from error
    if not isinstance(params, PipelineParams):
        raise ReprocessError(f"the parameters of version {row.algo} are not known here")
    return params


def copy_results(
    store: ResultStore, patient: str, old: str, new: str, t0_ns: int, t1_ns: int
) -> int:
    """Copy one version's results of [t0, t1) to another; return the last time with angles, or t0.

    Rows of longer spans (minute, quarter hour) that contain t0 are copied too, and so are
    episodes that have not ended at t0.
    """
    t1_ns = min(t1_ns, time.time_ns() + DAY_NS)
    last_ns = t0_ns
    for begin in range(t0_ns, t1_ns, DAY_NS):
        end = min(begin + DAY_NS, t1_ns)
        angles = store.angles(patient, begin // SECOND_NS * SECOND_NS, end, algo=old)
        minutes = store.minutes(patient, begin // MINUTE_NS * MINUTE_NS, end, algo=old)
        episodes = [
            episode
            for episode in store.episodes(patient, begin - LONGEST_EPISODE_NS, end, algo=old)
            if episode.end_ns >= begin
        ]
        batch = ResultBatch(
            patient,
            new,
            angles=angles if len(angles.t_ns) else None,
            minutes=tuple(restore(MinuteSummary, row) for row in minutes),
            episodes=episodes,
            cells=_cells(store, patient, old, begin, end) if minutes else (),
        )
        if minutes or len(angles.t_ns) or episodes:
            store.put(batch)
        if len(angles.t_ns):
            last_ns = int(angles.t_ns[-1]) + SECOND_NS - 1
    store.full_rate.copy(patient, old, new, t0_ns // SECOND_NS * SECOND_NS, t1_ns)
    return last_ns


def _cells(
    store: ResultStore, patient: str, algo: str, t0_ns: int, t1_ns: int
) -> tuple[PostureCell, ...]:
    first = t0_ns // CELL_SPAN_NS * CELL_SPAN_NS
    quarters = [(t, t + CELL_SPAN_NS) for t in range(first, t1_ns, CELL_SPAN_NS)]
    return tuple(
        cell
        for plane in PLANES
        for found in store.cells(patient, quarters, plane=plane, algo=algo)
        for cell in found
    )
