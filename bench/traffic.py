"""Tokens and notifications as real ones are, many of them: bodies recorded from a registry, with ids of their own.

Each token is a client's for one push: its blobs, its manifest, and the reads around them. All are ``exact`` once settled.
"""

import base64
import hashlib
import json
import random
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import redis
from programs import ROOT, House

from wharfinger.wire import keys
from wharfinger.wire.codec import RECORD_FIELD, encode
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.jti import NONCE_BITS, JtiKeys, mint
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.notification import Notification, StoredNotification, compress, to_fields
from wharfinger.wire.scope import Scope
from wharfinger.wire.subject import format_subject

ACCOUNTS: Final = 40
REPOSITORIES: Final = 400
EVENTS_A_TOKEN: Final = 8
RECORDS_A_TOKEN: Final = EVENTS_A_TOKEN + 1
"""In the ledger: its issuance too."""
PIPELINE: Final = 100
"""Tokens in one round trip."""


@dataclass(frozen=True, slots=True)
class Token:
    """One client's token, and the repository it is for."""

    issuance: Issuance
    repository: str


class Traffic:
    """An endless source of it, the same for the same seed but for the time."""

    def __init__(self, home: House, *, seed: int = 1, random_ids: bool = False) -> None:
        """``random_ids``: of events and requests, as registries had them before 3.0; newer ones begin with their time."""
        self._random = random.Random(seed)
        self._random_ids = random_ids
        self.keys = JtiKeys((base64.b64decode((home.folder / "jti.key").read_bytes()),))
        lines = (ROOT / "tests/samples/registry-3.1.1.jsonl").read_text().splitlines()
        events = (json.loads(json.loads(line)["body"])["events"][0] for line in lines)
        self._samples = [event for event in events if event["action"] in {"push", "pull"}]

    def token(self, now_ms: int | None = None) -> Token:
        """One more token, of now unless told otherwise."""
        now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        account = Account(f"user{self._random.randrange(ACCOUNTS):02}")
        repository = f"team/app{self._random.randrange(REPOSITORIES):03}"
        jti = mint(self.keys, account=account, now_ms=now_ms, nonce=self._random.getrandbits(NONCE_BITS))
        scope = (Scope("repository", repository, ("pull", "push")),)
        now = now_ms // 1_000
        issuance = Issuance(
            jti=jti,
            account=account,
            credential=Credential(kind="static", id=hashlib.sha256(account.encode()).hexdigest()[:24]),
            authenticated_by="basic",
            client_addr="127.0.0.1",
            user_agent="skopeo/1.9.3",
            service="registry",
            asked=scope,
            granted=scope,
            rules=(2,),
            policy="0" * 32,
            issued_at=now,
            not_before=now - 10,
            expires_at=now + 900,
        )
        return Token(issuance, repository)

    def body(self, token: Token) -> bytes:
        """One more notification of what was done with a token."""
        return json.dumps({"events": [self.event(token)]}, indent=3).encode()

    def event(self, token: Token, now_ms: int | None = None) -> dict[str, object]:
        """One more event of it."""
        event = dict(self._random.choice(self._samples))
        digest = f"sha256:{self._random.getrandbits(256):064x}"
        event["id"] = self._id(now_ms)
        event["request"] = event["request"] | {"id": self._id(now_ms)}
        at = time.gmtime(None if now_ms is None else now_ms // 1_000)
        event["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%S.", at) + f"{self._random.randrange(1_000_000_000):09}Z"
        was = event["target"]
        url = was["url"].replace(was["digest"], digest).replace(f"/{was['repository']}/", f"/{token.repository}/")
        event["target"] = was | {"repository": token.repository, "digest": digest, "url": url}
        event["actor"] = {"name": format_subject(token.issuance.account, token.issuance.jti)}
        return event

    def _id(self, now_ms: int | None) -> str:
        noise = self._random.getrandbits(128)
        if self._random_ids:
            return str(UUID(int=noise, version=4))
        now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        # Version 7 of RFC 9562: milliseconds, version, variant, and noise.
        return str(UUID(int=now_ms << 80 | 7 << 76 | (noise >> 52 & 0xFFF) << 64 | 2 << 62 | noise & (1 << 62) - 1))

    def fill(self, client: redis.Redis, tokens: int) -> list[Token]:
        """Put tokens and all their events into the streams, as authsvc and notifier leave them."""
        made: list[Token] = []
        for at in range(0, tokens, PIPELINE):
            pipeline = client.pipeline(transaction=False)
            for _ in range(min(PIPELINE, tokens - at)):
                token = self.token()
                made.append(token)
                _record(pipeline, token.issuance)
                for _ in range(EVENTS_A_TOKEN):
                    pipeline.xadd(keys.EVENTS, to_fields(_stored(self.body(token))))  # type: ignore[arg-type]  # bytes are sent
            pipeline.execute()
        return made


def _record(pipeline: "redis.client.Pipeline", issuance: Issuance) -> None:
    value = encode(issuance)
    pipeline.xadd(keys.ISSUANCES, {RECORD_FIELD: value})
    pipeline.set(keys.issuance(Jti(issuance.jti)), value, ex=keys.ISSUANCE_KEEP_S)


def _stored(body: bytes) -> StoredNotification:
    envelope = Notification(
        source="main",
        peer="127.0.0.1",
        received_at=time.time_ns() // 1_000_000,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        content_type="application/vnd.docker.distribution.events.v2+json",
    )
    return StoredNotification(envelope, compress(body))
