"""Token requests: every row of how clients send them, and of what docker_auth does with odd ones."""

import base64
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.decide.credentials import cut
from authsvc.decide.request import MAX_ACCOUNT, MAX_FIELDS, MAX_TEXT, BadRequest, Claimed, TokenRequest, read_get, read_post
from wharfinger.wire.scope import MAX_SCOPE_LENGTH, MAX_SCOPES, Scope

SCOPE = "scope=repository:a/b:pull,push"


def basic(text: str | bytes) -> list[str]:
    """An Authorization header."""
    return ["Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()]


def taken(found: TokenRequest | BadRequest) -> TokenRequest:
    """A request that is one."""
    assert isinstance(found, TokenRequest)
    return found


def test_docker() -> None:
    """GET with Basic, account and offline_token, as docker login sends."""
    query = f"account=zoe&client_id=docker&offline_token=true&service=registry&{SCOPE}"
    assert taken(read_get(query, basic("zoe:p:w"))) == TokenRequest(
        Claimed("zoe", "p:w", "basic"), "registry", (Scope("repository", "a/b", ("pull", "push")),), "docker", oauth=False
    )


def test_containerd() -> None:
    """POST of an OAuth2 form."""
    body = urlencode(
        {"grant_type": "password", "client_id": "containerd-client", "service": "r", "username": "zoe", "password": "p"}
    )
    found = taken(read_post("", [], body.encode() + b"&" + SCOPE.encode()))
    assert (found.credentials, found.oauth, found.client_id) == (Claimed("zoe", "p", "form"), True, "containerd-client")


def test_anonymous() -> None:
    """No credentials are no credentials, and no scope is a login."""
    assert taken(read_get("service=registry", [])) == TokenRequest(None, "registry", (), "", oauth=False)


@pytest.mark.parametrize(
    "header",
    [
        "Basic  " + base64.b64encode(b"zoe:p").decode(),
        "Basic " + base64.b64encode(b"zoe:p").decode().rstrip("="),
        "Bearer x",
        "Basic",
        "Basic !!!",
        "basic " + base64.b64encode(b"nocolon").decode(),
        "Digest x",
    ],
)
def test_what_is_no_basic_is_nothing(header: str) -> None:
    """A malformed or foreign header is anonymous, as with docker_auth."""
    assert taken(read_get("", [header])).credentials is None


def test_bytes_that_are_no_text() -> None:
    """They are somebody's who cannot be told, never the anonymous client's; a password's bytes stay as they are."""
    assert taken(read_get("", basic(b"\xff:x"))).credentials == Claimed("\udcff", "x")
    odd = taken(read_get("", basic(b"zoe:\xe9"))).credentials
    assert odd is not None
    assert (odd.account, cut(odd.password)) == ("zoe", b"\xe9")
    assert taken(read_get("", basic("zoë:ß"))).credentials == Claimed("zoë", "ß", "basic")


def test_an_account_alone_is_no_way_in() -> None:
    """docker_auth lets `?account=x` in as any user without a password; here it is anonymous."""
    assert taken(read_get("account=admin", [])).credentials is None
    assert taken(read_post("", [], b"account=admin")).credentials is None


@pytest.mark.parametrize("name", ["bob", "ZOE", "zoe "])
def test_another_account_is_refused(name: str) -> None:
    """The authenticated one counts, and a different claim is an error."""
    query = urlencode({"account": name})
    assert isinstance(read_get(query, basic("zoe:p")), BadRequest)
    assert isinstance(read_post("", [], f"username=zoe&password=p&{query}".encode()), BadRequest)


def test_get_ignores_form_fields() -> None:
    """A password in a URL is not one."""
    assert taken(read_get("username=zoe&password=p", [])).credentials is None


def test_form_before_query() -> None:
    """Fields of the body win over those of the query, scopes add up in that order."""
    found = taken(read_post("service=query&scope=repository:q:pull", [], b"service=body&scope=repository:b:pull"))
    assert (found.service, [scope.name for scope in found.scopes]) == ("body", ["b", "q"])


def test_credentials_of_a_post() -> None:
    """Form before query, both of them or none; Basic before both."""
    rows: list[tuple[Claimed | None, str, list[str], bytes]] = [
        (Claimed("zoe", "p", "form"), "username=zoe&password=p", [], b""),
        (Claimed("zoe", "p", "form"), "username=bob&password=x", [], b"username=zoe&password=p"),
        (Claimed("zoe", "x", "form"), "username=bob&password=x", [], b"username=zoe"),
        (None, "username=bob&password=x", [], b"username="),
        (None, "", [], b"username=zoe"),
        (None, "", [], b"password=p"),
        (Claimed("bob", "b"), "", basic("bob:b"), b"username=zoe&password=p"),
    ]
    assert [row[0] for row in rows] == [taken(read_post(*row[1:])).credentials for row in rows]


@pytest.mark.parametrize("query", ["", "scope=", "scope=&scope="])
def test_an_empty_scope_alone_is_none(query: str) -> None:
    """A client that logs in may send one."""
    assert taken(read_get(query, [])).scopes == ()


@pytest.mark.parametrize(
    ("service", "query"),
    [
        ("a b", "service=a+b"),
        ("a;b", "service=a%3Bb"),
        ("", "service=a;b"),
        ("", "service=%zz"),
        ("c", "service=%z&service=c"),
        ("%", "service=%25"),
    ],
)
def test_pairs_as_go_reads_them(service: str, query: str) -> None:
    """One with a semicolon or a broken escape is as if it were not there."""
    assert service == taken(read_get(query, [])).service


@pytest.mark.parametrize(
    "query",
    [
        "scope=&" + SCOPE,
        SCOPE + "+",
        SCOPE + "&scope=",
        "scope=x",
        "service=a%00b",
        "a=1&" * (MAX_FIELDS + 5),
        "service=" + "a" * (MAX_TEXT + 1),
    ],
)
def test_bad_get(query: str) -> None:
    """A fault is told without repeating what was sent."""
    assert isinstance(read_get(query, []), BadRequest)


def header_of(size: int) -> list[str]:
    """Credentials of an account so long."""
    return basic("z" * size + ":p")


def form_of(size: int) -> bytes:
    """The same in a form."""
    return b"password=p&username=" + b"z" * size


def scopes(count: int) -> str:
    """So many, two in each field as OAuth2 has them."""
    pairs, one = divmod(count, 2)
    return "&".join(["scope=repository:a:pull+repository:b:pull"] * pairs + ["scope=repository:a:pull"] * one)


def scope_of(size: int) -> str:
    """One so long."""
    return "scope=repository:" + "a" * (size - len("repository::pull")) + ":pull"


LIMITS: list[tuple[str, int, Callable[[int], TokenRequest | BadRequest], str]] = [
    ("fields of a query", MAX_FIELDS, lambda size: read_get("&".join(["a=1"] * size), []), "more than 200 fields"),
    ("fields of a form", MAX_FIELDS, lambda size: read_post("", [], b"&".join([b"a=1"] * size)), "more than 200 fields"),
    ("scopes", MAX_SCOPES, lambda size: read_get(scopes(size), []), "invalid scope: more than 100 scopes in one request"),
    ("scopes of a form", MAX_SCOPES, lambda size: read_post("", [], scopes(size).encode()), "invalid scope: more than 100 scopes in one request"),
    (
        "scopes of query and form", MAX_SCOPES, lambda size: read_post(scopes(40), [], scopes(size - 40).encode()),
        "invalid scope: more than 100 scopes in one request",
    ),
    ("a scope", MAX_SCOPE_LENGTH, lambda size: read_get(scope_of(size), []), "invalid scope: a scope longer than 1024 characters"),
    ("a service", MAX_TEXT, lambda size: read_get("service=" + "s" * size, []), "service holds what no name does"),
    ("an account", MAX_ACCOUNT, lambda size: read_get("", header_of(size)), "the account is longer than 1024 characters"),
    ("an account of a form", MAX_ACCOUNT, lambda size: read_post("", [], form_of(size)), "the account is longer than 1024 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("most", "ask", "problem"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS])
def test_limits(most: int, ask: Callable[[int], TokenRequest | BadRequest], problem: str) -> None:
    """What is as large as it may be is read; one more is told by its limit, and nothing of what was sent."""
    taken(ask(most))
    found = ask(most + 1)
    assert isinstance(found, BadRequest)
    assert found.problem == problem


def test_what_is_cut() -> None:
    """A client's word for itself is no reason to refuse: so much of it is kept."""
    assert taken(read_get("client_id=" + "c" * 5_000, [])).client_id == "c" * MAX_TEXT


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"grant_type=refresh_token&service=r&client_id=c&refresh_token=x", "unsupported_grant_type"),
        (b"grant_type=password&client_id=c&username=a&password=b", "invalid_request"),
        (b"grant_type=password&service=r&username=a&password=b", "invalid_request"),
        (b"scope=x", "invalid_scope"),
        (b"\xff", "invalid_request"),
        (b"a=1&" * (MAX_FIELDS + 5), "invalid_request"),
        (b"grant_type=password&service=r&client_id=c", "invalid_request"),
        (b"grant_type=password&service=r&client_id=c&username=a", "invalid_request"),
    ],
)
def test_bad_post(body: bytes, code: str) -> None:
    """OAuth2's own words; containerd tries GET after these."""
    found = read_post("", [], body)
    assert isinstance(found, BadRequest)
    assert found.code == code


