"""``wharfinger init``: everything that fits together, private, never overwritten, and made anew when it is lost."""

import base64
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from authsvc.adapters.signing import TokenSigner
from tests.wharfinger.cli.houses import PORTS, house, run
from wharfinger.cli import init
from wharfinger.policy import Policy, Request, compile_acl
from wharfinger.runtime.configuration import load
from wharfinger.runtime.serving import tls_context
from wharfinger.runtime.settings import Settings, WebhookTarget

SECRETS = {"signing.key", "jti.key", "notification.secret", "wharfinger.password", "passwords.txt"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set-up for this machine."""
    return house(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set-up under a name."""
    return house(tmp_path_factory.mktemp("hosted"), "auth.example", "192.0.2.7")


def settings(folder: Path) -> Settings:
    """Its configuration, which has nothing wrong."""
    loaded = load(folder / "wharfinger.yml", data=folder, environ={})
    assert loaded.found == ()
    assert loaded.settings is not None
    return loaded.settings


def passwords(folder: Path) -> dict[str, bytes]:
    """What people are told."""
    lines = (folder / "passwords.txt").read_text().splitlines()
    return {name: password.encode() for name, password in (line.split() for line in lines)}


def test_the_command(tmp_path: Path) -> None:
    """Says what it made and what comes next, never a secret; a second time it makes nothing."""
    data = tmp_path / "new/data"
    first = run("init", data, "--auth-port", 5551)
    assert first.exit_code == 0, first.output
    assert f"made  {data}/wharfinger.yml" in first.stdout
    assert f"wharfinger up --data {data}" in first.stdout
    assert not [one for one in passwords(data).values() if one.decode() in first.output]
    assert data.stat().st_mode & 0o777 == 0o700
    before = {file.name: file.read_bytes() for file in data.iterdir()}
    second = run("init", data, "--auth-port", 7001, "--host", "auth.example")
    assert second.stderr == "wharfinger.yml was kept, so --host, --auth-port changed nothing in it: edit it there\n"
    assert run("init", data).stderr == ""
    assert [line.split("/")[-1] for line in second.stdout.splitlines() if line.startswith("made")] == ["tls.key", "tls.crt"]
    assert second.stdout.count("kept  ") == len(before)
    assert {name: (data / name).read_bytes() for name in before} == before
    assert settings(data).auth.server.listen.port == 5551


@pytest.mark.parametrize(
    "options", [("--auth-port", 6101, "--notifier-port", 6101), ("--auth-port", 5000), ("--registry-port", 5002)]
)
def test_ports_that_meet(tmp_path: Path, options: tuple[object, ...]) -> None:
    """Nobody could start that: a usage error, and nothing is made."""
    result = run("init", tmp_path / "data", *options)
    assert result.exit_code == 2
    assert "cannot share a port" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("host", "code"),
    [("10.0.0.300", 2), ("1.2.3", 2), ("registry.example.123", 2), ("10.0.0.30", 0), ("registry-1.example", 0)],
)
def test_names_and_addresses(tmp_path: Path, host: str, code: int) -> None:
    """What looks like an address must be one; clients are told to trust the certificate of a name."""
    result = run("init", tmp_path / "data", "--host", host, "--registry-port", 5555)
    assert result.exit_code == code, result.output
    assert (f"/etc/docker/certs.d/{host}:5555/ca.crt" in result.stdout) == (code == 0)
    assert (f"SSL_CERT_FILE={tmp_path}/data/tls.crt" in result.stdout) == (code == 0)


def test_what_comes_next_can_be_typed(tmp_path: Path) -> None:
    """The command is named by its path where a shell would not find it."""
    beside = Path(sys.executable).with_name("wharfinger")
    assert f"\n  {beside} up --data" in run("init", tmp_path / "a", environ={"PATH": "/nowhere"}).stdout
    assert "\n  wharfinger up --data" in run("init", tmp_path / "b", environ={"PATH": str(beside.parent)}).stdout


def test_only_what_was_meant_is_there(made: Path) -> None:
    """No half-written file is left; every secret is its owner's alone."""
    assert not [file.name for file in made.iterdir() if file.name.endswith(".part")]
    assert {file.name for file in made.iterdir()} >= SECRETS | {"signing.crt", "wharfinger.yml", "registry.yml", "registry.env"}
    assert {file.stat().st_mode & 0o077 for file in made.iterdir()} == {0}


def test_nothing_is_the_same_twice(made: Path, hosted: Path) -> None:
    """No default secret, no default key."""
    for name in SECRETS:
        assert (made / name).read_bytes() != (hosted / name).read_bytes()


def test_the_token_service_starts_with_it(made: Path) -> None:
    """Key and certificate are a pair, the jti key is one, and plain HTTP is for this machine alone."""
    auth = settings(made).auth
    TokenSigner(auth.token, now=int(datetime.now(UTC).timestamp()))
    assert (auth.server.listen.host, auth.server.listen.port, auth.server.tls) == ("127.0.0.1", 5_551, None)
    assert [len(key.reveal()) for key in auth.token.jti_keys] == [32]
    assert base64.b64decode((made / "jti.key").read_bytes()) == auth.token.jti_keys[0].reveal()


def test_people_can_log_in(made: Path) -> None:
    """With the passwords they are told, and the workers with theirs; each has its own."""
    users = {user.name: user for user in settings(made).auth.users or ()}
    known = passwords(made) | {"wharfinger": (made / "wharfinger.password").read_bytes().strip()}
    assert set(users) == set(known) == {"admin", "hussein", "wharfinger"}
    for name, password in known.items():
        hashed = users[name].password_hash
        assert hashed is not None
        assert bcrypt.checkpw(password, hashed.reveal())
    assert len(set(known.values())) == 3


