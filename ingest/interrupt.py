"""Awaiting something that a stop request may cut short."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import TypeVar

from ingest.errors import LinkLostError

_T = TypeVar("_T")


class StopRequestedError(Exception):
    """The task is to end; raised where it waited, caught where it began."""


class Interrupt:
    """A stop request that every wait of one task observes."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    @property
    def requested(self) -> bool:
        """Whether the task is to end."""
        return self._asked.is_set()

    def request(self) -> None:
        """Ask the task to end."""
        self._asked.set()

    async def unless(
        self,
        operation: Awaitable[_T],
        *,
        timeout_s: float | None = None,
        lost: asyncio.Event | None = None,
    ) -> _T:
        """Await an operation; a stop request, or the loss of its link, cancels it.

        Raises
        ------
        StopRequestedError
            The task is to end.
        LinkLostError
            `lost` was set.
        TimeoutError
            `timeout_s` passed first.
        """
        work = asyncio.ensure_future(operation)
        ends = {asyncio.ensure_future(each.wait()) for each in (self._asked, lost) if each}
        try:
            await asyncio.wait(
                {work, *ends}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if work.done():
                return work.result()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await work
            if self.requested:
                raise StopRequestedError
            if lost is not None and lost.is_set():
                raise LinkLostError("The link was lost.")
            raise TimeoutError(f"The sensor did not answer within {timeout_s:.0f} s.")
        finally:
            for end in ends:
                end.cancel()
            work.cancel()
