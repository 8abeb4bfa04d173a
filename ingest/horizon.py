"""How long rows of one sensor wait for the other's samples."""

from collections import deque

HORIZON_S = 2.0
"""Shorter shows the angles of one sensor sooner when the other is silent; longer bears longer
pauses of a link. Default 2.0 s: links pause for up to a second beside other radios."""


class Horizon:
    """Finds up to when a silent sensor is missing for good, as live processing goes on.

    A row waits `HORIZON_S` from when it came, not from when it was measured: after a link was
    lost, or a program started beside sensors that went on, seconds of samples come at once, and
    those of one sensor come first.
    """

    def __init__(self) -> None:
        self._heard: deque[tuple[int, int]] = deque()

    def forget(self) -> None:
        """Begin anew: what comes next begins to wait."""
        self._heard.clear()

    def reached(self, now_ns: int, heard_ns: int) -> int | None:
        """Return the time before which samples are missing for good; None where none are.

        Parameters
        ----------
        now_ns : int
            Present UTC; later than at the last call.
        heard_ns : int
            Time of the newest sample of any sensor. While all are silent the horizon rests: they
            may be out of reach, or the record may end here.
        """
        self._heard.append((now_ns, heard_ns))
        before_ns = now_ns - round(HORIZON_S * 1e9)
        while len(self._heard) > 1 and self._heard[1][0] <= before_ns:
            self._heard.popleft()
        first_ns, waited_ns = self._heard[0]
        if first_ns > before_ns:
            return None
        return min(waited_ns, resting(heard_ns))


def resting(heard_ns: int) -> int:
    """Return the horizon where everything up to a time is known to have come."""
    return heard_ns - round(HORIZON_S * 1e9)