def test_passwords_are_not_shown() -> None:
    """Not even by a repr that gets into a log."""
    assert "s3cret" not in repr(taken(read_get("", basic("zoe:s3cret"))))


@given(st.text(), st.lists(st.text(), max_size=2), st.binary())
def test_nothing_raises(query: str, authorization: list[str], body: bytes) -> None:
    """Whatever a client sends is a request or a fault."""
    assert isinstance(read_get(query, authorization), TokenRequest | BadRequest)
    assert isinstance(read_post(query, authorization, body), TokenRequest | BadRequest)


_NAMES = st.sampled_from(
    ["scope", "service", "account", "client_id", "grant_type", "username", "password", "offline_token", "x"]
)
_VALUES = st.sampled_from(
    ["s3cret", "zoe", "", "password", "repository:a/b:pull", "registry:catalog:*", " ", "a:b:c:d:e", "\x00", "\ud800"]
)
_PAIRS = st.lists(st.tuples(_NAMES, _VALUES | st.text(max_size=20)), max_size=8)


def encoded(pairs: list[tuple[str, str]]) -> str:
    """Pairs as a client sends them."""
    return urlencode(pairs, errors="surrogatepass")


@given(_PAIRS, _PAIRS, st.binary(max_size=20), st.sampled_from(["Basic ", "basic ", "Bearer ", "Basic", ""]))
def test_any_request_of_the_right_form(
    query: list[tuple[str, str]], form: list[tuple[str, str]], typed: bytes, scheme: str
) -> None:
    """A request or a fault; whoever it is for is who it says by its credentials, and a fault repeats nothing of what was sent."""
    header = [scheme + base64.b64encode(typed).decode()]
    for found in (read_get(encoded(query), header), read_post(encoded(query), header, encoded(form).encode())):
        if isinstance(found, BadRequest):
            assert "s3cret" not in found.problem
            continue
        assert len(found.client_id) <= MAX_TEXT
        assert found.service.isprintable()
        if found.credentials is not None and found.credentials.by == "basic":
            sent = f"{found.credentials.account}:{found.credentials.password}"
            assert sent.encode("utf-8", "surrogateescape") == typed
