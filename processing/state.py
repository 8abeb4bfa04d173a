"""Save and restore the state of stateful steps, exactly.

A state is a tree of dataclasses, numpy arrays, numbers, strings, tuples, lists and dicts. `encode`
turns it into values that JSON can hold; `decode` gives back an equal tree, bit for bit, so a
filter restored continues as if it had never stopped.
"""

import base64
import dataclasses
import importlib
from typing import Any

import numpy as np

from processing.errors import StateError

FORMAT = 1
"""Rises when the encoding changes; an older number is refused, since results can be rebuilt."""

_TYPE, _ARRAY, _TUPLE, _FLOAT, _PAIRS = (
    "__type__",
    "__array__",
    "__tuple__",
    "__float__",
    "__pairs__",
)


def encode(state: Any) -> Any:
    """Return JSON-able values that `decode` turns back into an equal tree.

    Raises
    ------
    StateError
        The tree holds something that cannot be saved.
    """
    if state is None or isinstance(state, bool | str):
        return state
    if isinstance(state, int | np.integer):
        return int(state)
    if isinstance(state, float | np.floating):
        value = float(state)
        return value if np.isfinite(value) else {_FLOAT: value.hex()}
    if isinstance(state, np.ndarray):
        data = np.ascontiguousarray(state)
        return {
            _ARRAY: base64.b64encode(data.tobytes()).decode("ascii"),
            "dtype": data.dtype.str,
            "shape": list(state.shape),
        }
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        kind = type(state)
        fields = {f.name: encode(getattr(state, f.name)) for f in dataclasses.fields(state)}
        return {_TYPE: f"{kind.__module__}:{kind.__qualname__}", **fields}
    if isinstance(state, tuple):
        return {_TUPLE: [encode(item) for item in state]}
    if isinstance(state, list):
        return [encode(item) for item in state]
    if isinstance(state, dict):
        return {_PAIRS: [[encode(key), encode(value)] for key, value in state.items()]}
    raise StateError(f"a state cannot hold a {type(state).__name__}")


def decode(data: Any) -> Any:
    """Return the tree that `encode` was given.

    Raises
    ------
    StateError
        The data names a type or a field that this version of the program does not have.
    """
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    if _FLOAT in data:
        return float.fromhex(data[_FLOAT])
    if _TUPLE in data:
        return tuple(decode(item) for item in data[_TUPLE])
    if _PAIRS in data:
        return {decode(key): decode(value) for key, value in data[_PAIRS]}
    if _ARRAY in data:
        raw = np.frombuffer(base64.b64decode(data[_ARRAY]), dtype=np.dtype(data["dtype"]))
        return raw.reshape(data["shape"]).copy()
    kind = _resolve(data[_TYPE])
    fields = {name: decode(value) for name, value in data.items() if name != _TYPE}
    expected = {f.name for f in dataclasses.fields(kind)}
    if set(fields) != expected:
        raise StateError(
            f"a saved {kind.__name__} differs from this version in "
            f"{sorted(set(fields) ^ expected)}; start anew from the record"
        )
    return kind(**fields)


def _resolve(name: str) -> Any:
    module_name, _, qualname = name.partition(":")
    if not module_name.startswith("processing.") or not qualname.isidentifier():
        raise StateError(f"a saved state names {name!r}, which is no type of this package")
    try:
        kind = getattr(importlib.import_module(module_name), qualname)
    except (ImportError, AttributeError) as error:
        raise StateError(f"this version has no {name}; start anew from the record") from error
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise StateError(f"{name} is no state")
    return kind
