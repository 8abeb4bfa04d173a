"""A saved state comes back bit for bit, and a foreign one is refused."""

import json
from typing import Any

import numpy as np
import pytest

from processing.errors import StateError
from processing.state import decode, encode
from processing.types import Episode, ImuBlock, Span


def through_json(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value))))


def test_numbers_keep_every_bit() -> None:
    for value in (0.1, -0.0, 1e-320, float("inf"), 3, True, None, "x"):
        back = through_json(value)
        assert type(back) is type(value)
        assert repr(back) == repr(value)
    assert np.isnan(through_json(float("nan")))


def test_arrays_keep_dtype_shape_and_bits() -> None:
    for array in (
        np.array([[0.1, np.nan], [-0.0, np.inf]]),
        np.zeros((0, 3)),
        np.array([True, False]),
        np.arange(4, dtype=np.int64)[::2],
        np.array(3.5),
    ):
        back = through_json(array)
        assert back.dtype == array.dtype
        assert back.shape == array.shape
        assert back.tobytes() == np.ascontiguousarray(array).tobytes()
        assert back.flags.writeable  # a restored filter goes on in place


def test_nested_dataclasses_tuples_and_dicts() -> None:
    episode = Episode("jerk", "jerk", 1, 2, 1, 5.5, 0.7, "jerk/1", {"fwhm_s": 0.08})
    tree = {"spans": (Span("nod", 0, 5), Span("shake", 6, 9, 2.0)), 3: [episode, None]}
    assert through_json(tree) == tree


def test_unknown_type_or_field_is_refused() -> None:
    data = encode(Span("nod", 0, 5))
    with pytest.raises(StateError, match="no type of this package"):
        decode(data | {"__type__": "os:system"})
    with pytest.raises(StateError, match="start anew"):
        decode(data | {"__type__": "processing.types:Gone"})
    with pytest.raises(StateError, match="differs from this version"):
        decode(data | {"extra": 1})
    with pytest.raises(StateError, match="cannot hold a set"):
        encode({1, 2})


def test_class_methods_do_not_matter() -> None:
    block = ImuBlock.checked(np.arange(3), np.ones((3, 3)), np.zeros((3, 3)), rate_hz=100.0)
    back = through_json(block)
    assert isinstance(back, ImuBlock)
    np.testing.assert_array_equal(back.acc, block.acc)
