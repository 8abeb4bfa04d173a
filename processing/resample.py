"""Kernels of `processing.grid`: one sensor's samples to grid rows.

Times are nanoseconds since grid index 0 and rows whole periods, so no rounding ever decides which
row a sample belongs to.
"""

from processing._jit import kernel
from processing.types import BoolArray, FloatArray, IntArray


@kernel()
def fill_gyr(
    until: int,
    k: int,
    at: int,
    period: int,
    sums: FloatArray,
    gyr_out: FloatArray,
    gyr_ok: BoolArray,
) -> int:
    """Close rows k, k+1, .. before `until` inside a gap; return how many.

    The first takes what was gathered of it, if that is half of its interval; the others have no
    rate. Zero and not the last rate: whoever integrates them regardless stands still.
    """
    enough = 0.5e-9 * period
    n = 0
    while (k + n) * period < until:
        known = sums[6] >= enough
        for j in range(3):
            gyr_out[at + n, j] = sums[j] / sums[6] if known else 0.0
            sums[j] = 0.0
        sums[6] = 0.0
        gyr_ok[at + n] = known
        n += 1
    return n


@kernel()
def fill_acc(
    until: int,
    k: int,
    at: int,
    period: int,
    sample: FloatArray,
    sums: FloatArray,
    acc_out: FloatArray,
    acc_ok: BoolArray,
) -> int:
    """Close rows as `fill_gyr` does; those without a specific force repeat the last one."""
    enough = 0.5e-9 * period
    n = 0
    while (k + n) * period < until:
        known = sums[7] >= enough
        for j in range(3):
            acc_out[at + n, j] = sums[3 + j] / sums[7] if known else sample[3 + j]
            sums[3 + j] = 0.0
        sums[7] = 0.0
        acc_ok[at + n] = known
        n += 1
    return n


@kernel()
def survey(t: IntArray, valid: BoolArray) -> tuple[int, int, int]:
    """Return (first, last, longest step) of the valid samples' times; step -1 without a sample."""
    first = last = 0
    longest = -1
    for i in range(t.shape[0]):
        if not valid[i]:
            continue
        if longest < 0:
            first = t[i]
            longest = 0
        else:
            longest = max(longest, t[i] - last)
        last = t[i]
    return first, last, longest


@kernel()
def resample(
    t: IntArray,
    gyr: FloatArray,
    acc: FloatArray,
    valid: BoolArray,
    fresh: bool,
    average: bool,
    period: int,
    max_gap: int,
    sample: FloatArray,
    sums: FloatArray,
    clock: IntArray,
    gyr_out: FloatArray,
    acc_out: FloatArray,
    gyr_ok: BoolArray,
    acc_ok: BoolArray,
) -> tuple[int, int, int]:
    """Push samples (t in ns since grid index 0) through; return rates, forces written, dropped.

    Row k has the rate's mean over (k-1, k] periods and the force at k, or its mean over k ± half a
    period. A mean holds if at least half of its interval is covered.
    """
    half = period // 2
    enough = 0.5e-9 * period
    last, k_gyr, k_acc = clock[0], clock[1], clock[2]
    n_gyr = n_acc = dropped = 0
    for i in range(t.shape[0]):
        if not valid[i]:
            continue
        now = t[i]
        if not fresh and now <= last:
            dropped += 1
            continue
        if fresh or now - last > max_gap:
            filled = fill_gyr(now, k_gyr, n_gyr, period, sums, gyr_out, gyr_ok)
            k_gyr, n_gyr = k_gyr + filled, n_gyr + filled
            offset = half if average else 0
            filled = fill_acc(now - offset, k_acc, n_acc, period, sample, sums, acc_out, acc_ok)
            k_acc, n_acc = k_acc + filled, n_acc + filled
            for j in range(8):
                sums[j] = 0.0
            if k_gyr * period == now:
                # the first sample of a run falls on a row: no interval, but its rate is known
                for j in range(3):
                    gyr_out[n_gyr, j] = gyr[i, j]
                gyr_ok[n_gyr] = True
                n_gyr += 1
                k_gyr += 1
            if not average and k_acc * period == now:
                for j in range(3):
                    acc_out[n_acc, j] = acc[i, j]
                acc_ok[n_acc] = True
                n_acc += 1
                k_acc += 1
        else:
            span = 1.0 / (now - last)
            begin = max(last, (k_gyr - 1) * period)
            while begin < now:
                end = min(now, k_gyr * period)
                # trapezium of the straight line between the two samples
                u = ((begin - last) + (end - last)) * (0.5 * span)
                dt = (end - begin) * 1e-9
                for j in range(3):
                    sums[j] += (sample[j] + u * (gyr[i, j] - sample[j])) * dt
                sums[6] += dt
                if end == k_gyr * period:
                    inside = sums[6] >= enough
                    for j in range(3):
                        gyr_out[n_gyr, j] = sums[j] / sums[6] if inside else 0.0
                        sums[j] = 0.0
                    sums[6] = 0.0
                    gyr_ok[n_gyr] = inside
                    n_gyr += 1
                    k_gyr += 1
                begin = end
            if average:
                begin = max(last, k_acc * period - half)
                while begin < now:
                    end = min(now, k_acc * period + half)
                    u = ((begin - last) + (end - last)) * (0.5 * span)
                    dt = (end - begin) * 1e-9
                    for j in range(3):
                        sums[3 + j] += (sample[3 + j] + u * (acc[i, j] - sample[3 + j])) * dt
                    sums[7] += dt
                    if end == k_acc * period + half:
                        inside = sums[7] >= enough
                        for j in range(3):
                            acc_out[n_acc, j] = sums[3 + j] / sums[7] if inside else sample[3 + j]
                            sums[3 + j] = 0.0
                        sums[7] = 0.0
                        acc_ok[n_acc] = inside
                        n_acc += 1
                        k_acc += 1
                    begin = end
            else:
                while k_acc * period <= now:
                    u = (k_acc * period - last) * span
                    for j in range(3):
                        acc_out[n_acc, j] = sample[3 + j] + u * (acc[i, j] - sample[3 + j])
                    acc_ok[n_acc] = True
                    n_acc += 1
                    k_acc += 1
        for j in range(3):
            sample[j] = gyr[i, j]
            sample[3 + j] = acc[i, j]
        last = now
        fresh = False
    clock[0], clock[1], clock[2] = last, k_gyr, k_acc
    return n_gyr, n_acc, dropped
