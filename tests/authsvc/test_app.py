"""The token service joined: on a real store that goes and comes back, and why it does not start."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import aiohttp
import bcrypt
import jwt
import pytest
import redis
from cryptography import x509

from authsvc.adapters.signing import TokenSigner
from authsvc.app import Service, make_rules, serve
from authsvc.decide.refusals import SINGLE_PER_MINUTE
from authsvc.errors import Misconfigured
from authsvc.metrics import TABLE
from tests.servers import Served, served
from tests.stores import entries_now
from wharfinger.cli.generate import new_certificate, new_key
from wharfinger.policy import Options
from wharfinger.runtime import embedded
from wharfinger.runtime.configuration import Loaded
from wharfinger.runtime.log import discard
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.settings import (
    AclRule,
    Address,
    AuthSettings,
    DeploySettings,
    LogSettings,
    NotifierSettings,
    PolicySettings,
    Secret,
    ServerSettings,
    Settings,
    SigningKey,
    TlsPair,
    TlsSettings,
    TokenSettings,
    User,
    WorkerSettings,
)
from wharfinger.wire import keys
from wharfinger.wire.codec import decode
from wharfinger.wire.issuance import Issuance, refusal_from_fields
from wharfinger.wire.jti import JtiKeys, Proof, verify
from wharfinger.wire.names import Account, Jti

JTI_KEY = b"j" * 32
RIGHT = "s3cret"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> AuthSettings:
    """One user who may pull and push one repository; the store's URL is the test's."""
    folder = tmp_path_factory.mktemp("pair")
    key = new_key()
    (folder / "key").write_bytes(key)
    (folder / "crt").write_bytes(new_certificate(key, ["localhost"], now=datetime.now(UTC)))
    signing = SigningKey("first", folder / "crt", folder / "key")
    user = User("zoe", Secret(bcrypt.hashpw(b"s3cret", bcrypt.gensalt(4))), 1)
    rule = AclRule(1, account="zoe", name="shop/cart", actions=("*",))
    token = TokenSettings("wharfinger", 900, (signing,), (Secret(JTI_KEY),))
    return AuthSettings(ServerSettings(Address("127.0.0.1", 1)), token, (user,), (rule,), "unix:///nowhere", folder / "journal")


def service(settings: AuthSettings) -> Service:
    """The service of some settings, whose file does not change."""
    nobody = NotifierSettings(Address(), (), settings.spool, "")
    idle = WorkerSettings("", "", settings.spool, (), (), DeploySettings(), LogSettings(key=None, key_file=settings.spool))
    read = Loaded(Settings(settings.spool, settings.spool, embedded=False, auth=settings, notifier=nobody, workers=idle), ())
    return Service(settings, lambda: read, None, Board(TABLE).meter(), discard)


@dataclass
class House:
    """The service on a store of its own."""

    at: Served
    session: aiohttp.ClientSession
    store: embedded.Running
    data: Path

    async def get(self, path: str, password: str = RIGHT) -> tuple[int, str]:
        """Status and body of an answer to the user."""
        header = {"Authorization": aiohttp.encode_basic_auth("zoe", password)}
        async with self.session.get(self.at.url + path, headers=header) as answer:
            return answer.status, await answer.text()

    def client(self) -> redis.Redis:
        """The store."""
        return redis.Redis.from_url(self.store.store.url)


@pytest.fixture
async def house(tmp_path: Path, settings: AuthSettings) -> AsyncIterator[House]:
    """A running one."""
    store = embedded.start(tmp_path)
    mine = replace(settings, redis_url=store.store.url)
    async with served(service(mine).build()) as at, aiohttp.ClientSession() as session:
        built = House(at, session, store, tmp_path)
        yield built
        built.store.stop()


@pytest.mark.real
async def test_a_token_is_recorded_and_proved(house: House, settings: AuthSettings) -> None:
    """Its signature by the certificate, its id by the jti key, its record in the stream and under its key."""
    status, body = await house.get("/auth?service=registry&scope=repository:shop/cart:pull,push")
    token = json.loads(body)["token"]
    public = x509.load_pem_x509_certificate(settings.token.keys[0].certificate.read_bytes()).public_key()
    claims = jwt.decode(token, public, algorithms=["RS256"], audience="registry")  # type: ignore[arg-type]  # an RSA key
    assert (status, claims["sub"]) == (200, f"zoe#{claims['jti']}")
    assert verify(JtiKeys((JTI_KEY,)), unverified_jti=claims["jti"], account=Account("zoe")) is Proof.AUTHENTIC
    client = house.client()
    record = decode(Issuance, client.get(keys.issuance(Jti(claims["jti"]))))  # type: ignore[arg-type]  # bytes
    assert (record.account, record.client_addr, record.granted) == ("zoe", "127.0.0.1", record.asked)
    assert client.xlen(keys.ISSUANCES) == 1
    client.close()


@pytest.mark.real
async def test_the_store_goes_and_comes_back(house: House) -> None:
    """503 without a token meanwhile, not ready, still alive; then as before, without anybody's help."""
    assert (await house.get("/auth"))[0] == 200
    house.store.stop()
    status, body = await house.get("/auth")
    assert (status, body) == (503, "Unavailable, try again.\n")
    assert [(await house.get(path))[0] for path in ("/readyz", "/healthz")] == [503, 200]
    house.store = embedded.start(house.data)
    assert [(await house.get(path))[0] for path in ("/auth", "/readyz")] == [200, 200]


