"""Pairs of certificate and key for tests of TLS, and what servers do with them."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from wharfinger.cli.generate import new_certificate, new_key
from wharfinger.runtime.settings import TlsPair


def pair(folder: Path, name: str, *names: str) -> TlsPair:
    """A certificate that vouches for itself."""
    key = new_key("ec")
    made = TlsPair(folder / f"{name}.crt", folder / f"{name}.key")
    made.key.write_bytes(key)
    made.certificate.write_bytes(new_certificate(key, names or ("127.0.0.1", "localhost"), now=datetime.now(UTC)))
    return made


def serving(own: TlsPair, *, clients: TlsPair | None = None) -> ssl.SSLContext:
    """What a server listens with. ``clients``: the only one it takes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.certificate)
    return context
