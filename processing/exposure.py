"""Histograms of exposure: exact integer counts that add up over minutes, hours and days.

Percentiles of a sum of histograms are those of the joined samples to within a bin, whatever the
order of adding; no sketch, no forgetting.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from processing._jit import kernel
from processing.errors import InputError
from processing.types import FloatArray, IntArray


@kernel()
def _positions(counts: IntArray, parts: tuple[float, ...]) -> FloatArray:
    """Return where each quantile lies in bins from the first one, -1 without samples."""
    total = 0
    for i in range(counts.shape[0]):
        total += counts[i]
    found = np.full(len(parts), -1.0)
    for j in range(len(parts)):
        rank = parts[j] * total
        before = 0
        for i in range(counts.shape[0]):
            if counts[i] > 0 and before + counts[i] >= rank:
                found[j] = i + (rank - before) / counts[i]
                break
            before += counts[i]
    return found


def histogram_quantile(counts: IntArray, q: float, low: float, width: float) -> float | None:
    """Return the q-quantile (0..1) of binned samples, None without samples.

    Parameters
    ----------
    counts : (n,) int64
        Samples per bin; bin i spans low + i width .. low + (i + 1) width.
    q : float
        0.5 for the median.
    low, width : float
        Lower edge of the first bin and width of all, in the unit of the samples.

    Notes
    -----
    Samples are taken as evenly spread inside their bin; the error is below one width.
    """
    return histogram_quantiles(counts, (q,), low, width)[0]


def histogram_quantiles(
    counts: IntArray, parts: tuple[float, ...], low: float, width: float
) -> list[float | None]:
    """Return several quantiles as `histogram_quantile` does one, for the price of little more."""
    return [None if at < 0.0 else low + width * at for at in _positions(counts, parts).tolist()]


def pack(counts: IntArray, first_bin: int) -> str:
    """Return a histogram as text ``first;count,count,...``, empty without samples.

    Parameters
    ----------
    counts : (n,) int64
        Samples per bin.
    first_bin : int
        Number of the first bin: its lower edge in bin widths.
    """
    text = np.empty(_DIGITS * counts.shape[0], dtype=np.uint8)
    begin, length = _write(counts, text)
    if length == 0:
        return ""
    return f"{first_bin + begin};{text[:length].tobytes().decode('ascii')}"


_DIGITS: Final = 20
"""Characters that a count may take, its comma included."""


@kernel()
def _write(counts: IntArray, text: NDArray[np.uint8]) -> tuple[int, int]:
    """Write the counts from the first to the last that is not 0; return that first and the length.

    Joining them in Python costs as much as counting a minute's rows.
    """
    begin, end = 0, counts.shape[0]
    while begin < end and counts[begin] == 0:
        begin += 1
    while end > begin and counts[end - 1] == 0:
        end -= 1
    at = 0
    for i in range(begin, end):
        digits = 1
        rest = counts[i] // 10
        while rest > 0:
            digits += 1
            rest //= 10
        rest = counts[i]
        for place in range(at + digits - 1, at - 1, -1):
            text[place] = 48 + rest % 10
            rest //= 10
        text[at + digits] = 44
        at += digits + 1
    return begin, max(0, at - 1)


def unpack_into(text: str, counts: IntArray, first_bin: int) -> None:
    """Add a packed histogram to `counts`, whose first bin has the number `first_bin`.

    Raises
    ------
    InputError
        The text is no packed histogram, or reaches beyond `counts`.
    """
    if not text:
        return
    try:
        begin_text, fields = text.split(";")
        begin = int(begin_text) - first_bin
        values = [int(field) for field in fields.split(",")]
    except ValueError as error:
        raise InputError(f"no packed histogram: {text[:40]!r}") from error
    if begin < 0 or begin + len(values) > counts.shape[0]:
        raise InputError(f"histogram bins outside the range: {text[:40]!r}")
    counts[begin : begin + len(values)] += np.array(values, dtype=np.int64)
