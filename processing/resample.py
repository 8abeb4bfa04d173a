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
    # in registers while samples follow each other: a sum in memory waits for itself
    gx, gy, gz, ax, ay, az = sample[0], sample[1], sample[2], sample[3], sample[4], sample[5]
    rx, ry, rz, rate_s = sums[0], sums[1], sums[2], sums[6]
    fx, fy, fz, force_s = sums[3], sums[4], sums[5], sums[7]
    for i in range(t.shape[0]):
        if not valid[i]:
            continue
        now = t[i]
        if not fresh and now <= last:
            dropped += 1
            continue
        wx, wy, wz = gyr[i, 0], gyr[i, 1], gyr[i, 2]
        bx, by, bz = acc[i, 0], acc[i, 1], acc[i, 2]
        if fresh or now - last > max_gap:
            sample[3], sample[4], sample[5] = ax, ay, az
            sums[0], sums[1], sums[2], sums[6] = rx, ry, rz, rate_s
            sums[3], sums[4], sums[5], sums[7] = fx, fy, fz, force_s
            filled = fill_gyr(now, k_gyr, n_gyr, period, sums, gyr_out, gyr_ok)
            k_gyr, n_gyr = k_gyr + filled, n_gyr + filled
            offset = half if average else 0
            filled = fill_acc(now - offset, k_acc, n_acc, period, sample, sums, acc_out, acc_ok)
            k_acc, n_acc = k_acc + filled, n_acc + filled
            rx = ry = rz = rate_s = fx = fy = fz = force_s = 0.0
            if k_gyr * period == now:
                # the first sample of a run falls on a row: no interval, but its rate is known
                gyr_out[n_gyr, 0], gyr_out[n_gyr, 1], gyr_out[n_gyr, 2] = wx, wy, wz
                gyr_ok[n_gyr] = True
                n_gyr += 1
                k_gyr += 1
            if not average and k_acc * period == now:
                acc_out[n_acc, 0], acc_out[n_acc, 1], acc_out[n_acc, 2] = bx, by, bz
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
                rx += (gx + u * (wx - gx)) * dt
                ry += (gy + u * (wy - gy)) * dt
                rz += (gz + u * (wz - gz)) * dt
                rate_s += dt
                if end == k_gyr * period:
                    inside = rate_s >= enough
                    gyr_out[n_gyr, 0] = rx / rate_s if inside else 0.0
                    gyr_out[n_gyr, 1] = ry / rate_s if inside else 0.0
                    gyr_out[n_gyr, 2] = rz / rate_s if inside else 0.0
                    rx = ry = rz = rate_s = 0.0
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
                    fx += (ax + u * (bx - ax)) * dt
                    fy += (ay + u * (by - ay)) * dt
                    fz += (az + u * (bz - az)) * dt
                    force_s += dt
                    if end == k_acc * period + half:
                        inside = force_s >= enough
                        acc_out[n_acc, 0] = fx / force_s if inside else ax
                        acc_out[n_acc, 1] = fy / force_s if inside else ay
                        acc_out[n_acc, 2] = fz / force_s if inside else az
                        fx = fy = fz = force_s = 0.0
                        acc_ok[n_acc] = inside
                        n_acc += 1
                        k_acc += 1
                    begin = end
            else:
                while k_acc * period <= now:
                    u = (k_acc * period - last) * span
                    acc_out[n_acc, 0] = ax + u * (bx - ax)
                    acc_out[n_acc, 1] = ay + u * (by - ay)
                    acc_out[n_acc, 2] = az + u * (bz - az)
                    acc_ok[n_acc] = True
                    n_acc += 1
                    k_acc += 1
        gx, gy, gz, ax, ay, az = wx, wy, wz, bx, by, bz
        last = now
        fresh = False
    sample[0], sample[1], sample[2], sample[3], sample[4], sample[5] = gx, gy, gz, ax, ay, az
    sums[0], sums[1], sums[2], sums[6] = rx, ry, rz, rate_s
    sums[3], sums[4], sums[5], sums[7] = fx, fy, fz, force_s
    clock[0], clock[1], clock[2] = last, k_gyr, k_acc
    return n_gyr, n_acc, dropped
