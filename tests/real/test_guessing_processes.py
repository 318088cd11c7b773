"""Guessers against two processes of the token service, with real bcrypt: each knows what the other saw."""

import http.client
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from tests.real.conftest import House, build_house, wait_until
from workers.decide.challenge import basic

pytestmark = pytest.mark.real

OWNER, GUESSER, NEIGHBOUR, CONTAINERD, STALE = "127.0.1.1", "127.0.2.1", "127.0.2.2", "127.0.3.1", "127.0.4.1"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with two processes on one address."""
    built = build_house(tmp_path_factory.mktemp("shared"), processes=2)
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def get(house: House, addr: str, password: str, account: str = "hussein") -> tuple[int, int]:
    """Ask with GET from an address, by a connection of its own, so that either process may answer: status and Retry-After."""
    headers = {"Authorization": basic(account, password.encode())}
    return _sent(house, addr, "GET", path="/auth?service=registry&scope=repository:ubuntu:pull", headers=headers)


def post(house: House, addr: str, password: str, account: str = "hussein") -> tuple[int, int]:
    """The same as containerd asks first."""
    form = {
        "grant_type": "password",
        "service": "registry",
        "client_id": "containerd-client",
        "username": account,
        "password": password,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return _sent(house, addr, "POST", path="/auth", headers=headers, body=urlencode(form))


def _sent(
    house: House, addr: str, method: str, *, path: str, headers: dict[str, str], body: str | None = None
) -> tuple[int, int]:
    connection = http.client.HTTPConnection("127.0.0.1", house.ports.auth, timeout=60, source_address=(addr, 0))
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, int(answer.headers.get("Retry-After", 0))


def test_a_guesser_is_slowed_down_and_the_owner_is_not(shared: House) -> None:
    """Thirty guesses at once: then everything from that network waits for minutes, at both processes; the owner does not."""
    right = shared.password("hussein")
    assert get(shared, OWNER, right)[0] == 200
    with ThreadPoolExecutor(30) as pool:
        found = Counter(pool.map(lambda number: get(shared, GUESSER, f"guess {number}")[0], range(30)))
    assert set(found) <= {401, 429}
    assert found[401] >= 6
    refused = [get(shared, addr, right) for addr in (GUESSER, NEIGHBOUR) for _ in range(10)]
    assert {status for status, _ in refused} == {429}
    assert all(0 < pause <= 300 for _, pause in refused)
    refused = [post(shared, GUESSER, right) for _ in range(10)]
    assert {status for status, _ in refused} == {401}
    assert all(0 < pause <= 300 for _, pause in refused)
    assert [get(shared, OWNER, right)[0] for _ in range(20)] == [200] * 20
    assert [get(shared, GUESSER, shared.password("admin"), "admin")[0] for _ in range(10)] == [200] * 10


def test_an_account_attacked_from_everywhere(shared: House) -> None:
    """A hundred and twenty guesses from as many networks: a new place waits some seconds, the owner's does not wait at all."""
    right = shared.password("admin")
    assert get(shared, OWNER, right, "admin")[0] == 200
    with ThreadPoolExecutor(10) as pool:
        found = Counter(pool.map(lambda number: get(shared, f"127.1.{number}.1", f"guess {number}", "admin")[0], range(120)))
    assert set(found) <= {401, 429}
    status, pause = get(shared, "127.2.0.1", right, "admin")
    assert status == 429
    assert 0 < pause <= 30
    assert [get(shared, OWNER, right, "admin")[0] for _ in range(20)] == [200] * 20


def test_containerd_with_a_wrong_password(shared: House) -> None:
    """A POST, then a GET with the same password, five times over: five failures and not ten, so nobody waits yet."""
    for number in range(5):
        assert post(shared, CONTAINERD, f"typo {number}", "wharfinger")[0] == 401
        assert get(shared, CONTAINERD, f"typo {number}", "wharfinger")[0] == 401
    assert get(shared, CONTAINERD, shared.password("wharfinger"), "wharfinger") == (200, 0)


def test_a_stale_password(shared: House) -> None:
    """A client that repeats one keeps being told so, and holds nobody up who sits beside it."""
    assert {get(shared, STALE, "stale", "wharfinger") for _ in range(60)} == {(401, 0)}
    assert get(shared, STALE, shared.password("wharfinger"), "wharfinger") == (200, 0)


def test_more_than_can_be_compared(shared: House) -> None:
    """Four hundred names nobody has, at once, from as many networks: the queues are full, the rest is told to come again at once."""
    with ThreadPoolExecutor(200) as pool:
        found = list(
            pool.map(
                lambda number: get(shared, f"127.{3 + number // 250}.{number % 250}.1", "x", f"nobody {number}"), range(400)
            )
        )
    assert {status for status, _ in found} == {401, 503}
    assert {pause for status, pause in found if status == 503} == {1}
    wait_until("room again", lambda: get(shared, "127.9.0.1", "another", "nobody")[0] == 401)
    assert get(shared, OWNER, shared.password("hussein"))[0] == 200


def test_everything_is_on_record(shared: House) -> None:
    """Wrong passwords and those who were made to wait; no password, and no name that nobody has."""
    rows = wait_until(
        "the refusals",
        lambda: len(rows := shared.rows("SELECT DISTINCT reason FROM records WHERE kind = 'refusal'")) == 3 and rows,
    )
    assert {reason for (reason,) in rows} == {"wrong_password", "unknown_account", "backed_off"}
    everything = (
        (shared.folder / "up.log").read_text()
        + str(shared.rows("SELECT * FROM records"))
        + str(shared.rows("SELECT * FROM personal"))
    )
    assert "guess 1" not in everything
    assert "nobody 1" not in everything
