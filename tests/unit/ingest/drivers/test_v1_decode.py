"""Frames to packets: what came together is one packet, to be had one by one as well."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.definition import FrameFlag, RateCode, TimeSyncOp
from firmware_protocol.frames import encode_frame
from firmware_protocol.timesync import TimeSync
from ingest.drivers.driver import PacketKind, SensorEvent, SensorPacket, TimeSyncReport
from ingest.drivers.inbox import Notification
from ingest.drivers.v1_decode import LIVE, STORED, SYNC, V1Decoder

N = 5


def frame(
    k: int, *, channel: int = LIVE, flags: int = 0, index0: int | None = None, n: int = N
) -> Notification:
    """Return the k-th frame of a stream, 10 ms a sample."""
    first = k * N if index0 is None else index0
    counts = np.full((n, 6), k % 1000, dtype=np.int16)
    data = encode_frame(
        counts,
        flags=flags,
        seq=k % 65536,
        index0=first % 2**32,
        device_us=1_000_000 + first * 10_000,
        rate_code=RateCode.HZ_100,
    )
    return Notification(2_000_000_000 + k * 50_000_000, channel, data)


def sync(k: int) -> Notification:
    reply = TimeSync(TimeSyncOp.REPLY, 1, t1_us=1_000, t2_us=2_000, t3_us=2_001)
    return Notification(2_000_000_000 + k * 50_000_000 + 1_000_000, SYNC, bytes(reply))


def packets(events: list[SensorEvent]) -> list[SensorPacket]:
    return [event for event in events if isinstance(event, SensorPacket)]


def facts(packet: SensorPacket) -> tuple[object, ...]:
    return (
        packet.boot,
        packet.kind,
        packet.first_index,
        packet.device_us,
        packet.host_mono_ns,
        packet.sequence,
        packet.clip,
        packet.clock_stepped,
        packet.lost_before,
        packet.samples.tolist(),
    )


def singles(events: list[SensorEvent]) -> list[tuple[object, ...]]:
    return [facts(each) for packet in packets(events) for each in packet.notifications()]


def test_what_came_together_is_one_packet() -> None:
    (whole,) = packets(V1Decoder("d", 1).decode([frame(k) for k in range(8)]))
    assert (whole.first_index, whole.n) == (0, 8 * N)
    assert whole.further is not None
    assert whole.further.rows == tuple(range(N, 8 * N, N))
    assert not whole.samples.flags.writeable
    alone = [V1Decoder("d", 1).decode([frame(k)]) for k in range(8)]
    assert list(whole.notifications())[3].sequence == 3
    assert singles([whole]) == [each for events in alone for each in singles(events)]


def test_a_packet_ends_at_gaps_round_trips_and_flags() -> None:
    sent = [
        frame(0),
        frame(1),
        sync(1),  # the clock takes it between the two
        frame(2),
        frame(4),  # one is missing
        frame(5, flags=int(FrameFlag.CLOCK_STEPPED)),
        frame(6),
        frame(7, flags=int(FrameFlag.CLIP)),
        frame(8, channel=STORED),
    ]
    events = V1Decoder("d", 1).decode(sent)
    assert [(p.first_index // N, p.n // N) for p in packets(events)] == [
        (0, 2), (2, 1), (4, 1), (5, 2), (7, 1), (8, 1)
    ]  # fmt: skip
    assert [p.clock_stepped for p in packets(events)] == [False, False, False, True, False, False]
    assert packets(events)[-1].kind is PacketKind.BACKFILL
    assert sum(isinstance(event, TimeSyncReport) for event in events) == 1
    stepped = list(packets(events)[3].notifications())
    assert [each.clock_stepped for each in stepped] == [True, False]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([LIVE, LIVE, LIVE, LIVE, STORED]),
            st.sampled_from([0, 0, 0, 0, *(int(flag) for flag in FrameFlag)]),
            st.sampled_from([0, 0, 0, 0, 3, -2]),
            st.booleans(),
        ),
        max_size=20,
    ),
    st.lists(st.integers(0, 20)),
    st.sampled_from([0, 2**32 - 7 * N]),
)
def test_any_cut_gives_the_same_notifications(
    kinds: list[tuple[int, int, int, bool]], cuts: list[int], begin: int
) -> None:
    sent: list[Notification] = []
    index = begin
    for k, (channel, flags, jump, then_sync) in enumerate(kinds):
        index = max(0, index + jump)
        sent.append(frame(k, channel=channel, flags=flags, index0=index))
        sent += [sync(k)] if then_sync else []
        index += N
    borders = sorted({0, len(sent), *(min(cut, len(sent)) for cut in cuts)})
    decoder, alone = V1Decoder("d", 1), V1Decoder("d", 1)
    found = [each for a, b in pairwise(borders) for each in singles(decoder.decode(sent[a:b]))]
    assert found == [each for one in sent for each in singles(alone.decode([one]))]
    assert decoder.counts == alone.counts
