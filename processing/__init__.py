"""The numerical core: arrays in, arrays out. No I/O, no clock, no randomness."""
