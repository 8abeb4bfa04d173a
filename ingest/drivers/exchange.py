"""Command and answer over notifications that may get lost: time out, repeat, then give up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ingest.errors import CommandTimeoutError

_T = TypeVar("_T")


class Exchange(Generic[_T]):
    """One outstanding command; answers are offered by the notification callback.

    Parameters
    ----------
    answer_s
        Wait for one answer. Shorter repeats needlessly on slow links, longer delays a start.
    repeats
        Further attempts; commands must be harmless to repeat.
    """

    def __init__(self, *, answer_s: float = 3.0, repeats: int = 3) -> None:
        self._answer_s = answer_s
        self._repeats = repeats
        self._lock = asyncio.Lock()
        self._pending: tuple[Callable[[_T], bool], asyncio.Future[_T]] | None = None
        self.repeated = 0
        """Commands that had to be sent again."""

    async def ask(
        self, name: str, send: Callable[[], Awaitable[None]], matches: Callable[[_T], bool]
    ) -> _T:
        """Send a command and return the first answer that matches.

        Raises
        ------
        CommandTimeoutError
            No answer after all repeats.
        """
        async with self._lock:
            answered: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
            self._pending = (matches, answered)
            try:
                for attempt in range(self._repeats + 1):
                    self.repeated += attempt > 0
                    await send()
                    done, _ = await asyncio.wait({answered}, timeout=self._answer_s)
                    if done:
                        return answered.result()
            finally:
                self._pending = None
                answered.cancel()
        raise CommandTimeoutError(
            f"The sensor did not answer {name} within "
            f"{self._answer_s * (self._repeats + 1):.0f} s.",
            command=name,
        )

    def offer(self, message: _T) -> bool:
        """Hand over an answer; return whether somebody waits for it."""
        if self._pending is None or not self._pending[0](message):
            return False
        if not self._pending[1].done():
            self._pending[1].set_result(message)
        return True
