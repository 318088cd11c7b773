"""Woodpecker: a manual pipeline. Source: Woodpecker's API, ``POST /api/repos/{id}/pipelines`` and what is below it."""

import json
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from wharfinger.runtime.settings import Secret, WoodpeckerTarget
from workers.decide.conversation import Ask, Conversation
from workers.decide.fields import filled
from workers.decide.order import Order
from workers.decide.targets.builds import begin_build, follow_build


class Woodpecker:
    """A ``Talk``."""

    def __init__(self, settings: WoodpeckerTarget) -> None:
        self._settings = settings
        self._builds = f"{urlsplit(settings.reach.url).path}/api/repos/{quote(settings.repository)}/pipelines"

    def secrets(self) -> tuple[Secret, ...]:
        """The token."""
        return (self._settings.token,)

    def begin(self, order: Order, *, now_s: int) -> Conversation:
        """Run a pipeline with variables."""
        body = {"branch": self._settings.branch, "variables": filled(self._settings.variables, order)}
        return (yield from begin_build(self._ask("POST", "", json.dumps(body).encode()), now_s=now_s))

    def follow(self, order: Order, noted: Mapping[str, str], *, now_s: int) -> Conversation:
        """Look at it."""
        return (
            yield from follow_build(
                order,
                noted,
                ask=lambda path: self._ask("GET", path),
                given="variables",
                timeout_s=self._settings.timeout_s,
                now_s=now_s,
            )
        )

    def _ask(self, method: str, path: str, body: bytes = b"") -> Ask:
        headers = {"Authorization": f"Bearer {self._settings.token.reveal().decode()}"}
        if body:
            headers["Content-Type"] = "application/json"
        return Ask(method=method, path=self._builds + path, headers=headers, body=body)
