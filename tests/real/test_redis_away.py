"""`up` on a Redis of its own that goes away and comes back: pulls and pushes go on, and everything is accounted for in the end."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.authsvc import redis_servers
from tests.authsvc.redis_servers import RealServer
from tests.real.conftest import House, build_house, kill9, wait_until
from tests.real.test_pipe import all_exact, creds, skopeo
from wharfinger.cli.pusher import make_image
from workers.adapters.http import Answer, request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import basic
from workers.errors import Unavailable

pytestmark = pytest.mark.real


@dataclass
class Harbour:
    """A house, its Redis, and every token that was given out."""

    house: House
    redis: RealServer
    given: list[str] = field(default_factory=list)

    def ask(self, name: str = "hussein", password: str = "") -> Answer:
        """Ask for a token."""
        headers = {"Authorization": basic(name, (password or self.house.password(name)).encode())}
        path = "/auth?service=registry&scope=repository:ubuntu:pull,push"
        return request(endpoint_of(f"http://127.0.0.1:{self.house.ports.auth}"), "GET", path, headers=headers)

    def tokens(self, count: int) -> None:
        """So many, from several clients at once; each is noted."""
        with ThreadPoolExecutor(8) as pool:
            for answer in pool.map(lambda _: self.ask(), range(count)):
                assert answer.status == 200
                payload = json.loads(answer.body)["token"].split(".")[1]
                self.given.append(jti_of(payload))

    def push(self, *tags: str) -> None:
        """One image a tag, each with tokens of its own."""
        for tag in tags:
            self.house.pusher().push(make_image(os.urandom(32)), "ubuntu", tag)

    def journals(self) -> list[Path]:
        """Files that wait to be replayed."""
        return sorted((self.house.folder / "journal").glob("*"))

    def accounted_for(self, *tags: str) -> None:
        """Every token has its record, every push its event, each exact; nothing waits any more."""
        names = ", ".join(f"'{tag}'" for tag in tags)
        query = f"SELECT tag FROM records WHERE kind = 'event' AND action = 'push' AND tag IN ({names})"
        wait_until("every push", lambda: {row[0] for row in self.house.rows(query)} == set(tags), 90)
        jtis = set(self.given)
        wait_until(
            "every token",
            lambda: jtis <= {row[0] for row in self.house.rows("SELECT jti FROM records WHERE kind = 'issuance'")},
            60,
        )
        all_exact(self.house, "ubuntu")
        wait_until("the journal's end", lambda: not self.journals())
        (twice,) = self.house.rows("SELECT count(*) - count(DISTINCT jti) FROM records WHERE kind = 'issuance'")
        assert twice == (0,)


def jti_of(payload: str) -> str:
    """A token's id."""
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])


@contextmanager
def built(folder: Path, on_store_failure: str) -> Iterator[Harbour]:
    """One that does this or that without Redis."""
    (folder / "redis").mkdir()
    with redis_servers.running("redis-server", folder / "redis") as server:
        assert isinstance(server, RealServer)
        more = f'\nredis: {{url: "{server.url}"}}\nissuance: {{on_store_failure: {on_store_failure}}}\n'
        house = build_house(folder / "house", more=more, processes=2)
        yield Harbour(house, server)
        assert house.program.stop() == 0
        house.registry_program.stop()


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    """One that gives tokens without Redis."""
    with built(tmp_path_factory.mktemp("away"), "spool") as one:
        yield one


