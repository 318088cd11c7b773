"""``wharfinger keys``: what registries are given and what signs, over real files; a new pair, and nothing that is overwritten."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.dsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from authsvc.adapters.signing import load_key
from authsvc.decide.keys import libtrust_id, thumbprint
from tests.wharfinger.cli.files import certificate, check, key, parsed, run, written
from wharfinger.cli.generate import KINDS, VALID_DAYS, new_certificate, new_key
from wharfinger.runtime.settings import SigningKey

HEAD = """\
server: {{addr: ":5001"}}
token:
  issuer: i
  expiration: 900
  {more}
  keys:
{keys}"""
USERS = "users: {}\nacl: []\n"
NOW = datetime.now(UTC)
PAIR = "{{id: {0}, certificate: {0}.crt, key: {0}.key}}"
COMING = "{{id: {0}, certificate: {0}.crt, key: {0}.key, signs_from: 2999-01-01}}"
COME = "{{id: {0}, certificate: {0}.crt, key: {0}.key, signs_from: 2026-01-01}}"
PUBLISHED = "{{id: {0}, certificate: {0}.crt}}"


@dataclass(frozen=True)
class Row:
    """Keys of a file, each with its number of days to go, and what is to be told of them."""

    keys: tuple[tuple[str, float], ...]
    signs: str
    told: tuple[str, ...] = ()
    more: str = ""


ENDED = "the certificate of key {} has expired: tokens no longer carry it (x5c)"
ENDING = "the certificate of key {} ends in {} days: give registries a new one in time"
ROWS: dict[str, Row] = {
    "one": Row(((PAIR, 1_000),), "k0"),
    "the first of two": Row(((PAIR, 1_000), (PAIR, 1_000)), "k0"),
    "overlap: the new one is published before it signs": Row(((PAIR, 1_000), (COMING, 1_000)), "k0"),
    "rotation: its time has come": Row(((PAIR, 1_000), (COME, 1_000)), "k1"),
    "rotation is over: the old one is published still": Row(((PUBLISHED, 1_000), (PAIR, 1_000)), "k1"),
    "ended": Row(((PAIR, -1),), "k0", (ENDED.format("k0"),)),
    "soon ends": Row(((PAIR, 12.5), (COMING, 1_000)), "k0", (ENDING.format("k0", 12),)),
    "ended, and sent all the same": Row(
        ((PAIR, -1),), "k0", (ENDED.format("k0"), "service *: x5c: always sends a certificate that has expired, which every registry refuses"), "x5c: always"
    ),
    "an old one has ended, which is published only": Row(((PUBLISHED, -1), (PAIR, 1_000)), "k1", (ENDED.format("k0"),), "x5c: always"),
}  # fmt: skip


def keyed(folder: Path, *keys: str, more: str = "") -> Path:
    """A configuration with these keys."""
    listed = "".join(f"    - {one}\n" for one in keys)
    return written(folder, USERS, head=HEAD.format(keys=listed, more=more))


def laid_out(folder: Path, row: Row) -> Path:
    """A row's files."""
    for number, (_, days) in enumerate(row.keys):
        (folder / f"k{number}.key").write_bytes(key(number))
        (folder / f"k{number}.key").chmod(0o600)
        (folder / f"k{number}.crt").write_bytes(certificate(number, ends_in_days=days))
    return keyed(folder, *(form.format(f"k{number}") for number, (form, _) in enumerate(row.keys)), more=row.more)


def keys(file: Path, *arguments: str) -> Result:
    """``wharfinger keys``."""
    return run("keys", *arguments, "-c", file, "--data", file.parent)


def certificates(folder: Path, count: int) -> list[x509.Certificate]:
    """Those of a row."""
    return [x509.load_pem_x509_certificate((folder / f"k{number}.crt").read_bytes()) for number in range(count)]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_list(tmp_path: Path, row: Row) -> None:
    """Each key, which one signs, and what is to be seen to: exit code 1 then."""
    file = laid_out(tmp_path, row)
    result = keys(file, "list", "--json")
    assert (result.exit_code, result.stderr.splitlines()) == (1 if row.told else 0, list(row.told))
    found = parsed(result)
    assert [one["id"] for one in found] == [f"k{number}" for number in range(len(row.keys))]
    assert [one["id"] for one in found if one["signs"]] == [row.signs]
    ends = [int(one.not_valid_after_utc.timestamp()) for one in certificates(tmp_path, len(row.keys))]
    assert [one["certificate_ends"] for one in found] == ends
    shown = keys(file, "list")
    assert (shown.exit_code, shown.stderr) == (result.exit_code, result.stderr)
    assert len([line for line in shown.stdout.splitlines() if re.match(r"\W*k\d", line)]) == len(row.keys)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_bundle_and_jwks(tmp_path: Path, row: Row) -> None:
    """Every key, whether it signs or not, has ended or not: under each id, and with its certificate."""
    file = laid_out(tmp_path, row)
    mine = certificates(tmp_path, len(row.keys))
    bundle, jwks = keys(file, "bundle"), keys(file, "jwks")
    assert (bundle.exit_code, bundle.stderr, jwks.exit_code, jwks.stderr) == (0, "", 0, "")
    assert x509.load_pem_x509_certificates(bundle.stdout.encode()) == mine
    ids = [
        ident for number in range(len(row.keys)) for ident in _ids(SigningKey(f"k{number}", tmp_path / f"k{number}.crt", None))
    ]
    assert [one["kid"] for one in parsed(jwks)["keys"]] == ids
    assert all("d" not in one and "p" not in one for one in parsed(jwks)["keys"])


