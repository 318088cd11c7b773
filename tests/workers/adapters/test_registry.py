"""The port TagLookup: its suite on the fake and on a registry's HTTP API, and what the real one says to registries of all kinds.

The peer here is scripted; a real registry is asked in tests/real/.
"""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.servers import Heard, Peer, Reply, answering
from tests.workers.fakes import KnownTags
from wharfinger.runtime.settings import Secret, Source
from workers.adapters.registry import RegistryTags
from workers.errors import Unavailable
from workers.ports import TagLookup

pytestmark = pytest.mark.real
DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32


@dataclass
class Registry:
    """A registry that asks for tokens, and its token service, behind one port. ``tokens``: those it takes."""

    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    challenge: str = 'Bearer realm="{url}/auth",service="registry",scope="repository:shop/cart:pull"'
    token_reply: Reply | None = None
    url: str = ""

    def answer(self, heard: Heard) -> Reply:
        """Both of them."""
        path, _, query = heard.path.partition("?")
        if path == "/auth":
            return self._token(heard, query)
        token = heard.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return Reply(401, {"WWW-Authenticate": self.challenge.replace("{url}", self.url)})
        repository, _, tag = path.removeprefix("/v2/").partition("/manifests/")
        digest = self.tags.get((repository, tag))
        return Reply(404) if digest is None else Reply(200, {"Docker-Content-Digest": digest, "Content-Length": "500"})

    def _token(self, heard: Heard, _query: str) -> Reply:
        if self.token_reply is not None:
            return self.token_reply
        if heard.headers.get("authorization") != "Basic " + base64.b64encode(b"wharfinger:pull-me").decode():
            return Reply(401)
        self.tokens.append(f"t{len(self.tokens)}")
        return Reply(200, {}, json.dumps({"token": self.tokens[-1]}).encode())


@pytest.fixture
def registry() -> Iterator[tuple[Registry, Peer]]:
    """A running one."""
    built = Registry()
    with answering(built.answer) as peer:
        built.url = peer.url
        yield built, peer


def source(url: str, *, password: bytes | None = b"pull-me") -> Source:
    """A configured source."""
    return Source("main", (), url, "registry:5000", "wharfinger", None if password is None else Secret(password))


@dataclass
class Subject:
    """An implementation, how a tag is written for it, and the same with nobody there."""

    port: TagLookup
    push: Callable[[str, str, str], None]
    gone: TagLookup


@pytest.fixture(params=["fake", "http"])
def subject(request: pytest.FixtureRequest, registry: tuple[Registry, Peer]) -> Iterator[Subject]:
    """Each implementation."""
    if request.param == "fake":
        fake = KnownTags()
        yield Subject(
            fake,
            lambda repository, tag, digest: fake.tags.update({("main", repository, tag): digest}),
            KnownTags(sources=set()),
        )
        return
    built, peer = registry
    with answering(lambda _: Reply()) as nobody:
        gone = nobody.url
    yield Subject(
        RegistryTags([source(peer.url)]),
        lambda repository, tag, digest: built.tags.update({(repository, tag): digest}),
        RegistryTags([source(gone)]),
    )


def test_a_tag_and_its_digest(subject: Subject) -> None:
    """What it points at now, each time it is asked."""
    subject.push("shop/cart", "v1", DIGEST)
    assert subject.port.digest("main", "shop/cart", "v1") == DIGEST
    subject.push("shop/cart", "v1", OTHER)
    assert subject.port.digest("main", "shop/cart", "v1") == OTHER


def test_no_such_tag(subject: Subject) -> None:
    """Is an answer; of other repositories and tags nothing is told."""
    subject.push("shop/cart", "v1", DIGEST)
    assert subject.port.digest("main", "shop/cart", "v2") is None
    assert subject.port.digest("main", "shop", "v1") is None


def test_nobody_answers(subject: Subject) -> None:
    """Which is not the same as no tag."""
    with pytest.raises(Unavailable):
        subject.gone.digest("main", "shop/cart", "v1")


def test_a_source_that_the_configuration_lost(subject: Subject) -> None:
    """It cannot be asked."""
    with pytest.raises(Unavailable):
        subject.port.digest("other", "shop/cart", "v1")


def test_a_token_is_fetched_once(registry: tuple[Registry, Peer]) -> None:
    """Kept for its repository until it is refused; then a new one is fetched."""
    built, peer = registry
    built.tags["shop/cart", "v1"] = DIGEST
    tags = RegistryTags([source(peer.url)])
    for _ in range(3):
        assert tags.digest("main", "shop/cart", "v1") == DIGEST
    assert [heard.path.partition("?")[0] for heard in peer.heard].count("/auth") == 1
    built.tokens.clear()
    assert tags.digest("main", "shop/cart", "v1") == DIGEST
    (_, again) = [heard for heard in peer.heard if heard.path.startswith("/auth")]
    assert again.path == "/auth?service=registry&scope=repository%3Ashop%2Fcart%3Apull"


