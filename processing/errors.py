"""Errors of the numerical core.

ProcessingError
├── InputError            an array or value that the contract does not allow
├── AlignmentError        calibration data from which no alignment can be had
└── StateError            a saved state that does not fit this program
"""


class ProcessingError(Exception):
    """Root of all errors raised by `processing`."""


class InputError(ProcessingError, ValueError):
    """An array or value breaks the contract; the message names it, where, and the remedy."""


class AlignmentError(ProcessingError):
    """No sensor-to-segment alignment can be estimated; the message says which step to repeat."""


class StateError(ProcessingError):
    """A saved filter state belongs to another version or other parameters."""
