"""What commands print: a result once, progress only to a person at a terminal."""

import json
import sys
import time
from types import TracebackType
from typing import Any

import click


def emit(result: dict[str, Any], *, as_json: bool, text: str) -> None:
    """Print a command's result on standard output, as JSON or as text."""
    click.echo(json.dumps(result, indent=2, default=str) if as_json else text)


class Progress:
    """One line on standard error that is rewritten while work goes on.

    Writes nothing where standard error is no terminal, so logs and pipes stay clean.

    Parameters
    ----------
    label : str
        What is going on.
    """

    _INTERVAL_S = 0.1

    def __init__(self, label: str) -> None:
        self._label = label
        self._active = sys.stderr.isatty()
        self._start_s = time.monotonic()
        self._drawn_s = 0.0

    def __enter__(self) -> "Progress":
        self.update(None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def update(self, fraction: float | None, note: str = "") -> None:
        """Show how much is done (0..1, None where unknown) and the time left."""
        now_s = time.monotonic()
        finished = fraction is not None and fraction >= 1.0
        if not self._active or (now_s - self._drawn_s < self._INTERVAL_S and not finished):
            return
        self._drawn_s = now_s
        elapsed_s = now_s - self._start_s
        line = self._label
        if fraction is not None:
            filled = round(20 * min(max(fraction, 0.0), 1.0))
            line += f" [{'#' * filled}{'.' * (20 - filled)}] {fraction:4.0%}"
            if 0.05 < fraction < 1.0 and elapsed_s > 2.0:
                line += f", {elapsed_s * (1.0 - fraction) / fraction:.0f} s left"
        if note:
            line += f"  {note}"
        click.echo(f"\r\x1b[2K{line}", nl=False, err=True)

    def close(self) -> None:
        """Remove the line."""
        if self._active:
            click.echo("\r\x1b[2K", nl=False, err=True)
