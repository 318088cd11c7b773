"""The first start: a docker_auth file as it is, and what is made for it; never anew where something was started before."""

import http.client
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.real.conftest import Program, answers, free_port, spawn, wait_until
from tests.wharfinger.cli.files import HASH, certificate, key, parsed, run
from wharfinger.cli.first_start import settings_to_start
from wharfinger.cli.generate import password_hash
from wharfinger.cli.loading import Place
from workers.decide.challenge import basic

SEED = Path(__file__).parents[2] / "samples/docker_auth/seed.yml"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A docker_auth's folder, with the file from use and its pair, and a data folder that is not there yet."""
    folder = tmp_path / "docker_auth"
    folder.mkdir()
    shutil.copy(SEED, folder / "auth_config.yml")
    (folder / "server.crt").write_bytes(certificate())
    (folder / "server.key").write_bytes(key(0))
    (folder / "server.key").chmod(0o600)
    return Place(folder / "auth_config.yml", tmp_path / "new/data")


class Said(list[str]):
    """A log that keeps the events' names, and nothing secret."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Keep one."""
        self.append(event)
        assert all(one not in str(fields) for one in keys_below(Path(str(fields["file"])).parent))


def keys_below(folder: Path) -> list[str]:
    """What must not be shown."""
    return (folder / "jti.key").read_text().split()


def test_looking_makes_nothing(place: Place) -> None:
    """The file is sound as it is: what reads it neither needs the key nor makes it."""
    for command in (("check", "--json"), ("keys", "list"), ("keys", "bundle"), ("keys", "jwks")):
        result = run(*command, "-c", place.config, "--data", place.data)
        assert (result.exit_code, result.stderr) == (1 if command[0] == "check" else 0, "")
        assert command[0] != "check" or all(one["warning"] for one in parsed(result))
    assert not place.data.exists()


def test_what_is_made(place: Place) -> None:
    """Its owner's alone, once, and said; the second start finds it."""
    said = Said()
    first, second = settings_to_start(place, said), settings_to_start(place, said)
    assert said == ["jti_key.made"]
    assert first.auth.token.jti_keys == second.auth.token.jti_keys
    assert [len(one.reveal()) for one in first.auth.token.jti_keys] == [32]
    assert {file.name: file.stat().st_mode & 0o777 for file in place.data.iterdir()} == {"jti.key": 0o600}
    assert place.data.stat().st_mode & 0o777 == 0o700


STARTS = """
import sys
from pathlib import Path
from wharfinger.cli.first_start import settings_to_start
from wharfinger.cli.loading import Place
print("ready", flush=True)
sys.stdin.readline()
said = []
settings = settings_to_start(Place(Path(sys.argv[1]), Path(sys.argv[2])), lambda event, /, **_: said.append(event))
print(*said, *(key.reveal().hex() for key in settings.auth.token.jti_keys))
"""


def test_several_at_once(place: Place) -> None:
    """One of them makes it, all of them go on with that one, and nothing half-made is left."""
    command = [sys.executable, "-c", STARTS, str(place.config), str(place.data)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(len(started)) as pool:
        outputs = [out.split() for out, _ in pool.map(lambda one: one.communicate("\n", timeout=60), started)]
    assert [one.returncode for one in started] == [0] * len(started)
    assert sorted(len(words) for words in outputs) == [1, 1, 1, 2]
    assert len({words[-1] for words in outputs}) == 1
    assert [file.name for file in place.data.iterdir()] == ["jti.key"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("expiration: 900", "expiration: soon", "token.expiration"),
        ("expiration: 900", "expiration: 900\n  jti_key_file: mine.key", "mine.key cannot be read"),
        ("token:", "redis: {url: 'redis://store'}\ntoken:", "token.jti_key_file is missing, and redis.url is set"),
    ],
)
def test_nothing_is_made_with_faults(place: Place, old: str, new: str, problem: str) -> None:
    """Nor for a file that names a key, or a store that others share: exit code 2."""
    place.config.write_text(place.config.read_text().replace(old, new))
    for command in (("up",), ("serve", "auth"), ("work",)):
        result = run(*command, "-c", place.config, "--data", place.data)
        assert result.exit_code == 2
        assert problem in result.stderr
    assert not place.data.exists()


@pytest.mark.parametrize("there", ["store", "ledger.db"])
def test_a_lost_key_is_not_made_anew(place: Place, there: str) -> None:
    """Where something was started, ids were proved by one: it is to be restored, and `check` says so too."""
    (place.data / there).mkdir(parents=True)
    for command in (("up",), ("serve", "auth"), ("work",), ("check",)):
        result = run(*command, "-c", place.config, "--data", place.data)
        assert result.exit_code == 2
        assert f"there is no {place.data}/jti.key. Restore it" in result.output
    assert not (place.data / "jti.key").exists()


def test_a_folder_that_cannot_be(place: Place) -> None:
    """A file stands where the data folder should: exit code 2, and what to do."""
    place.data.parent.write_text("")
    result = run("up", "-c", place.config, "--data", place.data)
    assert result.exit_code == 2
    assert f"{place.data}/jti.key cannot be made: Not a directory; name a folder of ours with --data" in result.stderr


def test_a_service_alone_says_what_to_run(place: Place) -> None:
    """It has no store: one sentence, with the very command."""
    result = run("serve", "auth", "-c", place.config, "--data", place.data)
    assert result.exit_code == 3
    assert f"run `wharfinger up -c {place.config} --data {place.data}`, which does this too" in result.stderr


@pytest.fixture
def running(place: Place) -> Iterator[tuple[Program, int]]:
    """`up` of the file from use; only its port is another, and its passwords, which nobody knows."""
    port, notifier = free_port(), free_port()
    text = place.config.read_text().replace(":5001", f"127.0.0.1:{port}").replace(HASH, password_hash(b"s3cret"))
    place.config.write_text(f"{text}notifier: {{addr: '127.0.0.1:{notifier}'}}\n")
    command: list[str | Path] = [sys.executable, "-m", "wharfinger.cli.main", "up", "-c", place.config, "--data", place.data]
    program = spawn(command, place.config.parent / "log")
    yield program, port
    assert program.stop() == 0


def token(port: int, account: str, name: str) -> dict[str, Any]:
    """The claims of the token that somebody gets who asks to pull and push."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": basic(account, b"s3cret")} if account else {}
    connection.request("GET", f"/auth?service=registry&scope=repository:{name}:pull,push", headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200
    claims: dict[str, Any] = jwt.decode(json.loads(answer.read())["token"], options={"verify_signature": False})
    connection.close()
    return claims


@pytest.mark.real
def test_tokens_at_once(running: tuple[Program, int], place: Place) -> None:
    """Each gets what the file gives, hussein pull only, by tokens with ids; the log tells of the key."""
    program, port = running
    wait_until("the token service", lambda: answers(f"http://127.0.0.1:{port}/readyz"), 60)
    for account, name, granted in (
        ("admin", "ubuntu", ["pull", "push"]),
        ("hussein", "ubuntu", ["pull"]),
        ("", "hello-world", ["pull"]),
        ("", "ubuntu", []),
    ):
        claims = token(port, account, name)
        assert claims["access"] == [{"type": "repository", "name": name, "actions": granted}]
        assert (claims["iss"], claims["sub"]) == ("Auth Service", f"{account}#{claims['jti']}")
    assert program.log.read_text().count('"event":"jti_key.made"') == 1
    assert (place.data / "jti.key").stat().st_mode & 0o777 == 0o600
