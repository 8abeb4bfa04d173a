"""Reference texts that are read from the code."""
