"""Our estimator and VQF on BROAD trials, scored by the same metric in the same run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from processing.orientation import estimate
from processing.orientation.evaluation import (
    Estimator,
    Trial,
    TrialErrors,
    best_delay_ms,
    run,
    stressed,
    trial_errors,
)
from processing.types import FloatArray

Mode = Literal["online", "offline"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the table: how the trials are made harder, and what is read off."""

    name: str
    with_mag: bool
    metrics: tuple[str, ...]
    """Fields of `TrialErrors`, the first one is what the row is about."""
    decimate: int = 1
    starts_moving: bool = False
    bias_dps: float = 0.0
    modes: tuple[Mode, ...] = ("online", "offline")


CONDITIONS = (
    Condition("6D", with_mag=False, metrics=("inclination", "total_start", "drift_deg_min")),
    Condition("9D", with_mag=True, metrics=("total", "heading", "inclination")),
    Condition("6D, 95 Hz", with_mag=False, metrics=("inclination", "total_start"), decimate=3),
    Condition("6D, 48 Hz", with_mag=False, metrics=("inclination", "total_start"), decimate=6),
    Condition(
        "stress: 95 Hz, starts moving, bias 0.5 °/s",
        with_mag=False,
        metrics=("inclination", "total_start"),
        decimate=3,
        starts_moving=True,
        bias_dps=0.5,
        modes=("online",),
    ),
)


@dataclass(frozen=True, slots=True)
class Score:
    """One method under one condition, over all trials."""

    condition: str
    mode: Mode
    method: str
    delay_ms: float
    """The constant delay of the truth at which the method is scored."""
    aligned: dict[str, float]
    """Mean over trials at that delay, by metric."""
    unaligned: dict[str, float]
    """The same at zero delay, as published tables are."""
    per_trial: dict[str, dict[str, float]]
    """Aligned, by metric and trial."""


def ours(mode: Mode) -> Estimator:
    """Return our estimator in one mode."""

    def apply(
        gyr: FloatArray, acc: FloatArray, mag: FloatArray | None, rate_hz: float
    ) -> FloatArray:
        return estimate(gyr, acc, mag, rate_hz=rate_hz, mode=mode)

    return apply


def vqf(mode: Mode) -> Estimator | None:
    """Return VQF as its authors ship it, in one mode; None where it is not installed."""
    try:
        from vqf import VQF, offlineVQF
    except ImportError:
        return None

    def apply(
        gyr: FloatArray, acc: FloatArray, mag: FloatArray | None, rate_hz: float
    ) -> FloatArray:
        g, a = np.ascontiguousarray(gyr), np.ascontiguousarray(acc)
        m = None if mag is None else np.ascontiguousarray(mag)
        if mode == "offline":
            result = offlineVQF(g, a, m, 1.0 / rate_hz)
        else:
            result = VQF(1.0 / rate_hz).updateBatch(g, a, m)
        q: FloatArray = result["quat6D" if m is None else "quat9D"]
        return q

    return apply


METHODS: dict[str, Callable[[Mode], Estimator | None]] = {"necktrace": ours, "VQF": vqf}


def scores(
    trials: Sequence[Trial], conditions: Sequence[Condition] = CONDITIONS
) -> Iterator[Score]:
    """Yield the score of every method, mode and condition, in order.

    Notes
    -----
    The metric is that of `processing.orientation.evaluation`: per method one constant delay for all
    trials, the one with the least mean inclination error of the 6D estimate in that mode.
    """
    for condition in conditions:
        harder = [
            stressed(
                trial,
                decimate=condition.decimate,
                starts_moving=condition.starts_moving,
                bias_dps=condition.bias_dps,
            )
            for trial in trials
        ]
        for mode in condition.modes:
            for method, make in METHODS.items():
                estimator = make(mode)
                if estimator is not None:
                    yield _score(condition, mode, method, estimator, harder)


def _score(
    condition: Condition, mode: Mode, method: str, estimator: Estimator, trials: Sequence[Trial]
) -> Score:
    estimates = run(estimator, trials, with_mag=condition.with_mag)
    delay = best_delay_ms(estimates, trials)
    judge = partial(zip, estimates, trials, strict=True)
    aligned = [trial_errors(q, trial, delay_ms=delay) for q, trial in judge()]
    unaligned = [trial_errors(q, trial) for q, trial in judge()]
    return Score(
        condition=condition.name,
        mode=mode,
        method=method,
        delay_ms=delay,
        aligned=_means(aligned, condition.metrics),
        unaligned=_means(unaligned, condition.metrics),
        per_trial={
            metric: {
                trial.name: float(getattr(errors, metric))
                for errors, trial in zip(aligned, trials, strict=True)
            }
            for metric in condition.metrics
        },
    )


def _means(errors: Sequence[TrialErrors], metrics: Sequence[str]) -> dict[str, float]:
    return {metric: float(np.mean([getattr(e, metric) for e in errors])) for metric in metrics}


def geometric_mean_ratio(mine: Score, yardstick: Score, metric: str) -> float:
    """Return the geometric mean over trials of our error over the yardstick's."""
    ratios = [
        mine.per_trial[metric][name] / yardstick.per_trial[metric][name]
        for name in mine.per_trial[metric]
    ]
    return float(np.exp(np.mean(np.log(ratios))))


def worst_ratio(mine: Score, yardstick: Score, metric: str) -> tuple[str, float]:
    """Return the trial in which we compare worst, and the ratio there."""
    ratios = {
        name: mine.per_trial[metric][name] / yardstick.per_trial[metric][name]
        for name in mine.per_trial[metric]
    }
    name = max(ratios, key=ratios.__getitem__)
    return name, ratios[name]


def as_json(results: Sequence[Score]) -> list[dict[str, Any]]:
    """Return the scores as plain values."""
    return [asdict(result) for result in results]
