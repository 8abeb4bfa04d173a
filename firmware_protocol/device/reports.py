"""Range reports: which stored samples a request means, and the frames that carry them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from firmware_protocol.definition import ControlStatus, FrameFlag, FrameType, RangeOperator
from firmware_protocol.device.flash import Flash, Stretch
from firmware_protocol.device.live import sample_frame
from firmware_protocol.frames import INDEX_MODULUS, SEQ_MODULUS
from firmware_protocol.tlv import SampleRange


def stretches_of(
    flash: Flash, wanted: SampleRange, n_per_frame: int
) -> list[Stretch] | ControlStatus:
    """Return what is stored of a range, oldest first, or why the range is refused."""
    end = INDEX_MODULUS - 1
    match wanted.operator:
        case RangeOperator.ALL:
            return flash.select(wanted.boot_counter)
        case RangeOperator.UP_TO:
            return flash.select(wanted.boot_counter, 0, wanted.last)
        case RangeOperator.FROM:
            return flash.select(wanted.boot_counter, wanted.first, end)
        case RangeOperator.BETWEEN:
            if wanted.first > wanted.last:
                return ControlStatus.OPERAND_INVALID
            return flash.select(wanted.boot_counter, wanted.first, wanted.last)
        case RangeOperator.FIRST:
            stored = flash.select(wanted.boot_counter)[:1]
            return [Stretch(s.page, s.begin, min(s.end, s.begin + n_per_frame)) for s in stored]
        case RangeOperator.LAST:
            stored = flash.select(wanted.boot_counter)[-1:]
            return [Stretch(s.page, max(s.begin, s.end - n_per_frame), s.end) for s in stored]
        case 0:
            return ControlStatus.OPERATOR_INVALID
        case _:
            return ControlStatus.OPERATOR_UNSUPPORTED


@dataclass(slots=True)
class Report:
    """A running REPORT."""

    token: int
    request: bytes
    """The request itself, to tell a repetition."""
    wanted: SampleRange
    stretches: list[Stretch]
    frame_type: FrameType
    n_per_frame: int
    seq: int
    """Sequence of the next frame on Backfill."""
    n_sent: int = 0
    """Samples sent."""
    incomplete: bool = False
    """Whether a part was overwritten before it was sent."""
    _pieces: Iterator[Stretch] = field(init=False)
    _next: Stretch | None = field(init=False)

    def __post_init__(self) -> None:
        self._pieces = self._cut()
        self._next = next(self._pieces, None)

    def _cut(self) -> Iterator[Stretch]:
        for stretch in self.stretches:
            for begin in range(stretch.begin, stretch.end, self.n_per_frame):
                yield Stretch(stretch.page, begin, min(begin + self.n_per_frame, stretch.end))

    @property
    def finished(self) -> bool:
        """Return whether every frame was sent."""
        return self._next is None

    def next_frame(self) -> bytes | None:
        """Return the next frame, None after the last one."""
        while self._next is not None and self._next.page.erased:
            self.incomplete = True
            self._next = next(self._pieces, None)
        piece = self._next
        if piece is None:
            return None
        self._next = next(self._pieces, None)
        page = piece.page
        flags = int(FrameFlag.STORED)
        if piece.begin == 0:
            flags |= page.flags
        if self._next is None:
            flags |= FrameFlag.LAST
        frame = sample_frame(
            page.samples[piece.begin : piece.end],
            frame_type=self.frame_type,
            flags=flags,
            seq=self.seq,
            index0=piece.first,
            device_us=int(page.device_us[piece.begin]),
            rate_code=page.rate_code,
        )
        self.seq = (self.seq + 1) % SEQ_MODULUS
        self.n_sent += piece.n
        return frame
