"""The posture map in storage: cells of a quarter hour packed to one blob, and their sum."""

from collections.abc import Iterable, Sequence

import numpy as np

from processing.summary.types import CELL_DEG, PostureCell
from processing.types import FloatArray


def pack_cells(cells: Sequence[PostureCell]) -> list[tuple[int, bytes]]:
    """Return (t_ns, blob) per quarter hour; the blob is (n, 3) float32 little-endian.

    The columns are the numbers of the rotation and lateral bins and the seconds.
    """
    rows: dict[int, list[tuple[int, int, float]]] = {}
    for cell in cells:
        rows.setdefault(int(cell.t_ns), []).append(
            (cell_number(cell.rotation_deg), cell_number(cell.lateral_deg), float(cell.seconds))
        )
    return [(t, np.array(found, dtype="<f4").tobytes()) for t, found in rows.items()]


def unpack_cells(blobs: Iterable[bytes]) -> FloatArray:
    """Return the rows of `pack_cells` blobs, (n, 3)."""
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(-1, 3).astype(np.float64)


def summed_cells(rows: FloatArray, t_ns: int) -> list[PostureCell]:
    """Return one cell per occupied place, by rotation and then lateral tilt.

    Parameters
    ----------
    rows : (n, 3) float64
        Rotation bin, lateral bin, seconds.
    t_ns : int
        Time to give all of them.
    """
    if not len(rows):
        return []
    places, inverse = np.unique(rows[:, :2], axis=0, return_inverse=True)
    seconds = np.bincount(inverse.ravel(), weights=rows[:, 2])
    return [
        PostureCell(t_ns, place[0] * CELL_DEG, place[1] * CELL_DEG, total)
        for place, total in zip(places.tolist(), seconds.tolist(), strict=True)
        if total > 0.0
    ]


def cell_number(edge_deg: float) -> int:
    """Return the number of the bin with this lower edge."""
    return round(edge_deg / CELL_DEG)
