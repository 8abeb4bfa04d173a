"""The ring of pages against a plain dictionary of samples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.device.flash import PAGE_SAMPLES, Flash
from tests.unit.firmware_protocol.device.bench import counts_of


def write(flash: Flash, boot: int, first: int, n: int, rate: int = 3, flags: int = 0) -> None:
    index = first + np.arange(n)
    flash.append(
        boot,
        first,
        (index * 10_000).astype(np.uint64),
        counts_of(index, boot),
        rate_code=rate,
        flags=flags,
    )


def stored(flash: Flash, boot: int, first: int = 0, last: int = 2**32 - 1) -> list[int]:
    found: list[int] = []
    for s in flash.select(boot, first, last):
        rows = s.page.samples[s.begin : s.end]
        index = s.first + np.arange(s.n)
        assert np.array_equal(rows, counts_of(index, boot))
        assert np.array_equal(s.page.device_us[s.begin : s.end], index * 10_000)
        found += index.tolist()
    return found


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 400), st.integers(0, 900)), max_size=12),
    st.integers(0, 2000),
    st.integers(0, 2000),
)
def test_everything_of_the_newest_pages_is_found(
    steps: list[tuple[int, int, int]], first: int, last: int
) -> None:
    flash = Flash(6 * PAGE_SAMPLES, 6)
    truth: dict[int, set[int]] = {}
    next_index: dict[int, int] = {}
    boot = 1
    for boot_step, n, delete_to in steps:
        if boot_step == 3:
            boot += 1
        begin = next_index.get(boot, 0)
        write(flash, boot, begin, n)
        next_index[boot] = begin + n
        truth.setdefault(boot, set()).update(range(begin, begin + n))
        if boot_step == 2 and delete_to:
            held = set(stored(flash, boot))
            gone = flash.delete(boot, delete_to)
            assert gone == len({i for i in held if i <= delete_to})
            truth[boot] -= set(range(delete_to + 1))
    for b, expected in truth.items():
        found = stored(flash, b)
        assert found == sorted(found)
        assert set(found) <= expected
        assert stored(flash, b, first, last) == [i for i in found if first <= i <= last]
        if not flash.wrapped:
            assert set(found) == expected
    total = sum(len(stored(flash, b)) for b in truth)
    assert total <= 6 * PAGE_SAMPLES


def test_the_oldest_page_makes_room() -> None:
    flash = Flash(4 * PAGE_SAMPLES, 6)
    write(flash, 1, 0, 4 * PAGE_SAMPLES)
    full = (flash.wrapped, flash.free_permille)
    write(flash, 1, 4 * PAGE_SAMPLES, 1)
    assert (full, flash.wrapped) == ((False, 0), True)
    assert stored(flash, 1) == list(range(PAGE_SAMPLES, 4 * PAGE_SAMPLES + 1))


def test_a_new_rate_boot_flag_or_hole_begins_a_page() -> None:
    flash = Flash(20 * PAGE_SAMPLES, 6)
    write(flash, 1, 0, 10)
    write(flash, 1, 10, 10)
    write(flash, 1, 20, 10, rate=4)
    write(flash, 1, 35, 10, rate=4)
    write(flash, 1, 45, 10, rate=4, flags=4)
    write(flash, 2, 0, 10, rate=4)
    assert [s.first for s in flash.select(1)] == [0, 20, 35, 45]
    assert [s.page.flags for s in flash.select(1)] == [0, 0, 0, 4]
    assert flash.boots == (1, 2)


def test_clear_forgets_everything() -> None:
    flash = Flash(4 * PAGE_SAMPLES, 6)
    write(flash, 1, 0, 10)
    held = flash.select(1)
    flash.clear()
    assert flash.select(1) == []
    assert held[0].page.erased
    assert flash.free_permille == 1000
