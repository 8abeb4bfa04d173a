"""Tremor and slow oscillation (clinical specification, section 7.4).

Windows of 4 s every second are judged by their spectrum; consecutive ones make an episode.
Whatever an episode needs is gathered in histograms, so that a tremor of hours costs no more memory
than one of seconds.
"""

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


(
    _ROW,
    _FREQUENCY,
    _RATIO,
    _PP,
    _POWER,
    _CV,
    _SKEW,
    _AXIS,
    _SLOW,
) = (0, 1, 2, 3, 4, 5, 6, 7, 10)
"""Columns of a window that oscillates: first row, Hz, share of the power, p-p deg, (deg/s)²,
variation of the periods, skewness, axis (3), whether it is a slow one."""
_COLUMNS = 11


@kernel()
def _choose(
    invalid: BoolArray,
    gated: BoolArray,
    starts: IntArray,
    rows: int,
    allowed: float,
    chosen: IntArray,
    clear: BoolArray,
) -> int:
    """Choose the windows with at most `allowed` invalid or gated rows; `clear` those with none.

    Windows overlap: each takes over from the one before what both have.
    """
    count = blocked = 0
    begin = end = starts[0]
    for i in range(starts.shape[0]):
        while end < starts[i] + rows:
            blocked += 1 if invalid[end] or gated[end] else 0
            end += 1
        while begin < starts[i]:
            blocked -= 1 if invalid[begin] or gated[begin] else 0
            begin += 1
        if blocked <= allowed:
            chosen[count] = starts[i]
            clear[count] = blocked == 0
            count += 1
    return count


@kernel()
def _describe(
    w: FloatArray,
    starts: IntArray,
    clear: BoolArray,
    psd: FloatArray,
    f: FloatArray,
    regular: tuple[int, int],
    slow: tuple[int, int],
    ratio_min: float,
    pp_min: float,
    slow_cv_max: float,
    rate_hz: float,
    out: FloatArray,
) -> int:
    """Fill out (m, `_COLUMNS`) with the windows that oscillate; return how many.

    Slow ones only where no row at all is gated.
    """
    figures = np.empty((2, 1, 4))
    count = 0
    for i in range(starts.shape[0]):
        found = -1
        for band in range(2):
            if band == 1 and not clear[i]:
                continue
            low, high = regular if band == 0 else slow
            spectrum.find_peaks(psd[i : i + 1], low, high, _HALF_BAND, band == 1, figures[band])
            frequency, ratio, pp = figures[band, 0, 0], figures[band, 0, 1], figures[band, 0, 2]
            if frequency > 0.0 and ratio >= ratio_min and pp >= pp_min:
                found = band
                break
        if found < 0:
            continue
        row = out[count]
        frequency = figures[found, 0, 0]
        axis = row[_AXIS : _AXIS + 3]
        peak = int(np.rint(frequency / spectrum.BIN_HZ))
        spectrum.oscillation_axis(f[i], peak, _HALF_BAND, axis)
        cv, skew = spectrum.regularity(
            w, starts[i], spectrum.WINDOW_ROWS, axis, rate_hz / frequency
        )
        if found == 1 and not cv <= slow_cv_max:
            continue
        row[_ROW] = starts[i]
        for j in range(4):
            row[_FREQUENCY + j] = figures[found, 0, j]
        row[_CV], row[_SKEW], row[_SLOW] = cv, skew, float(found)
        count += 1
    return count


@kernel()
def _count(
    histograms: IntArray, axes: FloatArray, lows: FloatArray, widths: FloatArray, rows: FloatArray
) -> None:
    """Add the five figures of every window and its axis in place."""
    for row in rows:
        values = (
            row[_FREQUENCY],
            np.log10(row[_PP]),
            np.log10(row[_POWER]),
            row[_CV],
            abs(row[_SKEW]),
        )
        for i in range(5):
            if np.isfinite(values[i]):
                at = int((values[i] - lows[i]) / widths[i])
                histograms[i, min(histograms.shape[1] - 1, max(0, at))] += 1
        for i in range(3):
            for j in range(3):
                axes[i, j] += row[_AXIS + i] * row[_AXIS + j]


_LOWS = np.array([low for _, low, _ in _HISTOGRAMS])
_WIDTHS = np.array([width for _, _, width in _HISTOGRAMS])