def _ids(settings: SigningKey) -> list[str]:
    public, _ = load_key(settings)
    return [libtrust_id(public.spki), thumbprint(public.jwk), public.id]


def test_a_file_with_its_key_in_it(tmp_path: Path) -> None:
    """Many keep both in one PEM, and a chain in it: the bundle has the certificates, each once, and nothing else of the file."""
    made = [certificate(number) for number in (0, 1)]
    (tmp_path / "k0.pem").write_bytes(key(0) + b"Some words\n" + made[0] + made[1])
    (tmp_path / "k0.pem").chmod(0o600)
    (tmp_path / "k1.crt").write_bytes(made[1])
    file = keyed(tmp_path, "{id: k0, certificate: k0.pem, key: k0.pem}", PUBLISHED.format("k1"))
    result = keys(file, "bundle")
    assert x509.load_pem_x509_certificates(result.stdout.encode()) == [x509.load_pem_x509_certificate(one) for one in made]
    assert "PRIVATE" not in result.stdout
    assert "words" not in result.stdout


def _locked() -> bytes:
    return load_pem_private_key(key(0), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cret")
    )


FAULTY: list[tuple[str, Callable[[], bytes], str]] = [
    ("k0.key", lambda: key(1), "k0.crt is not of token.key"),
    ("k0.key", lambda: b"s3cret", "k0.key cannot be read: ValueError"),
    ("k0.key", _locked, "k0.key is locked by a passphrase: give one without"),
    ("k0.crt", lambda: b"s3cret", "k0.crt cannot be read"),
    ("k0.crt", lambda: certificate(1), "k0.crt is not of token.key"),
]


