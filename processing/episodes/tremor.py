"""Tremor and slow oscillation (clinical specification, section 7.4).

Windows of 4 s every second are judged by their spectrum; consecutive ones make an episode.
Whatever an episode needs is gathered in histograms, so that a tremor of hours costs no more memory
than one of seconds.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from processing._jit import kernel
from processing.episodes import spectrum
from processing.episodes.confidence import tremor_confidence
from processing.episodes.types import DETECTOR_VERSION
from processing.exposure import histogram_quantile
from processing.types import BoolArray, Episode, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class TremorParams:
    """Thresholds of the tremor detector; all defaults are the specification's proposals."""

    regular_low_hz: float = 2.5
    """Lower end of the search for a peak; one on the lowest bin is rejected. Lower meets walking
    (2 Hz) and voluntary movement."""
    regular_high_hz: float = 10.0
    """Upper end; above lie artefacts of the strap."""
    slow_low_hz: float = 1.0
    """Lower end of the slow jerky band, searched where the regular one has no peak."""
    slow_high_hz: float = 2.5
    """Upper end of the slow band. It overlaps walking and is never judged in a gated window."""
    peak_ratio_min: float = 0.45
    """Least share of the power at 1-12 Hz within 0.75 Hz of the peak. Smaller takes jerks and
    movement for tremor (0 false windows in real walking at 0.45), larger loses irregular tremor.
    In the slow band the power is that of the angle, where a sawtooth has a clear fundamental."""
    pp_min_deg: float = 0.3
    """Least peak-to-peak angle. Quiet sitting reads up to 0.24°."""
    slow_cv_max: float = 0.35
    """Largest variation of the cycle periods of a slow window: a jerk or a glance alone has its
    power there too, but no cycles (not in the specification)."""
    gated_max: float = 0.25
    """Largest share of gated or invalid rows in a window that is judged."""
    windows_min: int = 2
    """Least number of windows in an episode."""
    duration_min_s: float = 3.0
    """Least duration of an episode."""
    gap_merge_s: float = 2.0
    """Episodes closer than this are one."""
    trim_s: float = 0.75
    """An episode begins this long after its first window's start and ends this long before its last
    window's end."""
    regular_cv_max: float = 0.15
    """Largest variation of the cycle periods that is `regular` (Shaikh 2015)."""
    regular_skew_max: float = 0.5
    """Largest skewness of the rate that is `regular`."""


_HALF_BAND = 3
_HISTOGRAMS: tuple[tuple[str, float, float], ...] = (
    ("peak_hz", 0.0, 0.05),
    ("log10_pp", -1.0, 0.01),
    ("log10_power", -3.0, 0.02),
    ("period_cv", 0.0, 0.005),
    ("skew", 0.0, 0.01),
)
_BINS = 400
_BATCH = 64
"""Windows judged at a time: what they need stays in the cache."""


@dataclass(frozen=True, slots=True)
class TremorEpisode:
    """An episode under way."""

    k_first: int
    """First row of its first window."""
    k_last: int
    """First row of its last window."""
    windows: int
    slow_windows: int
    histograms: IntArray
    """(5, 400) counts of the windows' figures, see `_HISTOGRAMS`."""
    axes: FloatArray
    """(3, 3) sum of the windows' axis outer products."""
    ratio_sum: float
    k_largest: int
    """First row of the window with the largest amplitude."""
    pp_largest_deg: float


@dataclass(frozen=True, slots=True)
class _Window:
    """A window that oscillates."""

    row: int
    frequency_hz: float
    ratio: float
    pp_deg: float
    power_dps2: float
    cv: float
    skew: float
    axis: FloatArray
    slow: bool


@kernel()
def _count(
    histograms: IntArray,
    axes: FloatArray,
    lows: FloatArray,
    widths: FloatArray,
    values: tuple[float, float, float, float, float],
    axis: FloatArray,
) -> None:
    """Add one window's five figures and its axis (3,) in place."""
    for row in range(5):
        if np.isfinite(values[row]):
            at = int((values[row] - lows[row]) / widths[row])
            histograms[row, min(histograms.shape[1] - 1, max(0, at))] += 1
    for i in range(3):
        for j in range(3):
            axes[i, j] += axis[i] * axis[j]


_LOWS = np.array([low for _, low, _ in _HISTOGRAMS])
_WIDTHS = np.array([width for _, _, width in _HISTOGRAMS])


def _begun(k: int) -> TremorEpisode:
    empty = np.zeros((len(_HISTOGRAMS), _BINS), dtype=np.int64)
    return TremorEpisode(k, k, 0, 0, empty, np.zeros((3, 3)), 0.0, k, 0.0)


