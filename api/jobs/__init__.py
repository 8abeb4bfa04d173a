"""Work that is done once and ends: batch, import, results made again."""
