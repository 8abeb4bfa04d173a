"""When a sensor's clock is compared with the host's by a round trip."""

_STEPS_S = ((60.0, 2.0), (120.0, 10.0))
"""Up to this age of the stream, so often. The best of few exchanges is a poor bound: of six in the
first minute the fastest still waits 6 ms for its connection event, of thirty 3 ms."""
_LATER_S = 60.0


def sync_interval_s(age_s: float) -> float:
    """Return the time from one round trip to the next for a stream of an age, both in s."""
    for until_s, interval_s in _STEPS_S:
        if age_s < until_s:
            return interval_s
    return _LATER_S