def _grown(episode: TremorEpisode, k: int, window: _Window) -> TremorEpisode:
    """Return the episode with one more window; its arrays are counted up in place."""
    values = (
        window.frequency_hz,
        math.log10(window.pp_deg),
        math.log10(window.power_dps2),
        window.cv,
        abs(window.skew),
    )
    _count(episode.histograms, episode.axes, _LOWS, _WIDTHS, values, window.axis)
    larger = window.pp_deg > episode.pp_largest_deg
    return TremorEpisode(
        k_first=episode.k_first,
        k_last=k,
        windows=episode.windows + 1,
        slow_windows=episode.slow_windows + int(window.slow),
        histograms=episode.histograms,
        axes=episode.axes,
        ratio_sum=episode.ratio_sum + window.ratio,
        k_largest=k if larger else episode.k_largest,
        pp_largest_deg=window.pp_deg if larger else episode.pp_largest_deg,
    )


def bounds(params: TremorParams, episode: TremorEpisode, rate_hz: float) -> tuple[int, int]:
    """Return first and last row of the episode."""
    trim = round(params.trim_s * rate_hz)
    return episode.k_first + trim, episode.k_last + spectrum.WINDOW_ROWS - trim


def counts_as_episode(params: TremorParams, episode: TremorEpisode, rate_hz: float) -> bool:
    """Return whether the episode is long enough to count."""
    first, last = bounds(params, episode, rate_hz)
    long_enough = (last - first) / rate_hz >= params.duration_min_s
    return episode.windows >= params.windows_min and long_enough


