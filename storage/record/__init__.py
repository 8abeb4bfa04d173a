"""The raw record: every sample that reached the host, once, in the order of its own index."""

from storage.record.types import Anchors, Channel, Chunk, Packet, Stream, StreamInfo

__all__ = ["Anchors", "Channel", "Chunk", "Packet", "Stream", "StreamInfo"]
