"""What can go wrong in the workers, classed by what the caller must do."""


class WorkerError(Exception):
    """Never raised itself."""


class BadInput(WorkerError):  # noqa: N818 - named for the fault it reports
    """What came cannot be used, now or later: never retry."""


class Unavailable(WorkerError):  # noqa: N818 - named for the state it reports
    """Something beside us does not answer now: try again later."""


class Unreached(Unavailable):
    """The same, and for certain nothing was sent to it."""
