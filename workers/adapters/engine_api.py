"""The few calls of the Docker Engine API that replacing a container takes. Decides nothing. Source: Docker Engine API 1.41.

What is changed is named by id, never by name: names move during a replacement, and the Engine takes a name that is nobody's for
the beginning of an id. So a call that comes late (its worker was stopped, the Engine was stuck) meets the container it meant
or none.
"""

import base64
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from wharfinger.runtime.settings import Source
from workers.adapters.http import Answer, Endpoint, request, streaming
from workers.adapters.registry import endpoint_of
from workers.decide.pull_failure import is_final
from workers.errors import BadInput, Unavailable

PULL_S: Final = 3_600.0
PULL_IDLE_S: Final = 120.0
LOOK_S: Final = 10.0
CHANGE_S: Final = 300.0
"""Creating copies an image's files into new volumes, removing deletes them; and what was given up may still be done, late."""
MAX_PROGRESS: Final = 1024 * 1024
"""Bytes of one line of a pull's progress; usual ones have a hundred. One that did not end would be collected for an hour."""
MAX_SAID: Final = 300
STOP_GRACE_S: Final = 10
"""The Engine's own, when a container has none."""
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_ERROR: Final = 400
_SERVER_ERROR: Final = 500


class EngineApi:
    """An Engine behind a unix socket or TCP.

    Every call raises Unavailable when the Engine does not answer or has trouble of its own, and BadInput when it refuses.
    Before every call that changes something ``before`` is called; whatever it raises, the call is not made.
    """

    def __init__(self, host: str, before: Callable[[], None]) -> None:
        self._host = host
        self._before = before

    def named(self, name: str) -> dict[str, Any] | None:
        """Inspect the container of a name; None when there is none."""
        found = self._get(f"/containers/{quote(name)}/json")
        return found if found is not None and found["Name"] == f"/{name}" else None

    def container(self, ident: str) -> dict[str, Any] | None:
        """Inspect a container by its whole id; None when there is none, or no id."""
        return self._get(f"/containers/{quote(ident)}/json") if ident else None

    def image(self, ident: str) -> dict[str, Any] | None:
        """Inspect an image; None when there is none."""
        return self._get(f"/images/{quote(ident, safe='/:@')}/json")

    def containers(self) -> list[dict[str, Any]]:
        """All containers, also stopped ones, as the Engine lists them."""
        listed: Any = self._get("/containers/json?all=1")
        return listed or []

    def create(self, name: str, body: dict[str, Any]) -> str:
        """Create a container; its id."""
        path = f"/containers/create?{urlencode({'name': name})}"
        answer = self._change("POST", path, body, passed=_CONFLICT)
        if answer.status == _CONFLICT:
            # The name holds a delivery's id: only an earlier try of the same, which the Engine carried out late, can have it.
            raise Unavailable(f"the Engine answered {answer.status}: {_message(answer.body)}")
        return str(_parsed(answer)["Id"])

    def connect(self, network: str, ident: str, settings: object) -> None:
        """Join a network."""
        self._change("POST", f"/networks/{quote(network)}/connect", {"Container": ident, "EndpointConfig": settings})

    def rename(self, ident: str, name: str) -> None:
        """Give another name."""
        self._change("POST", f"/containers/{ident}/rename?{urlencode({'name': name})}")

    def start(self, ident: str) -> None:
        """Start it, unless it runs. Whatever the Engine says against it is BadInput: it is about this container."""
        self._change("POST", f"/containers/{ident}/start", own_trouble=False)

    def stop(self, ident: str, grace_s: int | None) -> None:
        """Stop it, unless it stands, in its own time to end; as ``start``. Also waits for a stop that is under way."""
        grace = STOP_GRACE_S if grace_s is None else grace_s
        self._change("POST", f"/containers/{ident}/stop?t={grace}", timeout_s=grace + CHANGE_S, own_trouble=False)

    def remove(self, ident: str) -> None:
        """Remove one that does not run, if it is there; its volumes stay. Without force: what serves is never removed."""
        self._change("DELETE", f"/containers/{ident}?v=0", passed=_NOT_FOUND)

    def pull(self, repository: str, digest: str, credentials: dict[str, str] | None) -> None:
        """Pull by digest. The stream is read to its end: the Engine stops pulling when it is closed, and errors stand in it."""
        self._before()
        auth = base64.urlsafe_b64encode(json.dumps(credentials or {}).encode()).decode()
        path = f"/images/create?{urlencode({'fromImage': repository, 'tag': digest})}"
        with streaming(
            self._endpoint(), "POST", path, headers={"X-Registry-Auth": auth}, timeout_s=PULL_S, idle_s=PULL_IDLE_S
        ) as (answer, chunks):
            rest = b""
            for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > MAX_PROGRESS:
                    raise Unavailable(f"the Engine's progress of pulling {repository} cannot be read")
                for line in lines:
                    _raise_pull_error(answer.status, line, repository)
            _raise_pull_error(answer.status, rest, repository)
            if answer.status >= _ERROR:
                raise Unavailable(f"the Engine answered {answer.status} when pulling {repository}")

    def _endpoint(self) -> Endpoint:
        return engine_endpoint(self._host)

    def _get(self, path: str) -> dict[str, Any] | None:
        answer = request(self._endpoint(), "GET", path, timeout_s=LOOK_S)
        if answer.status == _NOT_FOUND:
            return None
        _raise_refusal(answer, own_trouble=True)
        return _parsed(answer)

    def _change(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout_s: float = CHANGE_S,
        own_trouble: bool = True,
        passed: int = 0,
    ) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        self._before()
        answer = request(self._endpoint(), method, path, headers=headers, body=data, timeout_s=timeout_s)
        if answer.status != passed:
            _raise_refusal(answer, own_trouble=own_trouble)
        return answer


def engine_endpoint(host: str) -> Endpoint:
    """Where an Engine is: ``unix:///path`` or ``tcp://host:port``. Raises Unavailable: its name does not resolve."""
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return Endpoint("docker", 80, unix=parts.path)
    return endpoint_of(f"http://{parts.netloc}")


def login_of(source: Source | None, registry_host: str) -> dict[str, str] | None:
    """As whom an Engine pulls from a source; None: as nobody."""
    if source is None or source.password is None:
        return None
    password = source.password.reveal().decode()
    return {"username": source.account, "password": password, "serveraddress": registry_host}


def _raise_refusal(answer: Answer, *, own_trouble: bool) -> None:
    if answer.status < _ERROR:
        return
    said = f"the Engine answered {answer.status}: {_message(answer.body)}"
    if answer.status >= _SERVER_ERROR and own_trouble:
        raise Unavailable(said)
    raise BadInput(said)


def _parsed(answer: Answer) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(answer.body)
    except ValueError as error:
        raise Unavailable("the Engine answered with something that is not JSON") from error
    return found


def _raise_pull_error(status: int, line: bytes, repository: str) -> None:
    if not line.strip():
        return
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Unavailable(f"the Engine's progress of pulling {repository} cannot be read") from error
    if "error" in record or "errorDetail" in record or ("message" in record and "status" not in record):
        said = _storable(str(record.get("error") or record.get("message")))
        fault = BadInput if is_final(status, said) else Unavailable
        raise fault(f"pulling {repository}: {said}")


def _message(body: bytes) -> str:
    try:
        return _storable(str(json.loads(body)["message"]))
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _storable(text: str) -> str:
    # A lone surrogate and a NUL are legal JSON, and nothing that a ledger can hold.
    return text[:MAX_SAID].encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
