"""A lease for tests of targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wharfinger.ledger.errors import LeaseLost


@dataclass
class Holding:
    """``Lease``, held until it is lost. ``kept``: every note, in its order."""

    renewed: int = 0
    lost: bool = False
    kept: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def noted(self) -> Mapping[str, str]:
        """The last note."""
        return self.kept[-1] if self.kept else {}

    def renew(self) -> None:
        """Hold on."""
        if self.lost:
            raise LeaseLost("taken over")
        self.renewed += 1

    def note(self, what: Mapping[str, str]) -> None:
        """Keep."""
        self.renew()
        self.kept.append(dict(what))
