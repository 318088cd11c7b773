"""What can go wrong in the notifier, classed by what the registry must do. Never anything because of an event's content."""


class NotifierError(Exception):
    """Never raised itself."""


class Unavailable(NotifierError):  # noqa: N818 - named for the state it reports
    """It cannot be stored now: 503, the registry keeps it and tries again."""


class BrokenOff(NotifierError):  # noqa: N818 - named for what happened
    """The body did not come whole: there is nobody to answer, and nothing is stored."""
