"""Forged tokens against a real registry, and the table that the verifier is held to, played on it again.

The registry is Debian's, or the one that WHARFINGER_REGISTRY names; by its own word for its version it is held to a column.
"""

import http.client
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.real.conftest import REGISTRY, answers, free_port, need, spawn, wait_until
from tests.tokens import FORGED, ISSUER, REPOSITORY, SERVICE, TABLE, Keys, token
from tests.verifier import Registry, Release

pytestmark = pytest.mark.real


@dataclass
class Running:
    """A real registry, and the keys it knows."""

    port: int
    keys: Keys
    release: Release
    trusts: str

    def status(self, bearer: str) -> int:
        """What it says to a pull with a token: 404 when it takes it, for there is no such repository."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", f"/v2/{REPOSITORY}/tags/list", headers={"Authorization": f"Bearer {bearer}"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def accepts(self, bearer: str) -> bool:
        """Whether it takes a token."""
        found = self.status(bearer)
        assert found in {401, 404}
        return found == 404


def version() -> Release:
    """The release that is tested."""
    need(REGISTRY)
    said = subprocess.run([REGISTRY, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    found = re.search(r"\bv?(\d+\.\d+)\.\d", said)
    assert found, said
    return Release(found[1])


# Debian's is 2.8, which reads no jwks; a registry that is named may be a newer one.
TRUSTS = ("bundle", "zero", "jwks") if "WHARFINGER_REGISTRY" in os.environ else ("bundle", "zero")


@pytest.fixture(scope="module", params=TRUSTS)
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for each way of trusting keys that its release has."""
    release, trusts = version(), str(request.param)
    if trusts == "jwks" and release is Release.V28:
        pytest.skip("2.8 reads no jwks")
    keys, folder, port = Keys(), tmp_path_factory.mktemp("registry"), free_port()
    settings = {"realm": "http://127.0.0.1:9/auth", "issuer": ISSUER, "service": SERVICE}
    (folder / "keys.json").write_text(json.dumps(keys.key_set()))
    (folder / "bundle.pem").write_bytes(
        b"".join(one.public_bytes(Encoding.PEM) for one in keys.bundle(release, zero=trusts == "zero"))
    )
    settings |= {"jwks": str(folder / "keys.json")} if trusts == "jwks" else {"rootcertbundle": str(folder / "bundle.pem")}
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"inmemory": {}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"token": settings},
    }
    (folder / "registry.yml").write_text(json.dumps(config))
    program = spawn([REGISTRY, "serve", folder / "registry.yml"], folder / "registry.log")
    wait_until("the registry", lambda: answers(f"http://127.0.0.1:{port}/v2/"))
    yield Running(port, keys, release, trusts)
    program.stop()


def test_what_was_seen_is_so(registry: Running) -> None:
    """Every row of the table that this registry can be asked."""
    rows = [row for row in TABLE if row.trusts == registry.trusts]
    now = int(time.time())
    found = {row.name: registry.accepts(row.make(registry.keys, now)) for row in rows}
    assert found == {row.name: row.expected(registry.release) for row in rows}


def test_no_forgery_is_taken(registry: Running) -> None:
    """None of them; and a good one before and after, so that it is not the registry that refuses everything."""
    good = {"bundle": registry.keys.rsa, "zero": registry.keys.zero, "jwks": registry.keys.ed}[registry.trusts]

    def genuine() -> str:
        if registry.trusts == "jwks":
            return token(good, int(time.time()), kid="ed-1")
        return token(good, int(time.time()), x5c=True)

    assert registry.accepts(genuine())
    taken = []
    for name, make in FORGED.items():
        forged = make(registry.keys, int(time.time()))
        assert forged.isascii(), name
        if registry.accepts(forged):
            taken.append(name)
    assert taken == []
    assert registry.accepts(genuine())


def test_the_verifier_agrees(registry: Running) -> None:
    """On everything above, one by one: what the unit tests hold our tokens to is what a real registry does."""
    plain = registry.keys
    same = (
        Registry(registry.release, ISSUER, SERVICE, jwks=plain.key_set())
        if registry.trusts == "jwks"
        else Registry(registry.release, ISSUER, SERVICE, plain.bundle(registry.release, zero=registry.trusts == "zero"))
    )
    for make in [*(row.make for row in TABLE), *FORGED.values()]:
        now = int(time.time())
        made = make(plain, now)
        assert same.accepts(made, now=now) is registry.accepts(made), made


@pytest.mark.parametrize("header", ["Bearer  {}", "bearer {}", "Bearer {} ", "Basic {}", "{}", "Bearer {}, Bearer {}"])
def test_how_a_token_is_shown(registry: Running, header: str) -> None:
    """The scheme's case does not matter; two spaces, two tokens and other schemes do."""
    made = (
        token(registry.keys.ed, int(time.time()), kid="ed-1")
        if registry.trusts == "jwks"
        else token(registry.keys.rsa, int(time.time()), x5c=True)
    )
    connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=20)
    connection.request("GET", f"/v2/{REPOSITORY}/tags/list", headers={"Authorization": header.format(made, made)})
    status = connection.getresponse().status
    connection.close()
    assert status == (404 if header.strip().lower() == "bearer {}" else 401)