def test_what_is_asked(registry: tuple[Registry, Peer]) -> None:
    """A HEAD that takes every kind of manifest; the password goes to the token service alone."""
    built, peer = registry
    built.tags["shop/cart", "v1"] = DIGEST
    RegistryTags([source(peer.url)]).digest("main", "shop/cart", "v1")
    first, _, second = peer.heard
    assert (first.method, first.path) == ("HEAD", "/v2/shop/cart/manifests/v1")
    assert "manifest.list" in first.headers["accept"]
    assert "oci.image.index" in first.headers["accept"]
    assert "authorization" not in first.headers
    assert second.headers["authorization"].startswith("Bearer ")


def test_an_open_registry() -> None:
    """It asks for no token, and may stand below a path."""
    with answering(lambda _: Reply(200, {"Docker-Content-Digest": DIGEST})) as peer:
        tags = RegistryTags([source(f"{peer.url}/hub", password=None)])
        assert tags.digest("main", "shop/cart", "v1") == DIGEST
    assert [heard.path for heard in peer.heard] == ["/hub/v2/shop/cart/manifests/v1"]


ODD = ("", "sha256", "sha256:\x00", "sha256:\x1b[2J", "sha256:" + "a" * 60_000)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500),
        Reply(403),
        Reply(307, {"Location": "/"}),
        Reply(200),
        *(Reply(200, {"Docker-Content-Digest": text}) for text in ODD),
    ],
)
def test_other_answers(reply: Reply) -> None:
    """No digest, and no answer that there is none: later."""
    with answering(lambda _: reply) as peer, pytest.raises(Unavailable):
        RegistryTags([source(peer.url)]).digest("main", "shop/cart", "v1")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"challenge": 'Basic realm="x"'}, "names no token service"),
        ({"challenge": ""}, "names no token service"),
        ({"challenge": 'Bearer realm="ftp://x/"'}, "names no token service"),
        ({"challenge": 'Bearer realm="http://[::1/"'}, "names no token service"),
        ({"challenge": 'Bearer realm="http://127.0.0.1:99999/"'}, "names no token service"),
        ({"challenge": 'Bearer realm="http://127.0.0.1/a b"'}, "names no token service"),
        ({"challenge": 'Bearer realm="http://does-not-resolve.invalid/"'}, "cannot be resolved"),
        ({"token_reply": Reply(403)}, "answered 403"),
        ({"token_reply": Reply(200, {}, b"{}")}, "without a token"),
        ({"token_reply": Reply(200, {}, b"[]")}, "without a token"),
        ({"token_reply": Reply(200, {}, b"{")}, "without a token"),
        ({"token_reply": Reply(200, {}, b'{"token": "a\\nb"}')}, "cannot be asked"),
        ({"token_reply": Reply(200, {}, b'{"token": "useless"}')}, "answered 401"),
    ],
)
def test_token_services_that_are_of_no_use(registry: tuple[Registry, Peer], change: dict[str, object], problem: str) -> None:
    """Each is told for what it is, without the password, and tried again later."""
    built, peer = registry
    for name, value in change.items():
        setattr(built, name, value)
    with pytest.raises(Unavailable, match=problem) as raised:
        RegistryTags([source(peer.url)]).digest("main", "shop/cart", "v1")
    assert "pull-me" not in str(raised.value)


def test_a_wrong_password(registry: tuple[Registry, Peer]) -> None:
    """The account is named; the operator knows which one to mend."""
    _, peer = registry
    with pytest.raises(Unavailable, match="answered 401 to account 'wharfinger'") as raised:
        RegistryTags([source(peer.url, password=b"0ther")]).digest("main", "shop/cart", "v1")
    assert "0ther" not in str(raised.value)


@pytest.mark.parametrize("name", ["access_token", "token"])
def test_either_name_of_the_token(registry: tuple[Registry, Peer], name: str) -> None:
    """Services give one or the other."""
    built, peer = registry
    built.tags["shop/cart", "v1"] = DIGEST
    built.tokens.append("given")
    built.token_reply = Reply(200, {}, json.dumps({name: "given"}).encode())
    assert RegistryTags([source(peer.url)]).digest("main", "shop/cart", "v1") == DIGEST


def test_a_tag_is_quoted() -> None:
    """Whatever an event says stays within its part of the path."""
    with answering(lambda _: Reply(404)) as peer:
        assert RegistryTags([source(peer.url)]).digest("main", "shop cart", "../v1?x") is None
    assert peer.heard[0].path == "/v2/shop%20cart/manifests/..%2Fv1%3Fx"
