"""Makes what ``init`` needs: keys, a certificate, secrets, passwords. Writes files whole or not at all; overwrites none."""

import base64
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from wharfinger.runtime.disk import sync_folder

RSA_BITS: Final = 2_048
VALID_DAYS: Final = 3_650
"""Ten years: registries trust this very certificate, so its end is an outage, and renewal a deliberate act."""
BCRYPT_COST: Final = 10
SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey
KINDS: Final[Mapping[str, Callable[[], SigningKey]]] = {
    "rsa": lambda: rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS),
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ed25519": Ed25519PrivateKey.generate,
}
"""The kinds of keys that registries take."""


def new_key(kind: str = "rsa") -> bytes:
    """A key of one of KINDS, PEM."""
    return KINDS[kind]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_certificate(key_pem: bytes, names: Sequence[str], *, now: datetime) -> bytes:
    """A self-signed certificate for a key, PEM, with every name and address in it. Raises ValueError, TypeError."""
    key = load_pem_private_key(key_pem, None)
    if not isinstance(key, SigningKey):
        raise TypeError("no RSA, EC or Ed25519 key")
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in dict.fromkeys(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    # Ed25519 hashes by itself.
    digest = None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.PEM)


def new_log_key() -> bytes:
    """An Ed25519 key, PEM: it signs the log's checkpoints, and nothing else."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_jti_key() -> bytes:
    """32 random bytes, base64, a line."""
    return base64.b64encode(secrets.token_bytes(32)) + b"\n"


def new_secret() -> bytes:
    """A notification secret or password, a line."""
    return secrets.token_urlsafe(32).encode() + b"\n"


def new_webhook_secret() -> bytes:
    """A secret as Standard Webhooks writes it, a line."""
    return b"whsec_" + base64.b64encode(secrets.token_bytes(32)) + b"\n"


def password_hash(password: bytes) -> str:
    """bcrypt, with the prefix that every reader knows."""
    return bcrypt.hashpw(password, bcrypt.gensalt(BCRYPT_COST)).decode().replace("$2b$", "$2y$", 1)


def write_new(file: Path, content: bytes, *, mode: int = 0o600) -> bool:
    """Write a file that is not there yet: whole under its name, or not at all. False when it is there."""
    if file.exists():
        return False
    # Not by process id: two containers that share the folder have the same, and so has the next process of one that crashed.
    part = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(part, file)  # unlike a rename, this never overwrites
    except FileExistsError:
        return False
    finally:
        part.unlink()
    # The name too is on disk before anybody relies on it: a crash just after must not bring forth another key.
    sync_folder(file.parent)
    return True


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
