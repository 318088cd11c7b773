"""The few calls of the Docker Engine API that replacing a container takes. Decides nothing. Source: Docker Engine API 1.41."""

import base64
import json
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from workers.adapters.http import Endpoint, request, streaming
from workers.adapters.registry import endpoint_of
from workers.errors import BadInput, Unavailable
from workers.ports import Lease

PULL_S: Final = 600.0
PULL_IDLE_S: Final = 120.0
CALL_S: Final = 10.0
STOP_GRACE_S: Final = 10
_NOT_MODIFIED: Final = 304
_NOT_FOUND: Final = 404
_ERROR: Final = 400
_SERVER_ERROR: Final = 500


class EngineApi:
    """An Engine behind a unix socket or TCP. Every call raises Unavailable, or BadInput when the Engine refuses it."""

    def __init__(self, host: str) -> None:
        self._host = host

    def container(self, name: str) -> dict[str, Any] | None:
        """Inspect a container by name or id; None when there is none."""
        return self._json("GET", f"/containers/{quote(name)}/json")

    def image(self, name: str) -> dict[str, Any] | None:
        """Inspect an image; None when there is none."""
        return self._json("GET", f"/images/{quote(name, safe='/:@')}/json")

    def containers(self) -> list[dict[str, Any]]:
        """All containers, also stopped ones."""
        found: Any = self._json("GET", "/containers/json?all=1")
        return found or []

    def create(self, name: str, body: dict[str, Any]) -> str:
        """Create a container; its id."""
        made = self._json("POST", f"/containers/create?{urlencode({'name': name})}", body)
        if made is None:
            raise BadInput("the Engine has not the image it just pulled")
        return str(made["Id"])

    def connect(self, network: str, container: str, settings: object) -> None:
        """Join a network."""
        self._json("POST", f"/networks/{quote(network)}/connect", {"Container": container, "EndpointConfig": settings})

    def rename(self, container: str, name: str) -> None:
        """Give another name."""
        self._json("POST", f"/containers/{quote(container)}/rename?{urlencode({'name': name})}")

    def start(self, container: str) -> None:
        """Start it."""
        self._json("POST", f"/containers/{quote(container)}/start")

    def stop(self, container: str, grace_s: int | None) -> None:
        """Stop it, with its own time to end."""
        grace = STOP_GRACE_S if grace_s is None else grace_s
        self._json("POST", f"/containers/{quote(container)}/stop?t={grace}", timeout_s=grace + CALL_S)

    def remove(self, container: str) -> None:
        """Remove it with force; its volumes stay."""
        self._json("DELETE", f"/containers/{quote(container)}?force=1&v=0")

    def pull(self, repository: str, digest: str, credentials: dict[str, str] | None, lease: Lease) -> None:
        """Pull by digest. The stream is read to its end: the Engine stops pulling when it is closed, and errors stand in it."""
        auth = base64.urlsafe_b64encode(json.dumps(credentials or {}).encode()).decode()
        path = f"/images/create?{urlencode({'fromImage': repository, 'tag': digest})}"
        with streaming(
            self._endpoint(), "POST", path, headers={"X-Registry-Auth": auth}, timeout_s=PULL_S, idle_s=PULL_IDLE_S
        ) as (answer, chunks):
            rest = b""
            for chunk in chunks:
                lease.renew()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    _raise_pull_error(line, repository)
            _raise_pull_error(rest, repository)
            if answer.status >= _ERROR:
                raise Unavailable(f"the Engine answered {answer.status} when pulling {repository}")

    def _endpoint(self) -> Endpoint:
        parts = urlsplit(self._host)
        if parts.scheme == "unix":
            return Endpoint("docker", 80, unix=parts.path)
        return endpoint_of(f"http://{parts.netloc}")

    def _json(self, method: str, path: str, body: object = None, *, timeout_s: float = CALL_S) -> dict[str, Any] | None:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        answer = request(self._endpoint(), method, path, headers=headers, body=data, timeout_s=timeout_s)
        if answer.status == _NOT_FOUND and method in {"GET", "DELETE"}:
            return None
        if answer.status >= _ERROR:
            message = _message(answer.body)
            if answer.status >= _SERVER_ERROR:
                raise Unavailable(f"the Engine answered {answer.status}: {message}")
            raise BadInput(f"the Engine refused with {answer.status}: {message}")
        if not answer.body or answer.status == _NOT_MODIFIED:
            return None
        try:
            found: dict[str, Any] = json.loads(answer.body)
        except ValueError as error:
            raise Unavailable("the Engine answered with something that is not JSON") from error
        return found


def _raise_pull_error(line: bytes, repository: str) -> None:
    if not line.strip():
        return
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Unavailable(f"the Engine's progress of pulling {repository} cannot be read") from error
    if "error" in record or "errorDetail" in record or ("message" in record and "status" not in record):
        raise Unavailable(f"pulling {repository}: {str(record.get('error') or record.get('message'))[:300]}")


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "no reason given"
