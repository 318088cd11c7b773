"""Our signer under every setting that concerns a registry, and which releases must take what it makes of them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from authsvc.adapters.signing import TokenSigner
from tests.tokens import ISSUER, Keys, Pair, claims, pair
from tests.verifier import Release
from wharfinger.runtime.settings import KeyIdForm, Secret, ServiceSettings, SigningKey, TokenSettings, X5c

ALGORITHMS: Final = {
    "rsa": ("RS256", "RS384", "RS512"), "p256": ("ES256",), "p384": ("ES384",), "p521": ("ES512",), "zero": ("ES256",), "zero521": ("ES512",), "ed": ("EdDSA",),
}  # fmt: skip
"""By kind of key; ``zero`` and ``zero521`` are EC keys with a coordinate that starts with a zero byte."""


@dataclass(frozen=True)
class Case:
    """One setting. ``expired``: the key's certificate has ended."""

    kind: str
    algorithm: str
    key_id: KeyIdForm
    x5c: X5c
    expired: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.algorithm} {self.key_id} x5c={self.x5c}{' expired' if self.expired else ''}"

    @property
    def carries(self) -> bool:
        """Whether the token carries its certificate."""
        return self.x5c is X5c.ALWAYS or (self.x5c is X5c.AUTO and not self.expired)

    def taken_by_bundle(self, release: Release) -> bool:
        """Whether a registry that trusts the certificate takes it."""
        if self.carries:
            return not self.expired and (self.kind != "ed" or release is not Release.V28)
        match self.key_id, release:
            case KeyIdForm.LIBTRUST, Release.V28:
                return self.kind != "ed"
            case KeyIdForm.RFC7638, Release.V30:
                return self.kind == "rsa"
            case KeyIdForm.RFC7638, Release.V31:
                return not self.kind.startswith("zero")
            case _:
                return False

    def taken_by_jwks(self, release: Release) -> bool:
        """Whether a registry takes it that reads our key set and nothing else: whichever id it has, but no certificate."""
        return release is not Release.V28 and not self.carries


def cases() -> Iterator[Case]:
    """All of them."""
    for kind, algorithms in ALGORITHMS.items():
        for algorithm, key_id, x5c, expired in itertools.product(algorithms, KeyIdForm, X5c, (False, True)):
            yield Case(kind, algorithm, key_id, x5c, expired)


CASES: Final = tuple(cases())


class Signers:
    """The keys on disk, and signers of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        keys = Keys()
        self._pairs: dict[tuple[str, bool], Pair] = {}
        self._signers: dict[Case, TokenSigner] = {}
        for kind in ALGORITHMS:
            plain: Pair = getattr(keys, kind)
            self._pairs[kind, False] = plain
            self._pairs[kind, True] = pair(plain.key, name=f"{kind} expired", ends=timedelta(days=-1))
        for (kind, expired), one in self._pairs.items():
            (folder / f"{kind}-{expired:d}.key").write_bytes(one.pem())
            (folder / f"{kind}-{expired:d}.crt").write_bytes(one.certificate.public_bytes(Encoding.PEM))

    def certificate(self, case: Case) -> x509.Certificate:
        """What a registry must trust for a case."""
        return self._pairs[case.kind, case.expired].certificate

    def bundle(self, release: Release, *, expired: bool, without: str) -> list[x509.Certificate]:
        """All of them that a release can read, but for one kind: 3.0 knows the last P-256 key only."""
        found = [one.certificate for (kind, ended), one in self._pairs.items() if ended is expired and kind != without]
        return [one for one in found if release is not Release.V28 or not isinstance(one.public_key(), Ed25519PublicKey)]

    def signer(self, case: Case, now: int) -> TokenSigner:
        """Ours, set so. Made once: reading an RSA key costs more than all else."""
        if case not in self._signers:
            self._signers[case] = self._made(case, now)
        return self._signers[case]

    def _made(self, case: Case, now: int) -> TokenSigner:
        name = f"{case.kind}-{case.expired:d}"
        key = SigningKey(f"{case.kind}-key", self._folder / f"{name}.crt", self._folder / f"{name}.key")
        rsa = case.algorithm if case.kind == "rsa" else "RS256"
        default = ServiceSettings(case.key_id, case.x5c)
        return TokenSigner(TokenSettings(ISSUER, 900, (key,), (Secret(b"k" * 32),), rsa, default), now=now)

    def token(self, case: Case, now: int) -> str:
        """What it makes of good claims."""
        return self.signer(case, now).sign(claims(now), service="registry", now=now)

    def key_set(self, *, expired: bool, now: int) -> dict[str, Any]:
        """What all of them publish, together."""
        found: list[Any] = []
        for kind in ALGORITHMS:
            case = Case(kind, ALGORITHMS[kind][0], KeyIdForm.LIBTRUST, X5c.AUTO, expired)
            published = self.signer(case, now).key_set()["keys"]
            assert isinstance(published, list)
            found += published
        return {"keys": found}