def test_refused_until_it_is_back(tmp_path: Path) -> None:
    """Where tokens wait for Redis, clients are told to come again; then everything goes on, and nothing is lost."""
    with built(tmp_path, "refuse") as one:
        one.push("before")
        one.redis.take_away()
        for _ in range(4):
            answer = one.ask()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert not ready(one)
        one.redis.bring_back()
        wait_until("Redis again", lambda: one.ask().status == 200)
        one.push("after")
        one.accounted_for("before", "after")
        before = dict(one.house.children())
        config = one.house.folder / "wharfinger.yml"
        config.write_text(config.read_text().replace("on_store_failure: refuse", "on_store_failure: spool"))
        wait_until(
            "other processes",
            lambda: not {"auth-1", "auth-2"} & {n for n, pid in one.house.children().items() if before[n] == pid},
        )
        wait_until("they serve", lambda: answers(one) and one.ask().status == 200)
        one.redis.take_away()
        one.push("without")
        one.redis.bring_back()
        one.accounted_for("without")


def test_pulls_and_pushes_go_on(harbour: Harbour, tmp_path: Path) -> None:
    """Redis is killed for a while: clients notice nothing, and in the end every event has its token."""
    harbour.push("before")
    harbour.accounted_for("before")
    harbour.redis.take_away()
    harbour.push("one", "two")
    harbour.tokens(100)
    source = f"docker://{harbour.house.registry}/ubuntu:one"
    pulled = skopeo("copy", "--src-tls-verify=false", "--src-creds", creds(harbour.house), source, f"dir:{tmp_path}/pulled")
    assert pulled.returncode == 0, pulled.stderr
    assert harbour.ask("hussein", "wrong while Redis is away").status == 401
    assert harbour.journals()
    assert ready(harbour)
    harbour.redis.bring_back()
    harbour.push("three")
    harbour.tokens(20)
    harbour.accounted_for("one", "two", "three")
    refusals = "SELECT 1 FROM records WHERE kind = 'refusal' AND reason = 'wrong_password'"
    wait_until("the refusal", lambda: harbour.house.rows(refusals))


def ready(harbour: Harbour) -> bool:
    """Whether a load balancer would send clients here."""
    return request(endpoint_of(f"http://127.0.0.1:{harbour.house.ports.auth}"), "GET", "/readyz").status == 200


def test_killed_with_a_journal(harbour: Harbour) -> None:
    """Each process of the token service is killed while Redis is away, then everything at once: no token's record is lost."""
    harbour.redis.take_away()
    harbour.tokens(60)
    harbour.push("killed-1")
    for name in ("auth-1", "auth-2"):
        pid = harbour.house.children()[name]
        kill9(pid)
        wait_until("its next", lambda name=name, pid=pid: harbour.house.children()[name] != pid)  # type: ignore[misc]  # binds now
        wait_until("it serves", lambda: ready(harbour))
        harbour.tokens(20)
    harbour.push("killed-2")
    harbour.house.program.process.kill()
    harbour.house.program.process.wait()
    wait_until("all ended", lambda: not answers(harbour))
    assert harbour.journals()
    harbour.house.start(wait=False)
    wait_until("the token service", lambda: answers(harbour), 60)
    harbour.tokens(20)
    harbour.redis.bring_back()
    harbour.tokens(20)
    harbour.accounted_for("killed-1", "killed-2")


def answers(harbour: Harbour) -> bool:
    """Whether the token service listens."""
    try:
        return bool(harbour.ask().status)
    except Unavailable:
        return False


def test_redis_hangs(harbour: Harbour) -> None:
    """It holds every connection and says nothing: the first to ask wait two seconds, the next ones do not; nothing is lost."""
    harbour.redis.hang()
    harbour.tokens(50)
    harbour.redis.wake()
    harbour.tokens(5)
    harbour.push("hung")
    harbour.accounted_for("hung")


def test_nothing_secret_is_left_behind(harbour: Harbour) -> None:
    """Neither log nor journal holds a password."""
    text = (harbour.house.folder / "up.log").read_text()
    assert harbour.house.password("hussein") not in text
    assert "wrong while Redis" not in text
    grep = ["grep", "-rl", harbour.house.password("hussein"), str(harbour.redis.socket.parent)]
    assert subprocess.run(grep, capture_output=True, text=True, check=False).stdout == ""
