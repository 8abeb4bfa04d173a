"""Whether head and trunk sensor are exchanged: the head is the one that nods, and moves more."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from processing.alignment.movements import motion_deg
from processing.alignment.neutral import span_rows
from processing.types import FloatArray, PairBlock, Span

SWAP_RATIO: Final = 2.0
"""The other sensor turned this many times more during nod and shake: they are swapped."""
LEAST_MOTION_DEG: Final = 20.0
"""...and by no less than two timid nods."""
EXCHANGE: Final = (
    "wear them the other way round, or in a recording exchange the tracked points head and trunk"
)

HINT_RATIO: Final = 1.5
"""The trunk sensor turned this many times more all day long. A head that goes along and moves of
itself turns more than its trunk: simulated patients 4 times or more sitting, the one real recording
1.9 times."""
WINDOW_S: Final = 10.0
HINT_LEAST_S: Final = 60.0
WALKING_MS2: Final = 1.0
"""Standard deviation of the specific force above which a window is walking or the like, in which
both turn alike."""


def nodded_with_the_trunk(pair: PairBlock, spans: Sequence[Span]) -> bool:
    """Return whether the sensor called trunk is the one that nodded."""
    head = trunk = 0.0
    for span in spans:
        if span.kind in ("nod", "shake"):
            start, stop = span_rows(pair, span)
            both = pair.head_valid[start:stop] & pair.trunk_valid[start:stop]
            head += motion_deg(pair.head_gyr[start:stop][both], pair.rate_hz)
            trunk += motion_deg(pair.trunk_gyr[start:stop][both], pair.rate_hz)
    return trunk > SWAP_RATIO * head and trunk > LEAST_MOTION_DEG


def perhaps_swapped(pair: PairBlock) -> str:
    """Return a sentence where the trunk sensor moves as heads do, empty where not."""
    width = round(WINDOW_S * pair.rate_hz)
    head = trunk = seconds = 0.0
    both = pair.head_valid & pair.trunk_valid
    for start in range(0, both.shape[0] - width + 1, width):
        rows = slice(start, start + width)
        if not both[rows].all() or _walks(pair.head_acc[rows]) or _walks(pair.trunk_acc[rows]):
            continue
        turned = (
            motion_deg(pair.head_gyr[rows], pair.rate_hz),
            motion_deg(pair.trunk_gyr[rows], pair.rate_hz),
        )
        if max(turned) < LEAST_MOTION_DEG:
            continue
        head, trunk, seconds = head + turned[0], trunk + turned[1], seconds + WINDOW_S
    if seconds < HINT_LEAST_S or trunk < HINT_RATIO * head:
        return ""
    return (
        f"the trunk sensor turned {trunk / max(head, 1.0):.1f} times as much as the head sensor: "
        f"perhaps they are exchanged; then {EXCHANGE}"
    )


def _walks(acc: FloatArray) -> bool:
    return bool(np.std(np.linalg.norm(acc, axis=1)) > WALKING_MS2)
