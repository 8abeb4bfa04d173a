"""Compiling the numeric kernels while somebody waits: told how far it is, and free to leave."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final

from ingest.warm_up import compile_chain, compiled_kernels
from processing.pipeline import PipelineParams, Setup

COMPILING: Final = "Compiling for this computer (first start of a version: 2 to 4 minutes)"
LOOK_EVERY_S: Final = 0.25


async def compile_first(
    params: PipelineParams, setup: Setup, stop: asyncio.Event, told: Callable[[int, int], None]
) -> bool:
    """Compile what is not compiled yet; return False where a person stopped it.

    Parameters
    ----------
    params : PipelineParams
    setup : Setup
    stop : asyncio.Event
    told : callable
        Gets the kernels that are ready and all that there are, again and again.
    """
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    failed: list[BaseException] = []

    def compile_all() -> None:
        try:
            compile_chain(params, setup)
        except BaseException as error:
            failed.append(error)
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(done.set)

    # a daemon, because a compiler cannot be interrupted and the program must still end
    threading.Thread(target=compile_all, name="compile", daemon=True).start()
    while not done.is_set() and not stop.is_set():
        told(*compiled_kernels())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), LOOK_EVERY_S)
    if failed:
        raise failed[0]
    return not stop.is_set()
