"""The keys around the log's checkpoints: who signs them, whose old ones still count, who may cosign. Pure: settings in.

The log is named after its key unless another name is configured: stable for as long as the key is, and no two logs share one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wharfinger.ledger.note import KeyType, MalformedNote, Signer, VerifierKey, parse_vkey, require_name, signer
from wharfinger.runtime.settings import LogSettings, Secret, Witness

ORIGIN: Final = "wharfinger/"
KEY_REMEDY: Final = "restore it, or make one as docs/audit.md shows"
_ORIGIN_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class LogKeys:
    """``signer``: None on a machine that has no key. ``logs``: whose checkpoints count. ``witnesses``: by configured name."""

    signer: Signer | None
    logs: tuple[VerifierKey, ...]
    witnesses: dict[str, VerifierKey]


@dataclass(frozen=True, slots=True)
class KeyFault:
    """What is wrong with one setting of ``ledger``."""

    line: int
    setting: str
    problem: str
    remedy: str


def log_keys(settings: LogSettings) -> LogKeys:
    """The keys of settings without faults. Raises MalformedNote."""
    made = None if settings.key is None else load_signer(settings.key.reveal(), settings.origin)
    former = tuple(parse_vkey(one) for one in settings.former_vkeys)
    witnesses = {one.name: parse_vkey(one.vkey) for one in settings.witnesses}
    return LogKeys(made, (*(() if made is None else (made.verifier,)), *former), witnesses)


def load_signer(pem: bytes, origin: str = "") -> Signer:
    """The log's signer. Raises MalformedNote."""
    try:
        private = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedNote("no private key in PEM without a passphrase") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise MalformedNote("not an Ed25519 key")
    public = private.public_key().public_bytes_raw()
    return signer(origin or ORIGIN + hashlib.sha256(public).digest()[:_ORIGIN_BYTES].hex(), private)


def key_faults(settings: LogSettings) -> list[KeyFault]:
    """Everything wrong with the keys of a configuration."""
    found: list[KeyFault] = []

    def tell(setting: str, problem: str, remedy: str) -> None:
        found.append(KeyFault(settings.lines.get(setting, settings.line), setting, problem, remedy))

    if settings.origin and (why := _why_no_name(settings.origin)):
        tell("origin", why, "write one like registry.example/audit, or leave it out")
    elif settings.key is not None and (why := _why_no_key(settings.key)):
        tell("log_key_file", f"{settings.key_file} holds {why}", KEY_REMEDY)
    for text in settings.former_vkeys:
        if why := _why_no_vkey(text, KeyType.ED25519):
            tell("former_vkeys", why, "write what `wharfinger audit checkpoint --vkey` printed")
    found += [
        KeyFault(one.line, f"witnesses[{at}].vkey", why, "write what the witness's operator gave you")
        for at, one in enumerate(settings.witnesses)
        if (why := _why_no_vkey(one.vkey, KeyType.COSIGNATURE))
    ]
    return [*found, *(fault for what in ("name", "vkey") for fault in _twice(settings.witnesses, what))]


def _twice(witnesses: Sequence[Witness], what: str) -> Iterator[KeyFault]:
    values = [getattr(witness, what) for witness in witnesses]
    for at, (witness, value) in enumerate(zip(witnesses, values, strict=True)):
        if values.count(value) > 1:
            yield KeyFault(witness.line, f"witnesses[{at}].{what}", f"{value} stands for two witnesses", "give each its own")


def _why_no_name(text: str) -> str:
    try:
        require_name(text)
    except MalformedNote as fault:
        return str(fault)
    return ""


def _why_no_key(key: Secret) -> str:
    try:
        load_signer(key.reveal())
    except MalformedNote as fault:
        return str(fault)
    return ""


def _why_no_vkey(text: str, wanted: KeyType) -> str:
    try:
        key = parse_vkey(text)
    except MalformedNote as fault:
        return str(fault)
    return "" if key.type is wanted else f"the verifier key is of type {key.type}, not {wanted.value}"
