"""Drone: a custom build. Source: Drone's API, "Build Create": what stands in the query becomes the build's ``params``."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from wharfinger.runtime.settings import DroneTarget, Secret
from workers.decide.conversation import Ask, Conversation
from workers.decide.fields import filled
from workers.decide.order import Order
from workers.decide.targets.builds import begin_build, follow_build


class Drone:
    """A ``Talk``."""

    def __init__(self, settings: DroneTarget) -> None:
        self._settings = settings
        self._builds = f"{urlsplit(settings.reach.url).path}/api/repos/{quote(settings.repository)}/builds"

    def secrets(self) -> tuple[Secret, ...]:
        """The token."""
        return (self._settings.token,)

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Run a build with parameters."""
        query = {"branch": self._settings.branch} if self._settings.branch else {}
        query |= filled(self._settings.parameters, order)
        return (yield from begin_build(self._ask("POST", f"?{urlencode(query)}"), now_s=now_s))

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look at it."""
        return (
            yield from follow_build(
                order,
                noted,
                ask=lambda path: self._ask("GET", path),
                given="params",
                timeout_s=self._settings.timeout_s,
                now_s=now_s,
            )
        )

    def _ask(self, method: str, path: str) -> Ask:
        headers = {"Authorization": f"Bearer {self._settings.token.reveal().decode()}"}
        return Ask(method=method, path=self._builds + path, headers=headers)
