import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point

from storage.errors import ResultStoreError
from storage.line_protocol import (
    columns_to_bodies,
    columns_to_lines,
    prefix,
    row_to_line,
    tag_text,
    tag_value,
)

HEAD = prefix("m", {"b": "2", "a": "1"})
numbers = st.one_of(
    st.floats(-1e9, 1e9),
    st.floats(-2, 2),
    st.sampled_from([0.0, -0.0, 999.9994, 999.9996, -0.0004, 0.9995, 1e3, 1e6, 8.9e14]),
    st.sampled_from([math.nan, math.inf, -math.inf]),
)


def parsed(line: str) -> tuple[str, dict[str, float], int]:
    head, fields, time = line.split(" ")
    return head, {k: float(v) for k, v in (f.split("=") for f in fields.split(","))}, int(time)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(numbers, numbers, numbers, st.integers(-(2**62), 2**62)), min_size=1, max_size=8
    )
)
def test_lines_say_what_the_columns_say(rows: list[tuple[float, float, float, int]]) -> None:
    values = np.array([row[:3] for row in rows])
    times = np.array([row[3] for row in rows], dtype=np.int64)
    lines = columns_to_lines(HEAD, ("x", "y_deg", "z"), values, times).decode().splitlines()
    expected = [
        (
            {n: v for n, v in zip(("x", "y_deg", "z"), row[:3], strict=True) if math.isfinite(v)},
            row[3],
        )
        for row in rows
    ]
    expected = [(fields, time) for fields, time in expected if fields]
    assert len(lines) == len(expected)
    for line, (fields, time) in zip(lines, expected, strict=True):
        head, found, found_time = parsed(line)
        assert head == "m,a=1,b=2"
        assert found_time == time
        assert found.keys() == fields.keys()
        for name, value in fields.items():
            assert found[name] == pytest.approx(value, abs=0.000_500_1, rel=1e-14)
        assert "-0.000" not in line


def test_the_format_is_that_of_the_official_client() -> None:
    values = np.array([[1.5, -20.25, 300.0]])
    line = columns_to_lines(HEAD, ("x", "y", "z"), values, np.array([1_700_000_000_000_000_000]))
    point = (
        Point("m").tag("a", "1").tag("b", "2").field("x", 1.5).field("y", -20.25).field("z", 300.0)
    ).time(1_700_000_000_000_000_000)
    assert parsed(line.decode()) == parsed(point.to_line_protocol())


def test_bodies_are_cut_at_whole_lines() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0, 50, (1000, 3))
    times = np.arange(1000) * 1_000_000_000
    bodies = list(columns_to_bodies(HEAD, ("x", "y", "z"), values, times, max_bytes=5000))
    assert len(bodies) > 5
    assert sum(taken for _, taken in bodies) == 1000
    assert all(len(body) <= 5000 and body.endswith(b"\n") for body, _ in bodies)
    assert b"".join(b for b, _ in bodies) == columns_to_lines(HEAD, ("x", "y", "z"), values, times)


def test_rows_keep_full_precision_and_leave_missing_values_out() -> None:
    line = row_to_line(HEAD, {"a": 0.1 + 0.2, "b": None, "c": math.nan, "n": 3}, 5)
    assert line == b"m,a=1,b=2 a=0.30000000000000004,n=3.0 5\n"
    assert row_to_line(HEAD, {"a": None}, 5) == b""


def test_wrong_fields_and_huge_values_are_refused() -> None:
    one = np.array([[1.0]])
    with pytest.raises(ResultStoreError, match="identifier"):
        columns_to_lines(HEAD, ("a b",), one, np.array([0]))
    with pytest.raises(ResultStoreError, match="identifier"):
        row_to_line(HEAD, {"a=b": 1.0}, 0)
    with pytest.raises(ResultStoreError, match="9e14"):
        columns_to_lines(HEAD, ("a",), one * 1e15, np.array([0]))


@settings(deadline=None)
@given(st.text(min_size=1))
def test_tag_values_need_no_escaping_and_come_back(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    value = tag_value(text)
    assert value.isascii()
    assert not set(value) & set(" ,=\"'\\\n\r\t~/$")
    assert tag_text(value) == text


def test_an_empty_name_is_no_tag() -> None:
    with pytest.raises(ResultStoreError, match="empty"):
        tag_value("")
