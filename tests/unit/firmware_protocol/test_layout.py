"""Layouts: struct and numpy agree, and nothing out of range is packed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.definition import LAYOUTS, PROTOCOL_INFO, SAMPLE6, STATUS
from firmware_protocol.errors import FieldError, LengthError
from firmware_protocol.layout import Field, Layout


def values_of(layout: Layout) -> st.SearchStrategy[tuple[Any, ...]]:
    def one(f: Field) -> st.SearchStrategy[Any]:
        number = st.integers(f.scalar.low, f.scalar.high)
        if f.is_bytes:
            return st.binary(min_size=f.count, max_size=f.count)
        return number if f.count == 1 else st.tuples(*[number] * f.count)

    return st.tuples(*map(one, layout.fields))


@given(st.sampled_from(LAYOUTS).flatmap(lambda x: st.tuples(st.just(x), values_of(x))))
def test_unpack_is_the_inverse_of_pack(case: tuple[Layout, tuple[Any, ...]]) -> None:
    layout, values = case
    data = layout.pack(*values)
    assert len(data) == layout.size
    assert layout.unpack(data) == values


@given(st.sampled_from(LAYOUTS).flatmap(lambda x: st.tuples(st.just(x), values_of(x))))
def test_the_numpy_row_holds_the_same_fields(case: tuple[Layout, tuple[Any, ...]]) -> None:
    layout, values = case
    row = np.frombuffer(layout.pack(*values), layout.dtype)[0]
    for f, value in zip(layout.fields, values, strict=True):
        expected = list(value) if f.count > 1 else value
        assert row[f.name].tolist() == expected


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: x.name)
def test_offsets_are_packed(layout: Layout) -> None:
    assert layout.dtype.itemsize == layout.size
    assert layout.dtype.fields is not None
    assert layout.offsets() == tuple(layout.dtype.fields[f.name][1] for f in layout.fields)


@pytest.mark.parametrize(
    ("layout", "values", "where"),
    [
        (STATUS, (1, 0, 0, -129, 0, 0, 0, 0, 0, 0), "status.temperature_half_degc"),
        (STATUS, (1, 0, 0, 0, 65536, 0, 0, 0, 0, 0), "status.battery_mv"),
        (STATUS, (1, 0, 0, 0, 3.7, 0, 0, 0, 0, 0), "status.battery_mv"),
        (SAMPLE6, ((0, 0), (0, 0, 0)), "sample6.acc"),
        (SAMPLE6, ((0, 0, 0), (0, 0, 32768)), "sample6.gyr"),
        (PROTOCOL_INFO, (1, 0, 244, 0, b"1234567"), "protocol_info.device_id"),
        (SAMPLE6, ((0, 0, 0),), "sample6"),
    ],
)
def test_values_that_do_not_fit_are_named(layout: Layout, values: Any, where: str) -> None:
    with pytest.raises(FieldError) as refused:
        layout.pack(*values)
    assert refused.value.where == where


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: x.name)
def test_another_length_is_refused(layout: Layout) -> None:
    for wrong in (0, layout.size - 1, layout.size + 1):
        with pytest.raises(LengthError):
            layout.unpack(bytes(wrong))
