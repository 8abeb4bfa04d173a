"""A Capture2Go's recording as a stream: its file is followed live, and read back where missed.

The sensor either streams or records; while it records, its file can be read as it grows. So a file
of ours is the one source of samples, complete by construction: live is its end, backfill is any
other part. A file is a boot, named by when it began, and a sample's index is its place in it.
"""

import asyncio
import contextlib
import logging
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from firmware_protocol.devices import capture2go as c2g
from firmware_protocol.devices import capture2go_files as files
from firmware_protocol.devices import capture2go_layouts as wire
from firmware_protocol.devices.capture2go_frames import HEAD_SIZE
from firmware_protocol.devices.samples import SampleBlock
from ingest.drivers.driver import BackfillOutcome, PacketKind, SensorPacket
from ingest.drivers.numbering import connection_boot
from ingest.errors import CommandRefusedError, IngestError

_log = logging.getLogger("ingest.link")

NAME_PREFIX = "necktrace-"
FRAME_BYTES = HEAD_SIZE + wire.FULL_6D_PACKED.size
"""One frame of eight samples in the file."""
FOLLOW_S = 0.25
"""Pause between looks at the end of the file. Shorter fills the link with questions, longer lets
the picture on Today lag."""
CHUNK_FRAMES = 128
"""Frames of one backfill transfer: 10 s at 100 Hz, about a quarter of a second on air. The live
end waits as long at most."""
STALL_S = 3.0
"""A transfer that does not go on for so long is broken off."""
_HEAD_BYTES = 1024
"""Where the first frame must have begun; what a file begins with is not documented."""
_PIECE = struct.Struct("<QBI")
"""In front of each piece in the inbox: boot, whether it is live, offset."""

Ask = Callable[[str, bytes, Callable[[c2g.Message], bool]], Awaitable[c2g.Message]]


@dataclass(frozen=True, slots=True)
class Following:
    """What a memory streams from."""

    boot: int
    next_index: int
    rate_hz: float
    earlier: tuple[int, ...]
    """Ended files of ours, oldest first."""


@dataclass(slots=True)
class _Transfer:
    boot: int
    live: bool | None
    """None: for this module's own use, not for the inbox."""
    at: int
    moved: asyncio.Event
    kept: bytes = b""