@pytest.mark.parametrize(("name", "content", "problem"), FAULTY, ids=[one[2] for one in FAULTY])
def test_files_that_do_not_fit(tmp_path: Path, name: str, content: Callable[[], bytes], problem: str) -> None:
    """Exit code 2, what is wrong with which file, and nothing of what stands in it."""
    file = laid_out(tmp_path, ROWS["one"])
    (tmp_path / name).write_bytes(content())
    for command in ("list", "bundle", "jwks"):
        result = keys(file, command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert problem in result.stderr
        assert "s3cret" not in result.stderr


def test_no_key_signs_yet(tmp_path: Path) -> None:
    """Exit code 2: nothing could be signed."""
    file = laid_out(tmp_path, Row(((COMING, 1_000), (PUBLISHED, 1_000)), ""))
    for command in ("list", "bundle", "jwks"):
        result = keys(file, command)
        assert (result.exit_code, result.stderr) == (
            2,
            "token.keys: no key signs yet: every signs_from lies in the future\n",
        )


def test_a_faulty_file(tmp_path: Path) -> None:
    """Exit code 2, by line."""
    file = keyed(tmp_path, PAIR.format("nowhere"))
    result = keys(file, "bundle")
    assert result.exit_code == 2
    assert f"{file}:7:21: token.keys[0].certificate there is no file {tmp_path}/nowhere.crt. Correct the path." in result.stderr


ALGORITHMS = {"rsa": "RS512", "ec": "ES256", "ed25519": "EdDSA"}


@pytest.mark.parametrize("kind", KINDS)
def test_new(tmp_path: Path, kind: str) -> None:
    """A pair that fits, the key its owner's alone; what is printed goes into the file as it is, and does not sign yet."""
    file = laid_out(tmp_path, Row(((PAIR, 1_000),), "k0", more="algorithm: RS512"))
    result = keys(file, "new", "2027", "--kind", kind)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"made  {tmp_path}/2027.key\nmade  {tmp_path}/2027.crt\n" in result.stdout
    assert [(tmp_path / f"2027.{end}").stat().st_mode & 0o777 for end in ("key", "crt")] == [0o600, 0o644]
    line = re.search(r"- \{id.*\}", result.stdout)
    assert line is not None
    file.write_text(file.read_text().replace("users:", f"    {line[0]}\nusers:"))
    assert check(file).exit_code == 0, check(file).output
    first, second = parsed(keys(file, "list", "--json"))
    assert (first["signs"], second["signs"], second["id"], second["algorithm"]) == (True, False, "2027", ALGORITHMS[kind])
    assert timedelta(days=7) <= datetime.fromtimestamp(second["signs_from"], UTC) - NOW <= timedelta(days=8)
    left = datetime.fromtimestamp(second["certificate_ends"], UTC) - NOW
    assert timedelta(days=VALID_DAYS - 1) < left < timedelta(days=VALID_DAYS + 1)
    assert len(x509.load_pem_x509_certificates(keys(file, "bundle").stdout.encode())) == 2


def files(folder: Path) -> dict[str, bytes]:
    """All that is there."""
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    """Neither a pair nor a certificate that is there, nor a link that leads nowhere: exit code 2."""
    file = laid_out(tmp_path, ROWS["one"])
    (tmp_path / "only.crt").write_bytes(b"mine")
    (tmp_path / "link.crt").symlink_to(tmp_path / "elsewhere")
    before = {one.name for one in tmp_path.iterdir()}
    for ident in ("k0", "only", "link"):
        result = keys(file, "new", ident)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{tmp_path}/{ident}.crt is there already, and nothing was made: choose another id" in result.stderr
    assert {one.name for one in tmp_path.iterdir()} == before
    assert (tmp_path / "only.crt").read_bytes() == b"mine"


def test_new_ends_what_a_crash_began(tmp_path: Path) -> None:
    """A key without its certificate is kept, and gets one."""
    file = keyed(tmp_path, PAIR.format("k0"))
    (tmp_path / "k0.key").write_bytes(key(0))
    (tmp_path / "k0.key").chmod(0o600)
    result = keys(file, "new", "k0")
    assert f"kept  {tmp_path}/k0.key\nmade  {tmp_path}/k0.crt\n" in result.stdout
    assert (tmp_path / "k0.key").read_bytes() == key(0)
    assert keys(file, "list").exit_code == 0


def _dsa() -> bytes:
    return generate_private_key(2_048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("content", [lambda: b"s3cret", _locked, _dsa], ids=["no key", "locked", "of another kind"])
def test_new_beside_what_is_no_key(tmp_path: Path, content: Callable[[], bytes]) -> None:
    """What stands there is let alone, and no certificate is made."""
    file = keyed(tmp_path, PAIR.format("k0"))
    (tmp_path / "k0.key").write_bytes(content())
    before = files(tmp_path)
    result = keys(file, "new", "k0")
    assert (result.exit_code, result.stderr) == (2, f"{tmp_path}/k0.key: there is no such key in it; nothing was overwritten\n")
    assert files(tmp_path) == before


@pytest.mark.parametrize("ident", ["a b", "../k", "", "x" * 65, "ä"])
def test_new_wants_a_plain_id(tmp_path: Path, ident: str) -> None:
    """It is the name of files, and stands in tokens: a usage error."""
    result = keys(tmp_path / "wharfinger.yml", "new", ident)
    assert result.exit_code == 2
    assert "is not 1 to 64 letters, digits, - or _" in result.stderr
    assert files(tmp_path) == {}


def test_new_where_nothing_can_be_written(tmp_path: Path) -> None:
    """No folder: exit code 2, and why."""
    result = keys(tmp_path / "nowhere/wharfinger.yml", "new", "k0")
    assert (result.exit_code, result.stderr) == (
        2,
        f"{tmp_path}/nowhere/k0.key: No such file or directory; nothing was overwritten\n",
    )


def test_new_needs_no_configuration(tmp_path: Path) -> None:
    """The pair may come before the file that will name it."""
    result = keys(tmp_path / "wharfinger.yml", "new", "k0", "--kind", "ec")
    assert result.exit_code == 0
    assert set(files(tmp_path)) == {"k0.key", "k0.crt"}


@pytest.mark.parametrize("kind", KINDS)
def test_certificates_of_every_kind(kind: str) -> None:
    """Signed by the key itself, with every name in it."""
    made = x509.load_pem_x509_certificate(new_certificate(new_key(kind), ["a.example", "192.0.2.7"], now=NOW))
    made.verify_directly_issued_by(made)
    names: Any = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert json.dumps([str(one.value) for one in names]) == '["a.example", "192.0.2.7"]'
