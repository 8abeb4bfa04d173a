"""A recording's common grid on disk while it is processed, so that memory stays bounded.

Alignment and smoothing look at a recording more than once. Reading and resampling a large file
again each time would be slow, and holding it in memory would need gigabytes; so the grid is written
once to a temporary folder and mapped.
"""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from processing.errors import InputError
from processing.types import BoolArray, FloatArray, PairBlock

_ROWS_3 = ("head_gyr", "head_acc", "trunk_gyr", "trunk_acc")
_ROWS_1 = ("head_valid", "trunk_valid")
_FIELDS = ("head_mag", "trunk_mag")
"""Only where both sensors measure it."""


class GridSpool:
    """Collects consecutive `PairBlock`s and gives them back as one, mapped from disk.

    A context manager: the temporary files go when it closes.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="necktrace-", dir=folder)
        root = Path(self._folder.name)
        self._root = root
        self._files = {name: (root / name).open("w+b") for name in (*_ROWS_3, *_ROWS_1)}
        self._rows = 0
        self._first: PairBlock | None = None

    def append(self, pair: PairBlock) -> None:
        """Add rows that continue those before.

        Raises
        ------
        InputError
            The rows do not continue the ones before.
        """
        if self._first is None and pair.head_gyr.shape[0]:
            self._first = pair
        if self._first is not None and pair.k0 != self._first.k0 + self._rows:
            raise InputError(
                f"grid rows from {pair.k0} do not continue row {self._first.k0 + self._rows}"
            )
        if pair.head_mag is not None and "head_mag" not in self._files:
            for name in _FIELDS:
                self._files[name] = (self._root / name).open("w+b")
                self._files[name].write(np.full((self._rows, 3), np.nan).tobytes())
        for name, file in self._files.items():
            rows = getattr(pair, name)
            if rows is None:
                rows = np.full((pair.head_gyr.shape[0], 3), np.nan)
            file.write(np.ascontiguousarray(rows).tobytes())
        self._rows += pair.head_gyr.shape[0]

    def pair(self) -> PairBlock:
        """Return everything appended so far, mapped read-only.

        Raises
        ------
        InputError
            Nothing was appended: the recording has no usable sample.
        """
        if self._first is None:
            raise InputError("the recording has no usable head sample")
        for file in self._files.values():
            file.flush()
        return PairBlock(
            k0=self._first.k0,
            t0_ns=self._first.t0_ns,
            rate_hz=self._first.rate_hz,
            head_gyr=self._rows_3("head_gyr"),
            head_acc=self._rows_3("head_acc"),
            head_valid=self._rows_1("head_valid"),
            trunk_gyr=self._rows_3("trunk_gyr"),
            trunk_acc=self._rows_3("trunk_acc"),
            trunk_valid=self._rows_1("trunk_valid"),
            **{name: self._rows_3(name) for name in _FIELDS if name in self._files},
        )

    def _rows_3(self, name: str) -> FloatArray:
        return np.memmap(self._files[name], np.float64, "r", shape=(self._rows, 3))

    def _rows_1(self, name: str) -> BoolArray:
        return np.memmap(self._files[name], np.bool_, "r", shape=(self._rows,))

    def close(self) -> None:
        """Remove the temporary files; blocks given out must not be used any more."""
        for file in self._files.values():
            file.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
