"""Faults of starting up and of what stands beside us, classed by what the operator or the caller must do."""


class Misconfigured(Exception):  # noqa: N818 - named for the state it reports
    """The set-up is wrong: change the named setting, then start again. Never worth a retry."""


class Unavailable(Exception):  # noqa: N818 - named for the state it reports
    """Something beside us does not answer now: try again later."""
