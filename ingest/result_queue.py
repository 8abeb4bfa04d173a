"""Results on their way to the store: in order, and only after the samples that they rest on."""

import dataclasses
import logging
from collections import deque

from storage.result_rows import ResultBatch
from storage.results import ResultStore

_log = logging.getLogger("ingest.processor")

MOST_WAITING = 600
"""Results (about one a second) that wait for their store with all their rows; later ones keep the
1 Hz grid only."""


class ResultQueue:
    """Results that wait for their samples or for their store; filled and stored by one thread.

    Parameters
    ----------
    store : ResultStore or None
        None: nothing is stored.
    """

    def __init__(self, store: ResultStore | None) -> None:
        self._store = store
        self._waiting: deque[tuple[int, ResultBatch, tuple[int, int] | None]] = deque()
        self._committed = 0
        self.error = ""
        """Why results are not stored at present; empty while they are."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(
        self, ticket: int, results: ResultBatch, replaces_ns: tuple[int, int] | None = None
    ) -> None:
        """Take results that rest on samples up to a ticket, in place of those of a time."""
        if self._store is None:
            return
        if len(self._waiting) >= MOST_WAITING:
            # a store that is away for long must not fill the memory; the record makes them again
            results = dataclasses.replace(results, full_rate=None)
        self._waiting.append((ticket, results, replaces_ns))

    def committed(self, ticket: int) -> None:
        """Note that samples up to a ticket are durable; may be called from any thread."""
        self._committed = max(self._committed, ticket)

    def store_due(self) -> None:
        """Store results in order, as far as their samples are committed."""
        if self._store is None:
            return
        while self._waiting and self._waiting[0][0] <= self._committed:
            _, batch, replaces_ns = self._waiting[0]
            try:
                self._store.put(batch, replace_ns=replaces_ns)
            except Exception as error:
                # they stay in order and are tried again; they can also be rebuilt from the record
                said = first_line(error)
                if said != self.error:
                    _log.exception("results cannot be stored; they wait")
                self.error = said
                return
            self.error = ""
            self._waiting.popleft()


def first_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
