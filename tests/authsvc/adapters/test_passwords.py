"""The port PasswordCheck: its suite on the fake and on bcrypt, and what bcrypt's pool does beside it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bcrypt
import pytest

from authsvc.adapters.passwords import MAX_REMEMBERED, MAX_WAITING, REMEMBERED_S, BcryptPool
from authsvc.decide.credentials import costs, dummy_hash
from authsvc.errors import Unavailable
from authsvc.ports import PasswordCheck
from tests.authsvc.fakes import PlainPasswords, plain_hash

DUMMY = dummy_hash(b"k" * 32, costs({}), "nobody")


def bcrypt_hash(password: bytes) -> bytes:
    """The cheapest that bcrypt has."""
    return bcrypt.hashpw(password, bcrypt.gensalt(4))


@dataclass
class Subject:
    """An implementation, and how it wants its hashes."""

    check: PasswordCheck
    hashed: Callable[[bytes], bytes]


@pytest.fixture(params=["fake", "bcrypt"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Each implementation."""
    if request.param == "fake":
        yield Subject(PlainPasswords(), plain_hash)
        return
    pool = BcryptPool()
    yield Subject(pool, bcrypt_hash)
    pool.close()


@pytest.mark.parametrize("password", [b"s3cret", "pässwörd".encode(), b" ", b"a\x00b", b"x" * 72])
async def test_the_right_password(subject: Subject, password: bytes) -> None:
    """It matches, each time it is asked."""
    hashed = subject.hashed(password)
    assert [await subject.check.matches(password, hashed) for _ in range(2)] == [True, True]


@pytest.mark.parametrize("password", [b"s3cre", b"S3cret", b"s3cret ", b"s3cret\x00", b"\xff", b""])
async def test_another_password(subject: Subject, password: bytes) -> None:
    """It does not, also after the right one did."""
    hashed = subject.hashed(b"s3cret")
    assert await subject.check.matches(b"s3cret", hashed)
    assert not await subject.check.matches(password, hashed)


async def test_no_password_matches_nothing(subject: Subject) -> None:
    """Not even a hash of nothing."""
    assert not await subject.check.matches(b"", subject.hashed(b""))


@pytest.mark.parametrize(
    "hashed",
    [
        b"", b"s3cret", b"$2y$10$", b"$2b$04$" + b"." * 52, b"$2b$99$" + b"." * 53, b"$2b$03$" + b"." * 53, b"$2b$xx$" + b"." * 53,
        b"$1$abc$def", b"\xff" * 60, b"$2b$04$" + b"\x00" * 53, DUMMY[:-1],
    ],
)  # fmt: skip
async def test_what_is_no_hash(subject: Subject, hashed: bytes) -> None:
    """It has no password, and is no error."""
    assert not await subject.check.matches(b"s3cret", hashed)


async def test_too_many_at_once(subject: Subject) -> None:
    """So many may wait; the rest is told to come again, and later everybody is served."""
    hashed = subject.hashed(b"s3cret")
    asked = [subject.check.matches(b"wrong-%d" % number, hashed) for number in range(MAX_WAITING + 3)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in found] == [bool] * MAX_WAITING + [Unavailable] * 3
    assert await subject.check.matches(b"s3cret", hashed)


@pytest.mark.parametrize("prefix", [b"$2a$", b"$2b$", b"$2y$"])
async def test_every_prefix(prefix: bytes) -> None:
    """All that docker_auth's users may have."""
    pool = BcryptPool()
    assert await pool.matches(b"s3cret", prefix + bcrypt_hash(b"s3cret")[4:])
    pool.close()


async def test_the_dummy_is_a_hash() -> None:
    """It costs what a real one does, so it must be one that bcrypt reads; nobody has its password."""
    assert bcrypt.hashpw(b"s3cret", DUMMY).startswith(b"$2b$10$")
    pool = BcryptPool()
    assert not await pool.matches(b"s3cret", DUMMY)
    pool.close()


async def test_equal_compares_share_one() -> None:
    """Hundreds of clients with one password are one compare: nobody is told to come again."""
    pool, hashed = BcryptPool(), bcrypt_hash(b"s3cret")
    assert all(await asyncio.gather(*(pool.matches(b"s3cret", hashed) for _ in range(4 * MAX_WAITING))))
    pool.close()


async def test_a_client_that_gives_up() -> None:
    """It does not take the answer from the others that wait for the same."""
    pool, hashed = BcryptPool(), bcrypt_hash(b"s3cret")
    first, second = (asyncio.create_task(pool.matches(b"s3cret", hashed)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert first.cancelled()
    pool.close()


async def test_what_came_of_a_compare_is_remembered() -> None:
    """Even when the threads are gone, both ways; of another password or the same one of another hash nothing is known."""
    pool, hashed = BcryptPool(), bcrypt_hash(b"s3cret")
    assert await pool.matches(b"s3cret", hashed)
    assert not await pool.matches(b"wrong", hashed)
    pool.close()
    assert await pool.matches(b"s3cret", hashed)
    assert not await pool.matches(b"wrong", hashed)
    assert [pool.remembers(password, hashed) for password in (b"s3cret", b"wrong")] == [True, False]
    for password, other in ((b"other", hashed), (b"s3cret", bcrypt_hash(b"s3cret"))):
        with pytest.raises(RuntimeError):
            await pool.matches(password, other)


async def test_what_is_remembered_is_bounded() -> None:
    """The oldest goes first, and guesses do not push out what matched; no password stands in what is kept."""
    pool = BcryptPool(lambda password, hashed: password == hashed)
    assert await pool.matches(b"s3cret", b"s3cret")
    for number in range(MAX_REMEMBERED + 1):
        assert not await pool.matches(b"guess-%d" % number, b"s3cret")
    assert pool.remembers(b"s3cret", b"s3cret")
    assert len(pool._differed) == MAX_REMEMBERED
    assert b"s3cret" not in b"".join(pool._matched)
    for number in range(MAX_REMEMBERED):
        assert await pool.matches(b"%d" % number, b"%d" % number)
    assert not pool.remembers(b"s3cret", b"s3cret")
    pool.close()


async def test_how_long_it_is_remembered() -> None:
    """What matched, for a minute after it was asked about last; what differed, for a minute and no longer."""
    now_s, compared = [1_000.0], list[bytes]()

    def compare(password: bytes, hashed: bytes) -> bool:
        compared.append(password)
        return password == hashed

    pool = BcryptPool(compare, clock_s=lambda: now_s[0])
    for _ in range(10):
        assert await pool.matches(b"right", b"right")
        assert not await pool.matches(b"wrong", b"right")
        now_s[0] += 0.9 * REMEMBERED_S
    assert (compared.count(b"right"), compared.count(b"wrong")) == (1, 5)
    assert pool.remembers(b"right", b"right")
    now_s[0] += REMEMBERED_S
    assert not pool.remembers(b"right", b"right")
    assert await pool.matches(b"right", b"right")
    assert compared.count(b"right") == 2
    pool.close()
