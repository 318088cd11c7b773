"""A crowd of real clients at once: each request that a registry tells of is marked, and it is known which token it was made with.

What is true is written down by who sends the request, never read from our side: the User-Agent is each request's own, and a
registry repeats it. Clients use several tokens in one push, as buildkit and skopeo do, another one in the middle, and mount.
"""

import json
import os
import random
import threading
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

import jwt

from wharfinger.cli.pusher import MANIFEST_TYPE, Image, digest_of, make_image
from workers.adapters.http import Answer, request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import basic

BASE: Final = "crowd/base"
"""Where everybody mounts from."""


@dataclass(frozen=True)
class Told:
    """A request that the registry tells of: by which token, and what it did."""

    account: str
    jti: str
    action: str
    repository: str


@dataclass
class Truths:
    """What everybody did, by the User-Agent of each request."""

    told: dict[str, Told] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, agent: str, told: Told) -> None:
        """One more."""
        with self._lock:
            self.told[agent] = told


@dataclass(frozen=True)
class Token:
    """A token as a client has it."""

    text: str
    account: str
    jti: str


@dataclass(frozen=True)
class Site:
    """A registry and its token service, by their URLs; everybody's password, and what everybody mounts."""

    registry: str
    auth: str
    password: str
    base: Image


class RealClient:
    """One client: an account that others have too, and repositories of which some are others' too."""

    def __init__(self, number: int, site: Site, account: str, truths: Truths) -> None:
        self._name = f"client{number}"
        self._random = random.Random(number)
        self._site, self._account, self._truths = site, account, truths
        self._sent = 0

    def live(self, rounds: int) -> None:
        """So many pushes, each looked at and pulled, and some deleted."""
        for at in range(rounds):
            deletes = self._random.random() < 0.3
            # A registry that deletes looks all tags of the repository up, and answers 500 while another is being written.
            repository = f"crowd/{self._name}" if deletes else f"crowd/app{self._random.randrange(5)}"
            image = make_image(os.urandom(32))
            self._push(image, repository, f"{self._name}-{at}")
            self._pull(image, repository, f"{self._name}-{at}")
            if deletes:
                self._delete(image, repository)

    def token(self, *scopes: str, anonymous: bool = False) -> Token:
        """Another token."""
        asked = "&".join(f"scope={quote(scope, safe=':,')}" for scope in scopes)
        headers = {} if anonymous else {"Authorization": basic(self._account, self._site.password.encode())}
        answer = request(endpoint_of(self._site.auth), "GET", f"/auth?service=registry&{asked}", headers=headers)
        assert answer.status == 200, answer
        text = json.loads(answer.body)["token"]
        claims = jwt.decode(text, options={"verify_signature": False})
        return Token(text, "" if anonymous else self._account, claims["jti"])

    def push_base(self) -> None:
        """What the others mount from."""
        self._push(self._site.base, BASE, "v1", mounts=False)

    def _push(self, image: Image, repository: str, tag: str, *, mounts: bool = True) -> None:
        wide = (f"repository:{repository}:pull,push", f"repository:{BASE}:pull")
        tokens = [self.token(*wide) for _ in range(self._random.randrange(1, 4))]
        for blob in (image.layer, image.config):
            # It is not there yet: the registry has nothing to tell.
            self._send(self._random.choice(tokens), "HEAD", f"/v2/{repository}/blobs/{digest_of(blob)}", 404)
            self._upload(tokens, blob, repository)
            if self._random.random() < 0.3:
                tokens.append(self.token(*wide))
        if mounts:
            query = f"mount={digest_of(self._site.base.layer)}&from={quote(BASE, safe='')}"
            path = f"/v2/{repository}/blobs/uploads/?{query}"
            self._tells("mount", repository, self._random.choice(tokens), method="POST", path=path, wanted=201)
        manifest, token = f"/v2/{repository}/manifests/{tag}", tokens[-1]
        self._tells("push", repository, token, method="PUT", path=manifest, wanted=201, body=image.manifest, kind=MANIFEST_TYPE)

    def _upload(self, tokens: list[Token], blob: bytes, repository: str) -> None:
        # Begun with one token and ended with another, as after a 401 in the middle.
        started = self._send(self._random.choice(tokens), "POST", f"/v2/{repository}/blobs/uploads/", 202)
        location = urlsplit(started.headers["location"])
        path = f"{location.path}?{location.query}&digest={digest_of(blob)}"
        octets = "application/octet-stream"
        self._tells(
            "push", repository, self._random.choice(tokens), method="PUT", path=path, wanted=201, body=blob, kind=octets
        )

    def _pull(self, image: Image, repository: str, tag: str) -> None:
        token = self.token(f"repository:{repository}:pull", anonymous=self._random.random() < 0.3)
        accept = {"Accept": MANIFEST_TYPE}
        self._tells(
            "probe", repository, token, method="HEAD", path=f"/v2/{repository}/manifests/{tag}", wanted=200, headers=accept
        )
        self._tells(
            "pull",
            repository,
            token,
            method="GET",
            path=f"/v2/{repository}/manifests/{image.digest}",
            wanted=200,
            headers=accept,
        )
        for blob in (image.config, image.layer):
            self._tells("pull", repository, token, method="GET", path=f"/v2/{repository}/blobs/{digest_of(blob)}", wanted=200)

    def _delete(self, image: Image, repository: str) -> None:
        token = self.token(f"repository:{repository}:delete,pull")
        self._tells("delete", repository, token, method="DELETE", path=f"/v2/{repository}/manifests/{image.digest}", wanted=202)

    def _tells(self, action: str, repository: str, token: Token, *, method: str, path: str, wanted: int, **sent: Any) -> None:
        """A request that the registry tells of."""
        self._send(token, method, path, wanted, **sent)
        self._truths.note(self._agent(), Told(token.account, token.jti, action, repository))

    def _send(
        self, token: Token, method: str, path: str, wanted: int, *,
        body: bytes = b"", kind: str = "", headers: dict[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        self._sent += 1
        said = {"Authorization": f"Bearer {token.text}", "User-Agent": self._agent(), **(headers or {})}
        said |= {"Content-Type": kind} if kind else {"Content-Length": "0"}
        answer = request(endpoint_of(self._site.registry), method, path, headers=said, body=body or None)
        assert answer.status == wanted, (method, path, answer)
        return answer

    def _agent(self) -> str:
        return f"{self._name}/{self._sent}"
