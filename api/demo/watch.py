"""The parent's side of the history: starts the child process, follows it, ends it."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from api.runtime import HistoryProgress

LAST_WORDS = 2000
"""Characters of the child's standard error that are kept for the reason of a failure."""


async def follow_history(
    folder: Path, zone: str, first_boot: int, report: Callable[[HistoryProgress], None]
) -> None:
    """Make the history in a child process; cancelling ends the child.

    Parameters
    ----------
    folder : Path
        Data folder.
    zone : str
        The patient's time zone.
    first_boot : int
        Boot counter of the virtual sensors on the oldest day.
    report : callable
        Told every step.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.demo.history", str(folder), zone, str(first_boot)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    words = asyncio.create_task(child.stderr.read())
    latest = HistoryProgress(state="running")
    report(latest)
    try:
        async for line in child.stdout:
            latest = _progress(json.loads(line))
            report(latest)
        code = await child.wait()
        if code == 0:
            report(latest.model_copy(update={"state": "done"}))
        else:
            said = (await words).decode(errors="replace").strip()[-LAST_WORDS:]
            reason = said.splitlines()[-1] if said else f"it ended with code {code}"
            report(latest.model_copy(update={"state": "failed", "reason": reason}))
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await asyncio.shield(child.wait())
        words.cancel()


def _progress(line: dict[str, object]) -> HistoryProgress:
    known = {name: value for name, value in line.items() if name in HistoryProgress.model_fields}
    return HistoryProgress.model_validate({"state": "running", **known})