def report(params: TremorParams, episode: TremorEpisode, t0_ns: int, rate_hz: float) -> Episode:
    """Return the finished (or, provisionally, the open) episode."""
    first, last = bounds(params, episode, rate_hz)
    period_ns = round(1e9 / rate_hz)
    medians = {
        name: histogram_quantile(counts, 0.5, low, width)
        for counts, (name, low, width) in zip(episode.histograms, _HISTOGRAMS, strict=True)
    }
    cv, skew = medians["period_cv"], medians["skew"]
    values, vectors = np.linalg.eigh(episode.axes)
    axis = vectors[:, -1] * (1.0 if vectors[np.argmax(np.abs(vectors[:, -1])), -1] >= 0 else -1.0)
    regular = (
        cv is not None
        and skew is not None
        and cv <= params.regular_cv_max
        and skew <= params.regular_skew_max
    )
    label = "regular" if regular else "jerky"
    if 2 * episode.slow_windows > episode.windows:
        label = "slow_jerky"
    log_pp = medians["log10_pp"]
    amplitude = 10.0 ** (log_pp if log_pp is not None else np.log10(episode.pp_largest_deg))
    ratio = episode.ratio_sum / episode.windows
    features = {
        "peak_frequency_hz": medians["peak_hz"],
        "pp_median_deg": amplitude,
        "pp_max_deg": episode.pp_largest_deg,
        "log10_band_power_dps2": medians["log10_power"],
        "peak_ratio": ratio,
        "period_cv": cv,
        "abs_skew": skew,
        "axis_lateral": float(axis[0]),
        "axis_rotation": float(axis[1]),
        "axis_flexion": float(axis[2]),
        "axis_stability": float(values[-1] / np.sum(values)),
        "windows": float(episode.windows),
        # Elble 2016: log10(T) = 0.64 TRS - 1.4; experimental
        "trs_equivalent": (np.log10(amplitude) + 1.4) / 0.64,
    }
    return Episode(
        kind="tremor",
        label=label,
        start_ns=t0_ns + first * period_ns,
        end_ns=t0_ns + last * period_ns,
        peak_ns=t0_ns + (episode.k_largest + spectrum.WINDOW_ROWS // 2) * period_ns,
        amplitude_deg=float(amplitude),
        confidence=tremor_confidence(ratio, amplitude, episode.windows),
        detector=f"tremor/{DETECTOR_VERSION}",
        features={name: float(v) for name, v in features.items() if v is not None},
    )


def _oscillating(
    params: TremorParams,
    w_dps: FloatArray,
    starts: IntArray,
    clear: BoolArray,
    rate_hz: float,
) -> Iterator[_Window]:
    """Give the windows that oscillate; slow ones only where no row at all is gated."""
    psd, f = spectrum.transform(w_dps, starts, rate_hz)
    figures = np.empty((starts.shape[0], 4))
    slow_figures = np.empty_like(figures)
    low, high = _bin(params.regular_low_hz), _bin(params.regular_high_hz)
    spectrum.find_peaks(psd, low, high, _HALF_BAND, False, figures)  # noqa: FBT003 - kernel
    low, high = _bin(params.slow_low_hz), _bin(params.slow_high_hz)
    spectrum.find_peaks(psd, low, high, _HALF_BAND, True, slow_figures)  # noqa: FBT003 - kernel

    def passes(table: FloatArray) -> BoolArray:
        return np.asarray(
            (table[:, 0] > 0.0)
            & (table[:, 1] >= params.peak_ratio_min)
            & (table[:, 2] >= params.pp_min_deg)
        )

    regular = passes(figures)
    slow = ~regular & passes(slow_figures) & clear
    for at in np.flatnonzero(regular | slow).tolist():
        frequency, ratio, pp, power = (figures if regular[at] else slow_figures)[at].tolist()
        axis = np.empty(3)
        spectrum.oscillation_axis(f[at], round(frequency / spectrum.BIN_HZ), _HALF_BAND, axis)
        row = int(starts[at])
        cv, skew = spectrum.regularity(w_dps, row, spectrum.WINDOW_ROWS, axis, rate_hz / frequency)
        if regular[at] or cv <= params.slow_cv_max:
            yield _Window(row, frequency, ratio, pp, power, cv, skew, axis, bool(slow[at]))


def _bin(frequency_hz: float) -> int:
    return round(frequency_hz / spectrum.BIN_HZ) - spectrum.FIRST_BIN


def judge(
    params: TremorParams,
    w_dps: FloatArray,
    bad: BoolArray,
    starts: IntArray,
    k_row0: int,
    rate_hz: float,
    open_episode: TremorEpisode | None,
) -> tuple[TremorEpisode | None, list[tuple[int, TremorEpisode]]]:
    """Judge consecutive windows; return the open episode and those that ended.

    Parameters
    ----------
    w_dps : (n, 3) float64
        Filtered relative rate.
    bad : (n,) bool
        Gated or invalid rows.
    starts : (m,) int64
        Rows at which the windows begin, `spectrum.HOP_ROWS` apart.
    k_row0 : int
        Grid index of row 0.

    Returns
    -------
    open_episode : TremorEpisode or None
    ended : list of (int, TremorEpisode)
        Grid index of the row with which the decision fell, and the episode; only those that count.
    """
    ended: list[tuple[int, TremorEpisode]] = []
    if starts.shape[0] == 0:
        return open_episode, ended
    if open_episode is not None:
        # the caller's state stays as it was
        open_episode = replace(
            open_episode,
            histograms=open_episode.histograms.copy(),
            axes=open_episode.axes.copy(),
        )
    totals = np.zeros(bad.shape[0] + 1, dtype=np.int64)
    np.cumsum(bad, out=totals[1:])
    blocked = totals[starts + spectrum.WINDOW_ROWS] - totals[starts]
    judged = np.flatnonzero(blocked <= params.gated_max * spectrum.WINDOW_ROWS)
    merge_rows = round((params.gap_merge_s - 2.0 * params.trim_s) * rate_hz)
    for i in range(0, judged.shape[0], _BATCH):
        some = judged[i : i + _BATCH]
        clear = np.asarray(blocked[some] == 0)
        for window in _oscillating(params, w_dps, starts[some], clear, rate_hz):
            k = k_row0 + window.row
            open_episode, closed = _close_before(open_episode, k, merge_rows)
            ended.extend(closed)
            open_episode = _grown(open_episode or _begun(k), k, window)
    k_next = k_row0 + int(starts[-1]) + spectrum.HOP_ROWS
    open_episode, closed = _close_before(open_episode, k_next, merge_rows)
    ended.extend(closed)
    return open_episode, [(k, e) for k, e in ended if counts_as_episode(params, e, rate_hz)]


def _close_before(
    episode: TremorEpisode | None, k: int, merge_rows: int
) -> tuple[TremorEpisode | None, list[tuple[int, TremorEpisode]]]:
    """Close the episode if a window that begins at row k can no longer belong to it.

    The decision falls with the last row of the first window that is too late, whatever is in it.
    """
    if episode is None:
        return None, []
    limit = episode.k_last + spectrum.WINDOW_ROWS + merge_rows
    if k <= limit:
        return episode, []
    late = limit // spectrum.HOP_ROWS * spectrum.HOP_ROWS
    return None, [(late + spectrum.WINDOW_ROWS, episode)]
