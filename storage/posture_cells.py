"""The posture map in storage: cells of a quarter hour packed to one blob per plane, and sums."""

from collections.abc import Iterable, Sequence

import numpy as np

from processing.summary.types import CELL_DEG, CELL_SPAN_NS, Plane, PostureCell
from processing.types import FloatArray, IntArray

RangeNs = tuple[int, int]
_ROW, _ZERO = 128, 64
"""A place as one number: bins of both angles lie within -64..63."""


def pack_cells(cells: Iterable[PostureCell]) -> list[tuple[Plane, int, bytes]]:
    """Return (plane, t_ns, blob) per plane and quarter hour; the blob is (n, 3) float32.

    Its columns are the numbers of the rotation bin and the other bin, and the seconds;
    little-endian.
    """
    rows: dict[tuple[Plane, int], list[tuple[float, float, float]]] = {}
    for cell in cells:
        key = cell.plane, cell.t_ns
        rows.setdefault(key, []).append((cell.rotation_deg, cell.other_deg, cell.seconds))
    packed: list[tuple[Plane, int, bytes]] = []
    for (plane, t_ns), found in rows.items():
        columns = np.array(found)
        columns[:, :2] = np.rint(columns[:, :2] / CELL_DEG)
        packed.append((plane, int(t_ns), columns.astype("<f4").tobytes()))
    return packed


def unpack_cells(rows: Sequence[tuple[int, bytes]]) -> tuple[IntArray, FloatArray]:
    """Return rows (t_ns, blob) of `pack_cells` as the quarter hours (n,) and the cells (n, 3)."""
    cells = np.frombuffer(b"".join(blob for _, blob in rows), dtype="<f4").reshape(-1, 3)
    counts = [len(blob) // 12 for _, blob in rows]
    quarters = np.repeat(np.array([t for t, _ in rows], dtype=np.int64), counts)
    return quarters, cells.astype(np.float64)


def summed_cells(
    t_ns: IntArray, rows: FloatArray, ranges_ns: Sequence[RangeNs], plane: Plane
) -> list[list[PostureCell]]:
    """Return per range one cell per occupied place, by rotation and then the other angle.

    Parameters
    ----------
    t_ns : (n,) int64
        Quarter hours, in any order.
    rows : (n, 3) float64
        Rotation bin, other bin, seconds.
    ranges_ns : sequence of (int, int)
        Half open; each cell of a range gets its beginning as time.
    """
    order = np.argsort(t_ns, kind="stable")
    times, cells = t_ns[order], rows[order]
    return [
        _summed(cells[slice(*np.searchsorted(times, (t0, t1)))], t0, plane) for t0, t1 in ranges_ns
    ]


def _summed(rows: FloatArray, t_ns: int, plane: Plane) -> list[PostureCell]:
    if not len(rows):
        return []
    places = ((rows[:, 0] + _ZERO) * _ROW + rows[:, 1] + _ZERO).astype(np.int64)
    seconds = np.bincount(places, weights=rows[:, 2])
    return [
        PostureCell(
            t_ns,
            (place // _ROW - _ZERO) * CELL_DEG,
            (place % _ROW - _ZERO) * CELL_DEG,
            float(seconds[place]),
            plane,
        )
        for place in np.flatnonzero(seconds > 0.0).tolist()
    ]


def quarters_of(ranges_ns: Sequence[RangeNs]) -> RangeNs:
    """Return the least range that holds every quarter hour that begins in one of the ranges."""
    t0 = min((a for a, _ in ranges_ns), default=0)
    t1 = max((b for _, b in ranges_ns), default=0)
    return -(-t0 // CELL_SPAN_NS) * CELL_SPAN_NS, -(-t1 // CELL_SPAN_NS) * CELL_SPAN_NS


def cell_number(edge_deg: float) -> int:
    """Return the number of the bin with this lower edge."""
    return round(edge_deg / CELL_DEG)
