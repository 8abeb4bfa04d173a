"""Getting data out, in any length with bounded memory: Parquet, Arrow, CSV, Motion-BIDS."""

from storage.exports.bids import BidsSubject, BidsSystem, bids_zip, write_bids
from storage.exports.bids_derived import BidsDerived
from storage.exports.dress import PROVENANCE, Disguise, Dress, dressed
from storage.exports.encode import FORMATS, Format, stream
from storage.exports.everything import everything_zip
from storage.exports.sources import (
    block_batches,
    episode_batches,
    full_rate_batches,
    raw_batches,
    second_batches,
    summary_batches,
)

__all__ = [
    "FORMATS",
    "PROVENANCE",
    "BidsDerived",
    "BidsSubject",
    "BidsSystem",
    "Disguise",
    "Dress",
    "Format",
    "bids_zip",
    "block_batches",
    "dressed",
    "episode_batches",
    "everything_zip",
    "full_rate_batches",
    "raw_batches",
    "second_batches",
    "stream",
    "summary_batches",
    "write_bids",
]
