"""What can be wrong with a recording that somebody hands in."""


class ImportFormatError(ValueError):
    """The recording cannot be read as it stands; the message says what, where and the remedy."""
