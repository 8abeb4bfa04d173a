"""Full-rate angles: in the data folder, and alike whichever store is configured."""

import numpy as np

from storage.result_rows import FullRate, ResultBatch
from storage.results import ResultStore
from tests.support.results import ALGO, T0_NS

STEP_NS = 10_000_000


def rows(a: int, b: int, value: float = 1.0) -> FullRate:
    n = b - a
    q = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
    times = T0_NS + np.arange(a, b) * STEP_NS
    return FullRate(times, np.full((n, 4), value), np.ones(n), q, np.ones(n, np.bool_))


def held(store: ResultStore, patient: str = "p1", algo: str | None = None) -> int:
    return sum(len(part.t_ns) for part in store.full_rate.read(patient, 0, 2**62, algo=algo))


def test_they_follow_their_version_and_patient(store: ResultStore) -> None:
    for patient in ("p1", "p2"):
        store.put(ResultBatch(patient, ALGO, full_rate=rows(0, 300)))
        store.put(ResultBatch(patient, f"{ALGO}.2", full_rate=rows(0, 200, 2.0)))
    assert held(store) == 300
    store.book.switch("p1", f"{ALGO}.2")
    assert held(store) == 200
    store.put(ResultBatch("p1", ALGO, full_rate=rows(300, 400)))
    assert held(store) == 300, "live rows join the version that is current"
    store.remove_algorithm("p1", ALGO)
    assert held(store, algo=ALGO) == 0
    store.delete("p1", T0_NS + 100 * STEP_NS, T0_NS + 350 * STEP_NS)
    assert held(store) == 150
    store.put(
        ResultBatch("p1", ALGO, full_rate=rows(100, 120)),
        replace_ns=(T0_NS, T0_NS + 150 * STEP_NS),
    )
    assert held(store) == 70
    store.delete_patient("p1")
    assert held(store) == held(store, algo=f"{ALGO}.2") == 0
    assert held(store, "p2") == 300
