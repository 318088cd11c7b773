"""What can go wrong in authsvc, classed by what the caller must do."""

from wharfinger.runtime import errors


class AuthError(Exception):
    """Never raised itself."""


class Unavailable(AuthError):  # noqa: N818 - named for the state it reports
    """Something beside us does not answer, or too much is asked at once: 503, try again."""


class Misconfigured(AuthError, errors.Misconfigured):  # noqa: N818 - named for the state it reports
    """The set-up is wrong: refuse to start."""