@pytest.mark.parametrize(
    ("account", "name", "asked", "granted"),
    [
        ("admin", "any/thing", ("delete", "pull", "push"), ("delete", "pull", "push")),
        ("hussein", "ubuntu", ("pull", "push"), ("pull", "push")),
        ("hussein", "fedora", ("pull", "push"), ()),
        ("wharfinger", "any/thing", ("pull", "push"), ("pull",)),
        ("", "ubuntu", ("pull",), ()),
    ],
)
def test_what_they_may(made: Path, account: str, name: str, asked: tuple[str, ...], granted: tuple[str, ...]) -> None:
    """As the comments in the file say; the workers' own account only reads."""
    policy = compile_acl(settings(made).auth.acl or ())
    assert isinstance(policy, Policy)
    assert policy.decide(Request(account, "repository", name, "registry", None, asked)).granted == granted


def test_the_registry_fits(made: Path) -> None:
    """Its realm, issuer and certificate are the token service's; its notifications come where they are taken, with the secret."""
    registry = yaml.safe_load((made / "registry.yml").read_text())
    built = settings(made)
    token = registry["auth"]["token"]
    assert (token["realm"], token["issuer"]) == ("http://127.0.0.1:5551/auth", built.auth.token.issuer)
    assert token["rootcertbundle"] == str(built.auth.token.keys[0].certificate)
    assert registry["http"]["addr"] == "127.0.0.1:5550"
    (endpoint,) = registry["notifications"]["endpoints"]
    (source,) = built.notifier.sources
    assert endpoint["url"] == f"http://127.0.0.1:5552/events/{source.name}"
    (header,) = endpoint["headers"]["Authorization"]
    assert source.secrets[0].matches(header.removeprefix("Bearer ").encode())
    assert source.registry == "http://127.0.0.1:5550"


def test_the_environment_says_the_same(made: Path) -> None:
    """For registries in containers."""
    lines = dict(line.split("=", 1) for line in (made / "registry.env").read_text().splitlines())
    registry = yaml.safe_load((made / "registry.yml").read_text())
    assert lines["REGISTRY_AUTH_TOKEN_REALM"] == registry["auth"]["token"]["realm"]
    assert lines["REGISTRY_AUTH_TOKEN_ISSUER"] == registry["auth"]["token"]["issuer"]
    assert yaml.safe_load(lines["REGISTRY_NOTIFICATIONS_ENDPOINTS"]) == registry["notifications"]["endpoints"]


def test_under_a_name(hosted: Path) -> None:
    """TLS by a certificate that has every name and address, for the registry and for clients alike."""
    auth = settings(hosted).auth
    assert auth.server.tls is not None
    assert tls_context(auth.server.tls) is not None
    certificate = x509.load_pem_x509_certificate(auth.server.tls.pair.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"auth.example", "localhost"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"192.0.2.7", "127.0.0.1", "::1"} <= {str(one) for one in names.get_values_for_type(x509.IPAddress)}
    assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc
    assert yaml.safe_load((hosted / "registry.yml").read_text())["auth"]["token"]["realm"] == "https://auth.example:5551/auth"
    ssl.create_default_context(cafile=str(auth.server.tls.pair.certificate))


@pytest.mark.parametrize("name", ["signing.crt", "registry.yml", "registry.env"])
def test_what_is_lost_is_made_anew(tmp_path: Path, name: str) -> None:
    """From what is there: it fits again, and nothing else is touched."""
    data = house(tmp_path / "house")
    kept = {file.name: file.read_bytes() for file in data.iterdir() if file.name != name}
    (data / name).unlink()
    house(data)
    assert {file.name: file.read_bytes() for file in data.iterdir() if file.name != name} == kept
    test_the_token_service_starts_with_it(data)
    test_the_registry_fits(data)
    test_the_environment_says_the_same(data)


def test_for_the_tour(tmp_path: Path) -> None:
    """With a rule and a webhook to play on, and a secret that signs for it."""
    init.make(tmp_path, (), PORTS, tour=True)
    (rule,), (target,) = settings(tmp_path).workers.deploy.rules, settings(tmp_path).workers.deploy.targets
    assert isinstance(target, WebhookTarget)
    assert rule.targets == (target.name,)
    assert target.secrets[0].reveal() == (tmp_path / "hook.secret").read_bytes().strip()


def test_a_certificate_is_of_its_key(made: Path) -> None:
    """The one that stands in the file."""
    key = load_pem_private_key((made / "signing.key").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate((made / "signing.crt").read_bytes())
    assert certificate.public_key() == key.public_key()


@pytest.mark.parametrize(("name", "why"), [("file", "File exists"), ("file/data", "Not a directory")])
@pytest.mark.parametrize("command", [("init",), ("up", "-c", "{house}/wharfinger.yml", "--data"), ("tour", "--data")])
def test_a_folder_that_cannot_be_made(tmp_path: Path, made: Path, command: tuple[str, ...], name: str, why: str) -> None:
    """A file is in its way: exit code 2, which one, and why."""
    (tmp_path / "file").write_text("x")
    result = run(*(word.format(house=made) for word in command), tmp_path / name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path / name}: {why}: name a folder that can be" in result.stderr
    assert (tmp_path / "file").read_text() == "x"


def test_a_file_in_the_way_is_kept(tmp_path: Path) -> None:
    """Somebody's own configuration is never replaced."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "wharfinger.yml").write_text("# mine\n")
    run("init", data)
    assert (data / "wharfinger.yml").read_text() == "# mine\n"
    assert data.stat().st_mode & 0o777 == 0o755
