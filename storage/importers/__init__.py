"""Readers of foreign recordings (Motion-BIDS, CSV, TSV, Parquet), streamed in bounded memory."""

from storage.importers.errors import ImportFormatError
from storage.importers.open import open_recording
from storage.importers.source import ImportedRecording, SensorChannels

__all__ = ["ImportFormatError", "ImportedRecording", "SensorChannels", "open_recording"]
