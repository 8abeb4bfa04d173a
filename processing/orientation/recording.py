"""What the filter writes down for the smoother, and how the two are joined."""

from dataclasses import dataclass

import numpy as np

from processing.orientation.layout import BATCH, N_ERROR, N_PAIR
from processing.orientation.smoother import correct_attitude, sweep_back
from processing.orientation.window import LOG_AFTER, LOG_BEFORE, log_width
from processing.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Recording:
    """Log of windows and tape of measurements; empty where nothing is to be smoothed."""

    log: FloatArray
    """(windows, sensors, `log_width`)."""
    marks: IntArray
    """(windows + 1,) first row of the tape of each window."""
    tape: FloatArray
    """(rows, 2 n + 2) one row per scalar measurement."""
    used: IntArray
    """(2,) rows of the tape and of the log in use."""

    @classmethod
    def of(cls, windows: int, sensors: int, n: int | None = None) -> "Recording":
        """Return room for a number of windows, of `n` error states if they are not the usual."""
        n = n or (N_ERROR if sensors == 1 else N_PAIR)
        return cls(
            log=np.zeros((windows, sensors, log_width(n))),
            marks=np.zeros(windows + 1, dtype=np.int64),
            tape=np.zeros(((BATCH + 1) * windows, 2 * n + 2)),
            used=np.zeros(2, dtype=np.int64),
        )

    @property
    def arrays(self) -> tuple[FloatArray, IntArray, FloatArray, IntArray]:
        """The last arguments of `window.run`."""
        return self.log, self.marks, self.tape, self.used

    @property
    def passages(self) -> FloatArray:
        """(windows, sensors, 8) attitudes before and after the corrections of each window."""
        return self.log[: self.used[1], :, LOG_BEFORE : LOG_AFTER + 4].copy()


def swept(
    recording: Recording, adjoint: FloatArray, L: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return smoothed attitude errors (windows, sensors, 3) and heading variances (windows,).

    `adjoint` (1, n) and `L` (n, n, or no rows) are carried from one recording to the one before.
    """
    windows, sensors = int(recording.used[1]), recording.log.shape[1]
    error = np.zeros((windows, sensors, 3))
    variance = np.zeros(windows)
    sweep_back(recording.log, recording.marks, recording.tape, windows, adjoint, L, error, variance)
    return error, variance


def smooth_rows(
    q: FloatArray, first: int, window: int, passages: FloatArray, error: FloatArray
) -> None:
    """Correct one sensor's attitudes (n, 4) in place; see `correct_attitude`."""
    before = np.ascontiguousarray(passages[:, :4])
    after = np.ascontiguousarray(passages[:, 4:8])
    correct_attitude(q, first, window, before, after, np.ascontiguousarray(error))
