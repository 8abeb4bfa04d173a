import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.record.ranges import RangeSet

pairs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda p: (p[0], sum(p))))


@settings(deadline=None)
@given(pairs, st.integers(0, 60), st.integers(0, 30))
def test_behaves_like_a_set_of_integers(ranges: list[tuple[int, int]], a: int, n: int) -> None:
    oracle = {i for low, high in ranges for i in range(low, high)}
    held = RangeSet(ranges)
    assert {i for low, high in held for i in range(low, high)} == oracle
    assert held.total() == len(oracle)
    missing = {i for low, high in held.missing(a, a + n) for i in range(low, high)}
    assert missing == set(range(a, a + n)) - oracle


@settings(deadline=None)
@given(pairs)
def test_ranges_stay_sorted_and_never_touch(ranges: list[tuple[int, int]]) -> None:
    bounds = list(RangeSet(ranges))
    assert all(low < high for low, high in bounds)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(bounds))
