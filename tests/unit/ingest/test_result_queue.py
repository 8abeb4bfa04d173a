"""Results wait for their samples, then for their store, in order and in bounded memory."""

import numpy as np

from ingest import result_queue
from ingest.result_queue import ResultQueue
from storage.result_rows import FullRate, ResultBatch


class Store:
    """Keeps what it is given, or refuses."""

    def __init__(self) -> None:
        self.kept: list[tuple[ResultBatch, tuple[int, int] | None]] = []
        self.refuses = ""

    def put(self, batch: ResultBatch, *, replace_ns: tuple[int, int] | None = None) -> None:
        if self.refuses:
            raise OSError(self.refuses)
        self.kept.append((batch, replace_ns))


def results(k: int) -> ResultBatch:
    one = np.zeros(1)
    rows = FullRate(np.array([k]), np.zeros((1, 4)), one, np.zeros((1, 4)), one == 0.0)
    return ResultBatch("p1", f"algo-{k}", full_rate=rows)


def test_results_are_stored_in_order_after_their_samples() -> None:
    store = Store()
    queue = ResultQueue(store)  # type: ignore[arg-type] # the one method that it needs
    for k in range(4):
        queue.put(k, results(k), (0, k) if k == 2 else None)
    queue.committed(2)
    queue.committed(1)  # an earlier one that was told late takes nothing back
    queue.store_due()
    assert [batch.algo for batch, _ in store.kept] == ["algo-0", "algo-1", "algo-2"]
    assert [replaced for _, replaced in store.kept] == [None, None, (0, 2)]
    assert len(queue) == 1


def test_a_store_that_refuses_is_named_and_tried_again() -> None:
    store = Store()
    queue = ResultQueue(store)  # type: ignore[arg-type] # the one method that it needs
    store.refuses = "no space\nsecond line"
    queue.put(0, results(0))
    queue.store_due()
    assert (queue.error, len(queue)) == ("no space", 1)
    store.refuses = ""
    queue.store_due()
    assert (queue.error, len(queue)) == ("", 0)


def test_many_waiting_results_keep_the_seconds_only() -> None:
    queue = ResultQueue(store := Store())  # type: ignore[arg-type] # the one method that it needs
    for k in range(result_queue.MOST_WAITING + 5):
        queue.put(k, results(k))
    queue.committed(10**6)
    queue.store_due()
    assert sum(batch.full_rate is None for batch, _ in store.kept) == 5
    nothing = ResultQueue(None)
    nothing.put(0, results(0))
    assert len(nothing) == 0
