"""Readers of foreign recordings (Motion-BIDS, CSV, TSV, Parquet), streamed in bounded memory."""

from storage.importers.errors import ImportFormatError
from storage.importers.gyroscope import GyroscopeCheck
from storage.importers.open import open_recording
from storage.importers.source import ImportedRecording, SensorChannels
from storage.importers.to_record import Recorded, record_recording

__all__ = [
    "GyroscopeCheck",
    "ImportFormatError",
    "ImportedRecording",
    "Recorded",
    "SensorChannels",
    "open_recording",
    "record_recording",
]