def _begun(k: int) -> TremorEpisode:
    empty = np.zeros((len(_HISTOGRAMS), _BINS), dtype=np.int64)
    return TremorEpisode(k, k, 0, 0, empty, np.zeros((3, 3)), 0.0, k, 0.0)


def _grown(episode: TremorEpisode, k_row0: int, rows: FloatArray) -> TremorEpisode:
    """Return the episode with more windows; its arrays are counted up in place."""
    _count(episode.histograms, episode.axes, _LOWS, _WIDTHS, rows)
    ratio_sum, k_largest, pp_largest_deg = (
        episode.ratio_sum,
        episode.k_largest,
        episode.pp_largest_deg,
    )
    for figures in rows.tolist():
        ratio_sum += figures[_RATIO]
        if figures[_PP] > pp_largest_deg:
            k_largest, pp_largest_deg = k_row0 + int(figures[_ROW]), figures[_PP]
    return TremorEpisode(
        k_first=episode.k_first,
        k_last=k_row0 + int(rows[-1, _ROW]),
        windows=episode.windows + rows.shape[0],
        slow_windows=episode.slow_windows + int(rows[:, _SLOW].sum()),
        histograms=episode.histograms,
        axes=episode.axes,
        ratio_sum=ratio_sum,
        k_largest=k_largest,
        pp_largest_deg=pp_largest_deg,
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
) -> FloatArray:
    """Return the windows that oscillate, (m, `_COLUMNS`)."""
    psd, f = spectrum.transform(w_dps, starts, rate_hz)
    out = np.empty((starts.shape[0], _COLUMNS))
    count = _describe(
        w_dps,
        starts,
        clear,
        psd,
        f,
        (_bin(params.regular_low_hz), _bin(params.regular_high_hz)),
        (_bin(params.slow_low_hz), _bin(params.slow_high_hz)),
        params.peak_ratio_min,
        params.pp_min_deg,
        params.slow_cv_max,
        rate_hz,
        out,
    )
    return out[:count]


def _bin(frequency_hz: float) -> int:
    return round(frequency_hz / spectrum.BIN_HZ) - spectrum.FIRST_BIN


def judge(
    params: TremorParams,
    w_dps: FloatArray,
    invalid: BoolArray,
    gated: BoolArray,
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
    invalid, gated : (n,) bool
        Rows that cannot be judged.
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
    chosen, clear = np.empty_like(starts), np.empty(starts.shape[0], dtype=np.bool_)
    allowed = params.gated_max * spectrum.WINDOW_ROWS
    n = _choose(invalid, gated, starts, spectrum.WINDOW_ROWS, allowed, chosen, clear)
    merge_rows = round((params.gap_merge_s - 2.0 * params.trim_s) * rate_hz)
    own = False
    for i in range(0, n, _BATCH):
        some = slice(i, min(i + _BATCH, n))
        rows = _oscillating(params, w_dps, chosen[some], clear[some], rate_hz)
        for together in _runs(rows, merge_rows):
            k = k_row0 + int(together[0, _ROW])
            open_episode, closed = _close_before(open_episode, k, merge_rows)
            ended.extend(closed)
            if open_episode is None:
                open_episode, own = _begun(k), True
            elif not own:
                open_episode, own = _copied(open_episode), True  # the caller's stays as it was
            open_episode = _grown(open_episode, k_row0, together)
    k_next = k_row0 + int(starts[-1]) + spectrum.HOP_ROWS
    open_episode, closed = _close_before(open_episode, k_next, merge_rows)
    ended.extend(closed)
    return open_episode, [(k, e) for k, e in ended if counts_as_episode(params, e, rate_hz)]


def _runs(rows: FloatArray, merge_rows: int) -> list[FloatArray]:
    """Return windows in runs that belong together; see `_close_before`."""
    if rows.shape[0] == 0:
        return []
    apart = np.diff(rows[:, _ROW]) > spectrum.WINDOW_ROWS + merge_rows
    return np.split(rows, np.flatnonzero(apart) + 1)


def _copied(episode: TremorEpisode) -> TremorEpisode:
    return replace(episode, histograms=episode.histograms.copy(), axes=episode.axes.copy())


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
