"""A set of integers held as disjoint half-open ranges."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class RangeSet:
    """Integers as sorted, disjoint, non-touching ranges [a, b)."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for a, b in ranges:
            self.add(a, b)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, a: int, b: int) -> None:
        """Add [a, b), joining ranges that touch."""
        if b <= a:
            return
        first = bisect_left(self._ends, a)
        last = bisect_right(self._starts, b)
        if first < last:
            a = min(a, self._starts[first])
            b = max(b, self._ends[last - 1])
        self._starts[first:last] = [a]
        self._ends[first:last] = [b]

    def missing(self, a: int, b: int) -> list[tuple[int, int]]:
        """Return the parts of [a, b) that are not in the set, in order."""
        parts: list[tuple[int, int]] = []
        at = bisect_right(self._ends, a)
        while a < b:
            if at == len(self._starts) or self._starts[at] >= b:
                parts.append((a, b))
                break
            if self._starts[at] > a:
                parts.append((a, self._starts[at]))
            a = self._ends[at]
            at += 1
        return parts

    def total(self) -> int:
        """Return the number of integers in the set."""
        return sum(self._ends) - sum(self._starts)
