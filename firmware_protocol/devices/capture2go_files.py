"""Capture2Go's memory: recordings as files, whose content is the frames that streaming would send.

Source: Capture2Go communication protocol (MIT), capture2go 1.0.1. A recording goes on when the link
is lost, and its file can be read while it grows. What the document leaves open (whether the end
position of a transfer is included, how soon new frames are in the file) is left to the reader.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from firmware_protocol.devices.capture2go_frames import RawMessage, encode_message, scan
from firmware_protocol.errors import FieldError
from firmware_protocol.layout import Field, Layout

ID_SET_RECORDING, ID_GET_RECORDING, ID_RECORDING = 0x0140, 0x0141, 0x0142
ID_START_RECORDING, ID_RECORDING_STARTED = 0x0154, 0x0155
ID_STOP_RECORDING, ID_RECORDING_STOPPED = 0x0156, 0x0157
ID_LIST_FILES, ID_FILE_COUNT, ID_FILE = 0x0500, 0x0501, 0x0502
ID_GET_BYTES, ID_BYTES = 0x0503, 0x0504
ID_STOP_GET_BYTES, ID_STOPPED_GET_BYTES = 0x0505, 0x0506
ID_GET_SIZE, ID_SIZE = 0x0507, 0x0508
ID_DELETE_FILE, ID_FILE_DELETED = 0x0509, 0x050A
ACKNOWLEDGEMENTS = frozenset({ID_RECORDING_STARTED, ID_RECORDING_STOPPED, ID_STOPPED_GET_BYTES})
ERROR_FILE_NOT_FOUND = 0xF0
ERROR_FILE_SYSTEM_FULL = 0xF6
NAME_SIZE = 65

_NAME = Field("name", "u8", "-", "file name, rest zero", NAME_SIZE)
RECORDING = Layout(
    "recording_config",
    "Where a recording goes.",
    (
        Field("end", "i64", "ns", "when it ends by itself, 0 never"),
        Field("relative", "u8", "-", "whether the end counts from the start"),
        _NAME,
    ),
)
FILE_COUNT = Layout("file_count", "Files.", (Field("count", "u16", "-", "number"),))
FILE = Layout(
    "file",
    "One file.",
    (Field("index", "u16", "-", "from 0"), _NAME, Field("size", "u32", "B", "size")),
)
GET_BYTES = Layout(
    "get_bytes",
    "Part of a file.",
    (_NAME, Field("start", "u32", "B", "from"), Field("end", "u32", "B", "to; 0: all")),
)
NAME = Layout("file_name", "A file.", (_NAME,))
SIZE = Layout("file_size", "Size of a file.", (_NAME, Field("size", "u32", "B", "size")))
_OFFSET_SIZE = 4


# --- host to sensor -----------------------------------------------------------------------


def set_recording(name: str) -> bytes:
    """Name the file of the next recording, which ends only when it is stopped."""
    return encode_message(ID_SET_RECORDING, RECORDING.pack(0, 0, _packed(name)))


def get_recording() -> bytes:
    """Ask for `RecordingName`."""
    return encode_message(ID_GET_RECORDING)


def start_recording() -> bytes:
    """Record what the measurement mode says into the file named."""
    return encode_message(ID_START_RECORDING)


def stop_recording() -> bytes:
    """End the recording; the file stays."""
    return encode_message(ID_STOP_RECORDING)


def list_files() -> bytes:
    """Ask for `FileCount` and one `StoredFile` each."""
    return encode_message(ID_LIST_FILES)


def get_size(name: str) -> bytes:
    """Ask for `FileSize`."""
    return encode_message(ID_GET_SIZE, NAME.pack(_packed(name)))


def get_bytes(name: str, start: int, end: int) -> bytes:
    """Ask for a part of a file, in many `FileBytes`."""
    return encode_message(ID_GET_BYTES, GET_BYTES.pack(_packed(name), start, end))


def stop_get_bytes() -> bytes:
    """End a transfer."""
    return encode_message(ID_STOP_GET_BYTES)


def delete_file(name: str) -> bytes:
    """Delete a file; answered by `FileDeleted`."""
    return encode_message(ID_DELETE_FILE, NAME.pack(_packed(name)))


def _packed(name: str) -> bytes:
    data = name.encode("ascii", errors="replace")
    if not 0 < len(data) < NAME_SIZE:
        raise FieldError("name", name, f"1 to {NAME_SIZE - 1} characters long")
    return data.ljust(NAME_SIZE, b"\0")


# --- sensor to host -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordingName:
    """The file that is, or will be, recorded into."""

    name: str


@dataclass(frozen=True, slots=True)
class FileCount:
    """How many files there are; as many `StoredFile` follow."""

    count: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of the list."""

    index: int
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class FileSize:
    """How much of a file there is by now."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A piece of the file that was asked for."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FileDeleted:
    """A file is gone."""

    name: str


FileMessage: TypeAlias = RecordingName | FileCount | StoredFile | FileSize | FileBytes | FileDeleted


def decode_file_message(kind: int, payload: bytes) -> FileMessage | None:
    """Return the message, None where the payload has a wrong size.

    Raises
    ------
    KeyError
        The id is none of this module's.
    """
    if kind == ID_BYTES:
        if len(payload) <= _OFFSET_SIZE:
            return None
        return FileBytes(
            int.from_bytes(payload[:_OFFSET_SIZE], "little"), bytes(payload[_OFFSET_SIZE:])
        )
    layout, make = _DECODE[kind]
    return make(*layout.unpack(payload)) if len(payload) == layout.size else None


def _text(data: bytes) -> str:
    return bytes(data).split(b"\0")[0].decode("ascii", errors="replace")


_DECODE: dict[int, tuple[Layout, Callable[..., FileMessage]]] = {
    ID_RECORDING: (RECORDING, lambda _end, _relative, name: RecordingName(_text(name))),
    ID_FILE_COUNT: (FILE_COUNT, FileCount),
    ID_FILE: (FILE, lambda index, name, size: StoredFile(index, _text(name), size)),
    ID_SIZE: (SIZE, lambda name, size: FileSize(_text(name), size)),
    ID_FILE_DELETED: (NAME, lambda name: FileDeleted(_text(name))),
}
FILE_IDS = frozenset(_DECODE) | {ID_BYTES}
"""Ids that `decode_file_message` knows."""


@dataclass(slots=True)
class StoredFrames:
    """Frames of one file with their positions, from pieces of it; noise is counted, not raised.

    Pieces that follow each other are put together; after a jump it finds the next frame itself.
    """

    counts: Counter[str] = field(default_factory=Counter)
    _buffer: bytes = b""
    _begin: int = 0

    def feed(self, offset: int, data: bytes) -> list[tuple[int, RawMessage]]:
        """Return the frames that this piece completes, each with its position in the file."""
        if offset != self._begin + len(self._buffer):
            self._buffer, self._begin = b"", offset
        buffer = self._buffer + data
        found, used = scan(buffer, self.counts)
        frames = [(self._begin + at, message) for at, message in found]
        self._buffer, self._begin = buffer[used:], self._begin + used
        return frames
