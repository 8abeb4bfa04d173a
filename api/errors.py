"""Errors of the API and the command line.

ApiError
├── SettingsError      a setting that cannot be used, with where it came from
├── DataFolderError    the data folder is missing, not writable or full
├── AddressError       the address cannot be bound or may not be
├── DemoError          the demonstration could not be started or finished
├── AlertDeliveryError an alert could not be sent
├── ForwardError       a clinic could not be reached, or refused
└── ProblemError       an HTTP answer other than success (RFC 9457)
"""


class ApiError(Exception):
    """Root of all errors raised by `api`; the message is one sentence a person can act on."""

    exit_code = 1
    """Exit code of the command that met it."""


class SettingsError(ApiError):
    """A setting cannot be used; the message names the setting, its source and what is allowed."""

    exit_code = 2


class DataFolderError(ApiError):
    """The data folder cannot be used; the message names the folder and the remedy."""


class AlertDeliveryError(ApiError):
    """An alert could not be sent; the message names the way and the reason, never a secret."""


class AddressError(ApiError):
    """An address cannot be served; the message says why and what to give instead."""


class DemoError(ApiError):
    """The demonstration could not be started or finished; the message names the step."""


class ForwardError(ApiError):
    """A clinic could not be reached or refused; the message says why and what to do.

    Parameters
    ----------
    message : str
    retry_after_s : float, optional
        How long the clinic asked to be left alone.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProblemError(ApiError):
    """An HTTP answer other than success.

    Parameters
    ----------
    status : int
        HTTP status code.
    slug : str
        Last part of the problem's type, stable for programs.
    detail : str
        A sentence for a person.
    """

    def __init__(self, status: int, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
