"""Awaiting something that a stop request may cut short."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import TypeVar

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

    async def unless(self, operation: Awaitable[_T], *, timeout_s: float | None = None) -> _T:
        """Await an operation; a stop request cancels it.

        Raises
        ------
        StopRequestedError
            The task is to end.
        TimeoutError
            `timeout_s` passed first.
        """
        work = asyncio.ensure_future(operation)
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait(
                {work, asked}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if work.done():
                return work.result()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await work
            if self.requested:
                raise StopRequestedError
            raise TimeoutError(f"The sensor did not answer within {timeout_s:.0f} s.")
        finally:
            asked.cancel()
            work.cancel()
