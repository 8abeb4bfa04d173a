"""Repetitions by looking at the recording at once: cut at silences, then from home to home."""

import numpy as np

from processing.types import FloatArray


def repetitions(
    t_s: FloatArray,
    progress: FloatArray,
    *,
    hold_s: float,
    reach: float = 0.7,
    home: float = 0.3,
    beyond: float = 1.15,
    gap_s: float = 1.0,
) -> list[tuple[float, float, float, float, bool]]:
    """Return (start, end, peak, longest hold, held) of every repetition."""
    known = [i for i in range(len(t_s)) if not np.isnan(progress[i])]
    stretches: list[list[int]] = []
    for i in known:
        if not stretches or t_s[i] - t_s[stretches[-1][-1]] > gap_s:
            stretches.append([])
        stretches[-1].append(i)
    found = []
    for rows in stretches:
        at_home = [i for i in rows if progress[i] <= home]
        begin = at_home[0] if at_home else rows[-1]
        for end in at_home:
            trip = [i for i in rows if begin < i < end]
            begin = end
            if not any(progress[i] >= reach for i in trip):
                continue
            longest = 0.0
            for a in trip:
                for b in trip:
                    inside = np.arange(a, b + 1)
                    band = (progress[inside] >= reach) & (progress[inside] <= beyond)
                    if b > a and band.all():
                        longest = max(longest, float(t_s[b] - t_s[a]))
            peak = max(float(progress[i]) for i in trip)
            found.append((float(t_s[trip[0]]), float(t_s[end]), peak, longest, longest >= hold_s))
    return found
