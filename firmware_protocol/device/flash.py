"""The sensor's memory: pages of samples by boot and index; the oldest page makes room."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.frames import INDEX_MODULUS

PAGE_SAMPLES = 252
"""Samples per page, a multiple of the 18 and 12 of a full frame."""

FLAGS_OF_FIRST = 4 | 8
"""Frame flags (clock stepped, overrun) that belong to the first sample of a page."""


@dataclass(slots=True)
class Page:
    """Consecutive samples of one boot at one rate."""

    boot: int
    first: int
    """Index of row 0."""
    rate_code: int
    flags: int
    """Flags of row 0."""
    device_us: NDArray[np.uint64]
    """(PAGE_SAMPLES,)."""
    samples: NDArray[np.int16]
    """(PAGE_SAMPLES, 6 or 9)."""
    begin: int = 0
    """First row that is not deleted."""
    end: int = 0
    """One past the last row written."""
    erased: bool = False
    """Set when the page made room for another one, or was deleted."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one page."""

    page: Page
    begin: int
    end: int

    @property
    def n(self) -> int:
        """Return the number of samples."""
        return self.end - self.begin

    @property
    def first(self) -> int:
        """Return the index of the first sample."""
        return (self.page.first + self.begin) % INDEX_MODULUS


@dataclass(slots=True)
class Flash:
    """A ring of pages."""

    capacity_samples: int
    columns: int
    wrapped: bool = False
    """Whether samples that nobody deleted were overwritten."""
    _pages: deque[Page] = field(default_factory=deque)

    @property
    def free_permille(self) -> int:
        """Return the free part, 0.1 %."""
        return 1000 * (self._page_limit - len(self._pages)) // self._page_limit

    @property
    def _page_limit(self) -> int:
        return max(2, self.capacity_samples // PAGE_SAMPLES)

    @property
    def boots(self) -> tuple[int, ...]:
        """Return the boots of which samples are stored, oldest first."""
        return tuple(dict.fromkeys(page.boot for page in self._pages))

    def append(
        self,
        boot: int,
        first: int,
        device_us: NDArray[np.uint64],
        samples: NDArray[np.int16],
        *,
        rate_code: int,
        flags: int = 0,
    ) -> None:
        """Store consecutive samples; flags of `FLAGS_OF_FIRST` begin a new page."""
        done = 0
        while done < samples.shape[0]:
            page = self._pages[-1] if self._pages else None
            index = (first + done) % INDEX_MODULUS
            fits = (
                page is not None
                and page.end < PAGE_SAMPLES
                and (page.boot, page.rate_code) == (boot, rate_code)
                and (page.first + page.end) % INDEX_MODULUS == index
                and not (done == 0 and flags & FLAGS_OF_FIRST)
            )
            if page is None or not fits:
                page = self._new_page(boot, index, rate_code, flags if done == 0 else 0)
            take = min(PAGE_SAMPLES - page.end, samples.shape[0] - done)
            rows = slice(page.end, page.end + take)
            page.device_us[rows] = device_us[done : done + take]
            page.samples[rows] = samples[done : done + take]
            page.end += take
            done += take

    def _new_page(self, boot: int, first: int, rate_code: int, flags: int) -> Page:
        while len(self._pages) >= self._page_limit:
            self._pages.popleft().erased = True
            self.wrapped = True
        page = Page(
            boot,
            first,
            rate_code,
            flags & FLAGS_OF_FIRST,
            np.empty(PAGE_SAMPLES, dtype=np.uint64),
            np.empty((PAGE_SAMPLES, self.columns), dtype=np.int16),
        )
        self._pages.append(page)
        return page

    def select(self, boot: int, first: int = 0, last: int = INDEX_MODULUS - 1) -> list[Stretch]:
        """Return what is stored of `first` <= index <= `last` of a boot, oldest first."""
        found = []
        for page in self._pages:
            if page.boot != boot:
                continue
            begin = max(page.begin, first - page.first)
            end = min(page.end, last - page.first + 1)
            if begin < end:
                found.append(Stretch(page, begin, end))
        return found

    def delete(self, boot: int, last: int) -> int:
        """Forget the samples of a boot up to `last`, included; return how many those were."""
        gone = 0
        for stretch in self.select(boot, 0, last):
            gone += stretch.n
            stretch.page.begin = stretch.end
            stretch.page.erased = stretch.end == stretch.page.end
        kept = (page for page in self._pages if page.begin < page.end)
        self._pages = deque(kept)
        return gone

    def clear(self) -> None:
        """Forget everything."""
        for page in self._pages:
            page.erased = True
        self._pages.clear()
        self.wrapped = False
