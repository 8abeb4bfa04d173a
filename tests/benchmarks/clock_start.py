"""The first minute of a sensor's clock: how wrong its time axis is, and how fast it goes.

Sensors and radio are those of `pair_timing`; what happens to the first packets is told by name.
The error is that of the sample taken so long after the connection began, as it was given out; the
pace is the worst of any second since, against true time.
"""

from collections.abc import Callable

import numpy as np

from tests.benchmarks.pair_timing import EPOCH_NS, MODELS, Model, placed, radio, timeline_of

SPAN_S = 75.0
AFTER_S = (1.0, 5.0, 20.0, 60.0)
SEEDS = 6
PROFILES = ("v1 104 Hz", "Capture2Go 100 Hz", "Polar 52 Hz", "Movesense 52 Hz", "WitMotion 100 Hz")


def _constant(rng: np.random.Generator, ready_s: np.ndarray) -> np.ndarray:
    return ready_s + 0.005 + rng.exponential(0.001, ready_s.size)


def _bursty(rng: np.random.Generator, ready_s: np.ndarray) -> np.ndarray:
    """Half a second apart at first, as before a link's interval is agreed on; then as ever."""
    sent_s = radio(rng, ready_s)
    slow = ready_s < 10.0
    sent_s[slow] = np.maximum(sent_s[slow], np.ceil(ready_s[slow] / 0.5) * 0.5 + 0.002)
    return np.asarray(np.maximum.accumulate(sent_s))


def _held_up(
    begin_s: float, end_s: float
) -> Callable[[np.random.Generator, np.ndarray], np.ndarray]:
    def arrivals(rng: np.random.Generator, ready_s: np.ndarray) -> np.ndarray:
        sent_s = radio(rng, ready_s)
        held = (ready_s >= begin_s) & (sent_s < end_s)
        sent_s[held] = end_s
        return np.asarray(np.maximum.accumulate(sent_s))

    return arrivals


def _losing(rng: np.random.Generator, ready_s: np.ndarray) -> np.ndarray:
    """A second is lost without a sign but the stamps."""
    sent_s = radio(rng, ready_s)
    sent_s[(ready_s > 9.0) & (ready_s < 10.0)] = np.nan
    return sent_s


def _draining(rng: np.random.Generator, ready_s: np.ndarray) -> np.ndarray:
    """A queue of three seconds that the link works off in twelve."""
    behind_s = np.clip(3.0 - ready_s / 4.0, 0.0, None)
    return np.asarray(np.maximum.accumulate(radio(rng, ready_s) + behind_s))


SCENES = {
    "constant": _constant,
    "radio": radio,
    "bursty": _bursty,
    "first second 1 s late": _held_up(0.0, 1.0),
    "first packets 3 s late": _held_up(0.0, 3.0),
    "first packets 5 s late": _held_up(0.0, 5.0),
    "5 s stall at second 3": _held_up(3.0, 8.0),
    "queue drains for 12 s": _draining,
    "one second lost": _losing,
    "reset, then 3 s late": _held_up(0.0, 3.0),
}


def first_minute(model: Model, scene: str, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return errors of time at `AFTER_S`, ms, paces until then, %, and how often time goes back."""
    rng = np.random.default_rng(seed)
    timeline = timeline_of(model)
    boot, begin_s, before = 1, 0.0, np.empty(0, np.int64)
    if scene.startswith("reset"):
        _, before = placed(timeline, model, rng, radio, span_s=SPAN_S)
        boot, begin_s = 2, SPAN_S + 8.0
    true_s, t_ns = placed(
        timeline, model, rng, SCENES[scene], span_s=SPAN_S, boot=boot, begin_s=begin_s
    )
    given_s = (t_ns - EPOCH_NS) * 1e-9 - begin_s
    true_s = true_s - begin_s
    error_ms = (np.interp(AFTER_S, true_s, given_s) - np.array(AFTER_S)) * 1e3
    grid_s = np.arange(0.0, SPAN_S - 1.0, 0.25)
    at_s = np.interp(grid_s, true_s, given_s)
    pace = np.abs((at_s[4:] - at_s[:-4]) - 1.0) * 100.0
    worst = [pace[grid_s[:-4] >= after_s - 1.0].max() for after_s in AFTER_S]
    back = int((np.diff(np.concatenate((before[-1:], t_ns))) <= 0).sum())
    return error_ms, np.array(worst), back


def measure(say: Callable[[str], None]) -> None:
    """Print the errors of the first minute."""
    say(f"worst of {SEEDS}: |error| of the sample taken after so many s, ms | pace since then, %")
    heads = " ".join(f"{after:5.0f} s" for after in AFTER_S)
    say(f"{'':18} {'':23} {heads} | {heads}   back")
    for name in PROFILES:
        for scene in SCENES:
            found = [first_minute(MODELS[name], scene, seed) for seed in range(SEEDS)]
            error = np.max([np.abs(e) for e, _, _ in found], axis=0)
            pace = np.max([p for _, p, _ in found], axis=0)
            back = max(b for _, _, b in found)
            say(
                f"{name:18} {scene:23} "
                + " ".join(f"{value:7.1f}" for value in error)
                + " | "
                + " ".join(f"{value:7.2f}" for value in pace)
                + f"  {back}"
            )
