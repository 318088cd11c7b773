"""What can go wrong with the ledger, classed by what the caller must do."""


class LedgerError(Exception):
    """Never raised itself."""


class LedgerUnavailable(LedgerError):  # noqa: N818 - named for the state it reports
    """The store did not take or give the data: try again later."""


class LedgerMisuse(LedgerError):  # noqa: N818 - named for the fault it reports
    """A fault of the program or of its set-up: do not try again."""


class LeaseLost(LedgerError):  # noqa: N818 - named for what happened
    """Another worker holds the delivery now: stop at once, and change nothing."""
