"""Tuning parameters from a file: a JSON object like `PipelineParams`, holding only what differs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from ingest.errors import ReprocessError
from processing.pipeline import PipelineParams


def read_params(path: Path) -> PipelineParams:
    """Return the default parameters with those of a file in their place.

    Parameters
    ----------
    path : Path
        JSON such as ``{"episodes": {"jerk": {"amplitude_min_deg": 6}}}``.

    Raises
    ------
    ReprocessError
        The file cannot be read, or names something that is no parameter.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReprocessError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ReprocessError(f"{path} is not valid JSON: {error}") from error
    return parse_params(given, path.name)


def parse_params(given: Any, where: str) -> PipelineParams:
    """Return the default parameters with those given in their place.

    Parameters
    ----------
    given : object
        A JSON value.
    where : str
        What messages call it.

    Raises
    ------
    ReprocessError
        It names something that is no parameter, or gives a value of another kind.
    """
    try:
        replaced = _replaced(PipelineParams(), given, where)
    except ValueError as error:  # a value that its parameter does not take
        raise ReprocessError(f"{where}: {error}") from error
    assert isinstance(replaced, PipelineParams)
    return replaced


def _replaced(value: Any, given: Any, where: str) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if not isinstance(given, dict):
            raise ReprocessError(f"{where}: expected an object with parameters, not {given!r}")
        known = [field.name for field in dataclasses.fields(value)]
        for name in given:
            if name not in known:
                raise ReprocessError(
                    f"{where}: there is no parameter {name!r}; there are {', '.join(known)}"
                )
        changed = {k: _replaced(getattr(value, k), v, f"{where}: {k}") for k, v in given.items()}
        return dataclasses.replace(value, **changed)
    if isinstance(value, tuple) and isinstance(given, list) and len(given) == len(value):
        return tuple(_replaced(a, b, where) for a, b in zip(value, given, strict=True))
    if isinstance(value, bool) or not isinstance(value, int | float):
        right = type(given) is type(value)
    elif isinstance(value, int):
        right = type(given) is int
    else:
        right = type(given) in (int, float)
    if not right:
        raise ReprocessError(f"{where} is {given!r}; give a value like the default, {value!r}")
    return float(given) if isinstance(value, float) else given


def differing(params: PipelineParams) -> dict[str, Any]:
    """Return what differs from the defaults, as `parse_params` takes it."""
    found = _difference(dataclasses.asdict(PipelineParams()), dataclasses.asdict(params))
    return found if isinstance(found, dict) else {}


def _difference(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        return {
            name: part
            for name, value in after.items()
            if (part := _difference(before.get(name), value)) not in (None, {})
        }
    return None if before == after else after
