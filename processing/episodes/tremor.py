"""Tremor and slow oscillation (clinical specification, section 7.4).

Windows of 4 s every second are judged by their spectrum; consecutive ones make an episode.
Whatever an episode needs is gathered in histograms, so that a tremor of hours costs no more memory
than one of seconds.
"""

from dataclasses import dataclass, replace

import numpy as np

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


def _count(histograms: IntArray, values: tuple[float, ...]) -> IntArray:
    counts = histograms.copy()
    for row, (value, (_, low, width)) in enumerate(zip(values, _HISTOGRAMS, strict=True)):
        if np.isfinite(value):
            counts[row, min(_BINS - 1, max(0, int((value - low) / width)))] += 1
    return counts


def _grown(
    episode: TremorEpisode | None,
    k: int,
    figures: FloatArray,
    cv: float,
    skew: float,
    axis: FloatArray,
    *,
    slow: bool,
) -> TremorEpisode:
    """Return the episode with one more window."""
    pp = float(figures[2])
    values = (float(figures[0]), np.log10(pp), np.log10(float(figures[3])), cv, abs(skew))
    outer = np.outer(axis, axis)
    if episode is None:
        empty = np.zeros((len(_HISTOGRAMS), _BINS), dtype=np.int64)
        counts = _count(empty, values)
        return TremorEpisode(k, k, 1, int(slow), counts, outer, float(figures[1]), k, pp)
    larger = pp > episode.pp_largest_deg
    return replace(
        episode,
        k_last=k,
        windows=episode.windows + 1,
        slow_windows=episode.slow_windows + int(slow),
        histograms=_count(episode.histograms, values),
        axes=episode.axes + outer,
        ratio_sum=episode.ratio_sum + float(figures[1]),
        k_largest=k if larger else episode.k_largest,
        pp_largest_deg=pp if larger else episode.pp_largest_deg,
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
    totals = np.concatenate(([0], np.cumsum(bad)))
    blocked = totals[starts + spectrum.WINDOW_ROWS] - totals[starts]
    judged = np.flatnonzero(blocked <= params.gated_max * spectrum.WINDOW_ROWS)
    psd, f = spectrum.transform(w_dps, np.ascontiguousarray(starts[judged]), rate_hz)
    figures = np.empty((judged.shape[0], 4))
    slow_figures = np.empty_like(figures)
    first = spectrum.FIRST_BIN

    def bin_of(frequency_hz: float) -> int:
        return round(frequency_hz / spectrum.BIN_HZ) - first

    low, high = bin_of(params.regular_low_hz), bin_of(params.regular_high_hz)
    spectrum.find_peaks(psd, low, high, _HALF_BAND, False, figures)  # noqa: FBT003 - kernel
    low, high = bin_of(params.slow_low_hz), bin_of(params.slow_high_hz)
    spectrum.find_peaks(psd, low, high, _HALF_BAND, True, slow_figures)  # noqa: FBT003 - kernel

    def passes(table: FloatArray) -> BoolArray:
        return np.asarray(
            (table[:, 0] > 0.0)
            & (table[:, 1] >= params.peak_ratio_min)
            & (table[:, 2] >= params.pp_min_deg)
        )

    regular = passes(figures)
    slow = ~regular & passes(slow_figures) & (blocked[judged] == 0)
    merge_rows = round((params.gap_merge_s - 2.0 * params.trim_s) * rate_hz)
    axis = np.empty(3)
    for at in np.flatnonzero(regular | slow):
        k = k_row0 + int(starts[judged[at]])
        table = figures[at] if regular[at] else slow_figures[at]
        peak_bin = round(float(table[0]) / spectrum.BIN_HZ)
        spectrum.oscillation_axis(f[at], peak_bin, _HALF_BAND, axis)
        period_rows = rate_hz / float(table[0])
        cv, skew = spectrum.regularity(
            w_dps, int(starts[judged[at]]), spectrum.WINDOW_ROWS, axis, period_rows
        )
        if slow[at] and not cv <= params.slow_cv_max:
            continue
        open_episode, closed = _close_before(open_episode, k, merge_rows)
        ended.extend(closed)
        open_episode = _grown(open_episode, k, table, cv, skew, axis.copy(), slow=bool(slow[at]))
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