class Capture2GoMemory:
    """Files of one connected sensor.

    Parameters
    ----------
    device_id
        For the packets.
    ask
        Sends a command and returns the first matching answer.
    write
        Sends a command.
    append
        Puts a piece into the inbox: live, then stored ones.
    """

    def __init__(
        self,
        device_id: str,
        ask: Ask,
        write: Callable[[bytes], Awaitable[None]],
        append: tuple[Callable[[bytes], None], Callable[[bytes], None]],
    ) -> None:
        self._device_id = device_id
        self._ask = ask
        self._write = write
        self._append = append
        self._lock = asyncio.Lock()
        self._transfer: _Transfer | None = None
        self._heads: dict[int, int] = {}
        self._rates: dict[int, float] = {}
        self._boots: set[int] = set()
        self._frames: dict[tuple[int, bool], files.StoredFrames] = {}
        self._follower: asyncio.Task[None] | None = None
        self.counts = {"file_strays": 0, "file_stalls": 0, "file_unaligned": 0}

    async def begin(self, mode: bytes, rate_hz: float, *, recording: bool) -> Following | None:
        """Go on with the recording of ours that runs, or start one; None where there is no room.

        Parameters
        ----------
        mode
            Command that chooses the rate.
        rate_hz
            The rate it chooses.
        recording
            Whether the sensor says that it records.

        Raises
        ------
        CommandRefusedError
            It records for somebody else.
        """
        boot = await self._own_recording() if recording else None
        try:
            held = await self._own_files()
        except CommandRefusedError as error:
            _log.warning("the sensor keeps no files: %s", error)
            return None
        self._boots = set(held)
        next_index = 0
        if boot is not None and boot in held:
            found = await self._look_at(boot, held[boot])
            if found is not None and found[1] != rate_hz:
                await self._acknowledged("STOP", files.stop_recording(), files.ID_RECORDING_STOPPED)
                boot = None
            elif found is not None:
                next_index = wire.PACKED_N * _frames_in(held[boot] - found[0])
        if boot is None:
            boot = connection_boot()
            await self._write(mode)
            try:
                await self._ask(
                    "SET_RECORDING",
                    files.set_recording(_name(boot)),
                    lambda m: isinstance(m, files.RecordingName),
                )
                await self._acknowledged(
                    "START_RECORDING", files.start_recording(), files.ID_RECORDING_STARTED
                )
            except CommandRefusedError as error:
                # a full memory, for one: streaming needs none
                _log.warning("the sensor does not record: %s", error)
                return None
        self._boots.add(boot)
        return Following(boot, next_index, rate_hz, tuple(sorted(self._boots - {boot})))

    def follow(self, following: Following) -> None:
        """Send what is new in the file to the inbox from now on, until `end`."""
        self._follower = asyncio.create_task(self._follow(following))

    async def end(self) -> None:
        """Stop following; the sensor goes on recording."""
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
            self._follower = None

    async def backfill(self, boot: int, first: int, last: int | None) -> BackfillOutcome:
        """Read samples `first`..`last` (None: to the end) of a file."""
        if boot not in self._boots:
            return "gone"
        try:
            size = await self._size(boot)
            found = await self._look_at(boot, size)
        except CommandRefusedError as error:
            if error.status != files.ERROR_FILE_NOT_FOUND:
                return "refused"
            self._boots.discard(boot)
            return "gone"
        if found is None:
            return "gone"
        head = found[0]
        n = _frames_in(size - head)
        stop = head + FRAME_BYTES * (n if last is None else min(n, last // wire.PACKED_N + 1))
        at = head + FRAME_BYTES * (first // wire.PACKED_N)
        while at < stop:
            upto = min(at + CHUNK_FRAMES * FRAME_BYTES, stop)
            reached = (await self._transferred(boot, at, upto, live=False)).at
            if reached < at + FRAME_BYTES:
                return "interrupted"
            at = head + FRAME_BYTES * _frames_in(reached - head)
        return "complete"

    async def release(self, boot: int) -> None:
        """Delete an ended file that the host holds for good."""
        if boot in self._boots:
            await self._ask(
                "DELETE", files.delete_file(_name(boot)), lambda m: isinstance(m, files.FileDeleted)
            )
            self._boots.discard(boot)

    def receive(self, message: files.FileBytes) -> None:
        """Take a piece; called by the notification callback."""
        transfer = self._transfer
        if transfer is None or message.offset != transfer.at:
            self.counts["file_strays"] += 1
            return
        transfer.at += len(message.data)
        if transfer.live is None:
            transfer.kept += message.data
        else:
            head = _PIECE.pack(transfer.boot, transfer.live, message.offset)
            self._append[not transfer.live](head + message.data)
        transfer.moved.set()

    def packets(self, piece: bytes, host_mono_ns: int) -> list[SensorPacket]:
        """Return the packets that a piece from the inbox completes."""
        boot, live, offset = _PIECE.unpack_from(piece)
        frames = self._frames.setdefault((boot, bool(live)), files.StoredFrames())
        packets = []
        for position, raw in frames.feed(offset, piece[_PIECE.size :]):
            block = c2g.decoded(raw)
            if isinstance(block, SampleBlock) and block.first_ns is not None:
                kind = PacketKind.LIVE if live else PacketKind.BACKFILL
                packets.append(self._packet(boot, kind, position, block, host_mono_ns))
        return packets

    def _packet(
        self, boot: int, kind: PacketKind, position: int, block: SampleBlock, host_mono_ns: int
    ) -> SensorPacket:
        place = (position - self._heads[boot]) / FRAME_BYTES
        self.counts["file_unaligned"] += not place.is_integer()
        samples = block.samples
        samples.flags.writeable = False
        assert block.first_ns is not None
        return SensorPacket(
            device_id=self._device_id,
            boot=boot,
            stream=block.stream,
            kind=kind,
            # whatever else the sensor may write between frames moves them by less than one
            first_index=wire.PACKED_N * round(place),
            device_us=block.first_ns // 1000,
            host_mono_ns=host_mono_ns,
            samples=samples,
            clip=block.clip,
            lost_before=block.gap_before,
        )

    async def _follow(self, following: Following) -> None:
        boot = following.boot
        at: int | None = None
        try:
            while True:
                size = await self._size(boot)
                found = await self._look_at(boot, size)
                if found is not None:
                    head = found[0]
                    if at is None:
                        at = head + FRAME_BYTES * following.next_index // wire.PACKED_N
                    upto = head + FRAME_BYTES * _frames_in(size - head)
                    if upto > at:
                        reached = (await self._transferred(boot, at, upto, live=True)).at
                        at = max(at, head + FRAME_BYTES * _frames_in(reached - head))
                await asyncio.sleep(FOLLOW_S)
        except IngestError as error:
            # the link ends by itself, or by its watchdog
            _log.info("following the sensor's file ended: %s", error)

    async def _transferred(
        self, boot: int, start: int, stop: int, *, live: bool | None
    ) -> _Transfer:
        """Transfer a part of a file; the result says how far it came."""
        async with self._lock:
            transfer = _Transfer(boot, live, start, asyncio.Event())
            self._transfer = transfer
            try:
                await self._write(files.get_bytes(_name(boot), start, stop))
                while transfer.at < stop:
                    transfer.moved.clear()
                    async with asyncio.timeout(STALL_S):
                        await transfer.moved.wait()
            except TimeoutError:
                self.counts["file_stalls"] += 1
                await self._acknowledged(
                    "STOP_GET_BYTES", files.stop_get_bytes(), files.ID_STOPPED_GET_BYTES
                )
            finally:
                self._transfer = None
            return transfer

    async def _look_at(self, boot: int, size: int) -> tuple[int, float] | None:
        """Return where the first frame of a file is and its rate; None before there is one."""
        if boot not in self._heads and size >= FRAME_BYTES:
            begin = await self._transferred(boot, 0, min(size, _HEAD_BYTES), live=None)
            for position, raw in files.StoredFrames().feed(0, begin.kept):
                block = c2g.decoded(raw)
                if isinstance(block, SampleBlock) and block.rate_hz is not None:
                    self._heads[boot] = position
                    self._rates[boot] = block.rate_hz
                    break
        if boot not in self._heads:
            return None
        return self._heads[boot], self._rates[boot]

    async def _own_recording(self) -> int | None:
        answer = await self._ask(
            "GET_RECORDING", files.get_recording(), lambda m: isinstance(m, files.RecordingName)
        )
        assert isinstance(answer, files.RecordingName)
        boot = _boot_of(answer.name)
        if boot is None:
            raise CommandRefusedError(
                f"The sensor is recording {answer.name or 'a file'} for another program.",
                command="START_RECORDING",
                status=0,
                remedy="End that recording with the maker's app, then try again.",
            )
        return boot

    async def _own_files(self) -> dict[int, int]:
        """Return size by boot of the files that this program made."""
        listed: dict[int, files.StoredFile] = {}
        wanted: list[int] = []

        def complete(message: c2g.Message) -> bool:
            if isinstance(message, files.FileCount):
                listed.clear()
                wanted[:] = [message.count]
            elif isinstance(message, files.StoredFile):
                listed[message.index] = message
            return bool(wanted) and len(listed) >= wanted[0]

        await self._ask("LIST_FILES", files.list_files(), complete)
        named = {_boot_of(each.name): each.size for each in listed.values()}
        return {boot: size for boot, size in named.items() if boot is not None}

    async def _size(self, boot: int) -> int:
        name = _name(boot)
        answer = await self._ask(
            "GET_SIZE",
            files.get_size(name),
            lambda m: isinstance(m, files.FileSize) and m.name == name,
        )
        assert isinstance(answer, files.FileSize)
        return answer.size

    async def _acknowledged(self, name: str, command: bytes, wanted: int) -> None:
        await self._ask(name, command, lambda m: isinstance(m, c2g.Acknowledged) and m.id == wanted)


def _frames_in(n_bytes: int) -> int:
    return max(0, n_bytes // FRAME_BYTES)


def _name(boot: int) -> str:
    return f"{NAME_PREFIX}{boot}"


def _boot_of(name: str) -> int | None:
    number = name.removeprefix(NAME_PREFIX)
    return int(number) if number != name and number.isdecimal() else None
