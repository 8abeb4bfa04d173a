"""The raw record: every sample that reached the host, once, in the order of its own index."""

from storage.record.damage import Damage
from storage.record.direct import DirectWriter
from storage.record.lock import LockHolder, lock_holder
from storage.record.reader import RecordReader
from storage.record.types import Anchors, Channel, Chunk, Packet, Stream, StreamInfo
from storage.record.verify import verify
from storage.record.writer import CommitInfo, RecordWriter, WriterState

__all__ = [
    "Anchors",
    "Channel",
    "Chunk",
    "CommitInfo",
    "Damage",
    "DirectWriter",
    "LockHolder",
    "Packet",
    "RecordReader",
    "RecordWriter",
    "Stream",
    "StreamInfo",
    "WriterState",
    "lock_holder",
    "verify",
]
