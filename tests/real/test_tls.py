"""``init --host``: registry and token service speak TLS with the certificate it made, and the whole pipe goes through it."""

import os
import resource
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.real.conftest import House, build_house
from tests.real.test_pipe import creds, layout, skopeo
from wharfinger.cli.pusher import make_image
from wharfinger.runtime.connections import Bounds
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.errors import Unavailable

pytestmark = pytest.mark.real


@contextmanager
def more_files(count: int) -> Iterator[None]:
    """This process may have so many files open, as far as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(count, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def tls_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything, made with --host localhost; its token service is one process."""
    built = build_house(tmp_path_factory.mktemp("tls"), hosts=("localhost",), processes=1)
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def test_a_push_over_tls_is_traced_and_delivered(tls_house: House, tmp_path: Path) -> None:
    """Skopeo trusts tls.crt and pushes; the workers read the tag back over TLS by the same trust."""
    trusted = tmp_path / "certs"
    trusted.mkdir()
    shutil.copy(tls_house.folder / "tls.crt", trusted / "ca.crt")
    image = make_image(os.urandom(64))
    source = f"oci:{layout(tmp_path / 'oci', image)}:v1"
    target = f"docker://localhost:{tls_house.ports.registry}/ubuntu:v1"
    pushed = skopeo("copy", "--dest-cert-dir", str(trusted), "--dest-creds", creds(tls_house), source, target)
    assert pushed.returncode == 0, pushed.stderr
    found = tls_house.traced(image.digest, lambda one: [d.state for d in one.deliveries] == ["delivered"])
    assert {event.attribution.verdict for event in found.events} == {"exact"}
    (heard,) = [one for one in tls_house.heard if one.get("data", {}).get("digest") == image.digest]
    assert heard["data"]["image"] == f"localhost:{tls_house.ports.registry}/ubuntu@{image.digest}"


def test_a_client_that_does_not_trust_it_is_not_served(tls_house: House) -> None:
    """Without the certificate nothing is sent, and the error says what is wrong."""
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        request(endpoint_of(tls_house.url), "GET", "/v2/")


def test_the_registry_does_not_hold_the_signing_key(tls_house: House) -> None:
    """It serves a pair of its own: who reads its files cannot make tokens."""
    text = (tls_house.folder / "registry.yml").read_text()
    assert "signing.key" not in text
    assert (tls_house.folder / "tls.key").read_bytes() != (tls_house.folder / "signing.key").read_bytes()


def test_a_client_that_never_shakes_hands(tls_house: House) -> None:
    """It opens a connection and is silent, or says what is no TLS: closed, and the others are served."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(socket.create_connection(("127.0.0.1", tls_house.ports.auth), timeout=30)) for _ in range(2)
        ]
        made[1].sendall(b"GET /auth HTTP/1.1\r\n")
        for one in made:
            while one.recv(1_000):
                pass
    assert request(endpoint_of(f"https://127.0.0.1:{tls_house.ports.auth}", tls_house.ca), "GET", "/healthz").status == 200


def test_more_handshakes_than_places(tls_house: House) -> None:
    """Half-done ones, more than there are places: the oldest make room, and who goes through with one is served."""
    most = Bounds().connections
    with more_files(2 * most), ExitStack() as stack:
        made = []
        for _ in range(most + 300):
            made.append(stack.enter_context(socket.create_connection(("127.0.0.1", tls_house.ports.auth), timeout=30)))
            made[-1].sendall(b"\x16\x03\x01")
        assert [
            request(endpoint_of(f"https://127.0.0.1:{tls_house.ports.auth}", tls_house.ca), "GET", "/healthz").status
            for _ in range(5)
        ] == [200] * 5
        assert len(list(Path(f"/proc/{tls_house.children()['auth']}/fd").iterdir())) < most + 128
        assert all(one.recv(1) == b"" for one in made[:300])
    assert "connections.full" in (tls_house.folder / "up.log").read_text()
