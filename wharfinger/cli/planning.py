"""What a supervisor should run, by a configuration that may change: reads it anew, keeps the old where the new is faulty."""

from collections.abc import Callable, Sequence

from wharfinger.cli.loading import Place, read
from wharfinger.cli.supervise import Spec
from wharfinger.runtime.configuration import Loaded
from wharfinger.runtime.log import Log
from wharfinger.runtime.settings import Settings
from wharfinger.runtime.watching import look

MakeSpecs = Callable[[Settings], Sequence[Spec]]


class ConfiguredPlan:
    """The supervisor's ``Plan``, of one configuration file."""

    def __init__(self, place: Place, settings: Settings, make: MakeSpecs, log: Log, *, signs: bool = False) -> None:
        """Start from settings that were read just now; ``make`` tells what they want to run. ``signs``: as for ``read``."""
        self._place = place
        self._settings = settings
        self._make = make
        self._log = log
        self._signs = signs
        loaded = read(place, signs=signs)
        log_found(loaded, log)
        self._watched = loaded.watched
        self._seen = look(self._watched)

    def changed(self) -> bool:
        """Whether one of the files is another than when it was read."""
        return look(self._watched) != self._seen

    def specs(self) -> Sequence[Spec] | None:
        """What the file wants now; None when it has faults, which are logged."""
        loaded = read(self._place, signs=self._signs)
        self._watched = loaded.watched
        self._seen = look(self._watched)
        log_found(loaded, self._log)
        if loaded.settings is None:
            self._log("configuration.kept", why="the new file has faults; everything goes on as it was")
            return None
        if loaded.settings.auth.redis_url != self._settings.auth.redis_url:
            self._log("configuration.restart_needed", key="redis.url", why="the store is changed by a restart only")
            return None
        self._settings = loaded.settings
        self._log("configuration.read")
        return self._make(loaded.settings)


def log_found(loaded: Loaded, log: Log) -> None:
    """Log everything that was found in a file: what nobody looks up with `check` is told where it is run."""
    for fault in loaded.found:
        event = "configuration.warning" if fault.warning else "configuration.faulty"
        log(event, line=fault.line, key=fault.key, problem=fault.problem, remedy=fault.remedy)