@pytest.mark.real
async def test_a_store_that_hangs(house: House) -> None:
    """It is waited for no longer than for one that is gone."""
    client = house.client()
    client.client_pause(60_000)
    assert [(await house.get(path))[0] for path in ("/auth", "/readyz")] == [503, 503]
    client.close()


@pytest.mark.real
async def test_the_last_sums_are_recorded(tmp_path: Path, settings: AuthSettings) -> None:
    """When it stops, what was only counted is written, before the store is let go."""
    store = embedded.start(tmp_path)
    mine = replace(settings, redis_url=store.store.url)
    async with served(service(mine).build()) as at, aiohttp.ClientSession() as session:
        house = House(at, session, store, tmp_path)
        for _ in range(SINGLE_PER_MINUTE + 2):
            assert (await house.get("/auth", "wrong"))[0] == 401
    client = redis.Redis.from_url(store.store.url)
    counts = [refusal_from_fields(fields).count for fields in entries_now(client, keys.REFUSALS)]
    client.close()
    store.stop()
    assert counts == [1] * SINGLE_PER_MINUTE + [2]


async def test_an_access_list_with_faults(settings: AuthSettings) -> None:
    """It is not served by: `check` tells what is wrong."""
    broken = replace(settings, acl=(AclRule(1, name="/(/", actions=("*",)),))
    with pytest.raises(Misconfigured, match="access list"):
        service(broken).build()


def test_it_does_not_start_with_pairs_that_do_not_fit(
    settings: AuthSettings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither to sign with nor to serve by: the setting is named, and the exit code says that starting again is of no use."""
    (tmp_path / "other").write_bytes(new_key())
    odd = replace(settings.token.keys[0], key=tmp_path / "other")
    pair = TlsPair(odd.certificate, tmp_path / "other")
    for broken, name in (
        (replace(settings, token=replace(settings.token, keys=(odd,))), "token.certificate"),
        (replace(settings, server=replace(settings.server, tls=TlsSettings(pair))), "server.certificate"),
    ):
        assert serve(broken, lambda: Loaded(None, ()), meter=Board(TABLE).meter()) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert json.loads(line)["event"] == "service.misconfigured"
        assert name in json.loads(line)["problem"]


def test_keys_are_not_told(settings: AuthSettings) -> None:
    """Not by the settings, however they are printed."""
    assert base64.b64encode(JTI_KEY).decode() not in repr(settings)
    assert JTI_KEY.decode() not in repr(settings)


class Unused:
    """A signer and a password check that nobody asks: deciding is not about them."""

    def sign(self, claims: object, *, service: str, now: int) -> str:
        """Not called."""
        raise AssertionError

    public = ()

    async def matches(self, password: bytes, hashed: bytes) -> bool:
        """Not called."""
        raise AssertionError

    def remembers(self, password: bytes, hashed: bytes) -> bool:
        """Not called."""
        raise AssertionError


METER = Board(TABLE).meter()


def settings_of(*rules: AclRule, policy: PolicySettings) -> AuthSettings:
    """A token service's settings."""
    key = SigningKey("first", Path("token.crt"), Path("token.key"))
    token = TokenSettings("i", 900, (key,), (Secret(b"k" * 32),))
    return AuthSettings(
        ServerSettings(Address("", 5_001)),
        token,
        (User("zoe", None, 1),),
        rules,
        "redis://nowhere",
        Path("journal"),
        policy=policy,
    )


@pytest.mark.parametrize("policy", [PolicySettings(), PolicySettings(union=True, double_star=True, account_lists=True)])
def test_the_list_is_read_as_the_file_asks(policy: PolicySettings) -> None:
    """What stands in ``policy`` reaches the list that decides, and its hash."""
    rules = make_rules(
        settings_of(AclRule(1, actions=("pull",)), policy=policy), cast("TokenSigner", Unused()), Unused(), METER
    )
    assert rules.policy is not None
    assert rules.policy.options == Options(policy.union, policy.double_star, policy.account_lists)


def test_a_faulty_list_is_refused() -> None:
    """Whoever changed the file meanwhile: no service without a list that can be read."""
    with pytest.raises(Misconfigured, match="the access list has faults"):
        make_rules(settings_of(AclRule(1, name="/(/"), policy=PolicySettings()), cast("TokenSigner", Unused()), Unused(), METER)
