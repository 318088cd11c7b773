"""Tokens of our own signer against a real registry: Debian's 2.8, or the one that WHARFINGER_REGISTRY names."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.real.conftest import REGISTRY, answers, free_port, spawn, wait_until
from tests.real.test_forged_tokens import Running, version
from tests.signers import CASES, Signers
from tests.tokens import ISSUER, SERVICE, Keys
from tests.verifier import Release

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    """Made once."""
    return Signers(tmp_path_factory.mktemp("keys"))


def running(folder: Path, trusts: dict[str, str]) -> Iterator[Running]:
    """A registry that trusts so."""
    port = free_port()
    settings = {"realm": "http://127.0.0.1:9/auth", "issuer": ISSUER, "service": SERVICE} | trusts
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
    yield Running(port, Keys(), version(), "")
    program.stop()


@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize("without", ["zero", "p256"])
def test_a_registry_that_trusts_our_certificates(signers: Signers, tmp_path: Path, expired: bool, without: str) -> None:  # noqa: FBT001 - a parameter of the test
    """It takes what the table says it takes, of each kind of key, id and chain, and nothing else."""
    bundle = signers.bundle(version(), expired=expired, without=without)
    (tmp_path / "bundle.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in bundle))
    for registry in running(tmp_path, {"rootcertbundle": str(tmp_path / "bundle.pem")}):
        now = int(time.time())
        mine = [case for case in CASES if case.expired is expired and case.kind != without]
        found = {str(case): registry.accepts(signers.token(case, now)) for case in mine}
        assert found == {str(case): case.taken_by_bundle(registry.release) for case in mine}


@pytest.mark.parametrize("expired", [False, True])
def test_a_registry_that_reads_our_key_set(signers: Signers, tmp_path: Path, expired: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """All keys of all kinds in one set. 2.8 does not know of such sets, and does not start on one."""
    (tmp_path / "keys.json").write_text(json.dumps(signers.key_set(expired=expired, now=int(time.time()))))
    if version() is Release.V28:
        assert not any(case.taken_by_jwks(Release.V28) for case in CASES)
        return
    for registry in running(tmp_path, {"jwks": str(tmp_path / "keys.json")}):
        now = int(time.time())
        mine = [case for case in CASES if case.expired is expired]
        found = {str(case): registry.accepts(signers.token(case, now)) for case in mine}
        assert found == {str(case): case.taken_by_jwks(registry.release) for case in mine}
