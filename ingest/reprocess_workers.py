"""Independent pieces of work on this process, on a pool of processes, or on a Dask cluster.

Results come back in the order of the calls, so that whoever stores them can go on where it was
stopped. A worker that dies costs the piece it had; the piece is done again elsewhere.
"""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any, Protocol, TypeVar

from ingest.errors import ReprocessError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

AHEAD = 1
"""Pieces beyond the number of workers that may wait, done, for one before them; bounds memory."""
BREAKS = 3
"""Times that a worker may die at the same piece of work."""


class _Promise(Protocol[T_co]):
    def result(self) -> T_co: ...


def in_order(
    function: Callable[..., T],
    calls: Sequence[tuple[Any, ...]],
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Generator[T, None, None]:
    """Yield `function(*call)` for every call, in order.

    Parameters
    ----------
    function : callable
        Of a module, so that another process can import it.
    workers : int
        Processes; 1 works in this one.
    scheduler : str, optional
        Address of a Dask scheduler (``tcp://...``), whose workers see the same files.

    Raises
    ------
    ReprocessError
        Dask is not installed or does not answer, or workers die again and again.
    """
    if scheduler is not None:
        yield from _on_dask(function, calls, scheduler)
    elif workers <= 1 or len(calls) <= 1:
        for call in calls:
            yield function(*call)
    else:
        yield from _on_pool(function, calls, min(workers, len(calls)))


def _windowed(
    submit: Callable[[tuple[Any, ...]], _Promise[T]], calls: Sequence[tuple[Any, ...]], width: int
) -> Generator[T, None, None]:
    under_way: deque[_Promise[T]] = deque()
    for call in calls:
        under_way.append(submit(call))
        if len(under_way) >= width:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _on_pool(
    function: Callable[..., T], calls: Sequence[tuple[Any, ...]], workers: int
) -> Generator[T, None, None]:
    done = breaks = 0
    while done < len(calls):
        with _pool(workers) as pool:

            def submit(call: tuple[Any, ...], pool: ProcessPoolExecutor = pool) -> "Future[T]":
                return pool.submit(function, *call)

            try:
                for result in _windowed(submit, calls[done:], workers + AHEAD):
                    done, breaks = done + 1, 0
                    yield result
            except BrokenProcessPool as error:
                breaks += 1
                if breaks >= BREAKS:
                    raise ReprocessError(
                        f"a worker process died {BREAKS} times at the same wear session",
                        remedy="It may need more memory: try --workers 1.",
                    ) from error


@contextmanager
def _pool(workers: int) -> Generator[ProcessPoolExecutor, None, None]:
    # not forked: this process has threads, and a copy of their locks would hang
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker when the process that started it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _on_dask(
    function: Callable[..., T], calls: Sequence[tuple[Any, ...]], scheduler: str
) -> Generator[T, None, None]:
    try:
        import distributed
    except ImportError as error:
        raise ReprocessError(
            "--scheduler needs Dask, which is not installed",
            remedy="Install the extra `cohort`: pip install 'dask[distributed]'.",
        ) from error
    connect: Any = distributed.Client  # Dask's functions carry no types
    try:
        client = connect(scheduler, timeout=10.0, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ReprocessError(
            f"the Dask scheduler at {scheduler} does not answer",
            remedy="Check the address, and that the scheduler runs.",
        ) from error
    with client:
        threads = sum(client.nthreads().values())

        def submit(call: tuple[Any, ...]) -> _Promise[T]:
            promise: _Promise[T] = client.submit(function, *call, pure=False, retries=BREAKS)
            return promise

        yield from _windowed(submit, calls, max(threads, 1) + AHEAD)
