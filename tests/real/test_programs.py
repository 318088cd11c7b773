"""Programs that decide, with real small programs: their answers, their bounds, and a push by somebody only they know."""

import asyncio
import contextlib
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvloop

from authsvc.adapters.command_auth import MAX_OUTPUT, MAX_RUNNING, MAX_WAITING, CommandAuthenticator, CommandAuthorizer, Program
from authsvc.decide.commands import Ended
from authsvc.decide.credentials import Identity, NoMatch, WrongPassword
from authsvc.decide.request import Claimed
from authsvc.errors import Unavailable
from authsvc.metrics import TABLE
from tests.real.conftest import House, build_house, wait_until
from tests.real.test_pipe import all_exact, layout, skopeo
from wharfinger.cli.pusher import make_image
from wharfinger.policy import Request
from wharfinger.runtime.metrics import Board
from wharfinger.runtime.settings import Command

pytestmark = pytest.mark.real

KEY = b"k" * 32
METER = Board(TABLE).meter()
BOB = Claimed("bob", "secret")
ASKED = Request("bob", "repository", "a/b", "registry", ip_address("10.0.0.7"), ("pull", "push"), {"team": ("core",)})


def on_the_loop(test: Callable[[Path], Coroutine[None, None, None]]) -> Callable[[Path], None]:
    """A test run by uvloop, which serves: its subprocesses are its own, not asyncio's."""

    def run(tmp_path: Path) -> None:
        uvloop.run(test(tmp_path))

    run.__doc__, run.__name__ = test.__doc__, test.__name__
    return run


def script(folder: Path, text: str) -> Command:
    """A shell script."""
    file = folder / "program.sh"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return Command(str(file), ("first", "second argument"))


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@on_the_loop
async def test_ext_auth_lets_in_with_labels(tmp_path: Path) -> None:
    """It reads account and password on its standard input, to the byte, and writes labels."""
    program = script(
        tmp_path,
        f'[ "$(cat | od -An -c | tr -d " \\n")" = "bobsecret" ] && echo \'{{"labels": {{"team": ["core"]}}}}\'; cat >{tmp_path}/left',
    )
    found = await CommandAuthenticator(Program(program, "ext_auth", METER), KEY).authenticate(BOB)
    assert isinstance(found, Identity)
    assert (found.account, found.labels) == ("bob", {"team": ("core",)})
    assert (tmp_path / "left").read_bytes() == b""


@on_the_loop
async def test_what_it_is_given(tmp_path: Path) -> None:
    """Input, arguments, and an environment that holds nothing of ours."""
    os.environ["WHARFINGER_TEST_SECRET"] = "not for programs"
    try:
        program = script(tmp_path, f'cat >{tmp_path}/input; env >{tmp_path}/env; printf "%s|" "$@" >{tmp_path}/arguments')
        await CommandAuthenticator(Program(program, "ext_auth", METER), KEY).authenticate(BOB)
    finally:
        del os.environ["WHARFINGER_TEST_SECRET"]
    assert (tmp_path / "input").read_bytes() == b"bob secret"
    assert (tmp_path / "arguments").read_text() == "first|second argument|"
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "PWD", "SHLVL", "OLDPWD", "_"}


@pytest.mark.parametrize(("found", "code"), [(WrongPassword(), 1), (NoMatch(), 2)])
def test_ext_auth_does_not_let_in(tmp_path: Path, found: object, code: int) -> None:
    """Its exit codes are its answers; nothing of a claim is remembered."""
    authenticator = CommandAuthenticator(Program(script(tmp_path, f"exit {code}"), "ext_auth", METER), KEY)
    assert uvloop.run(authenticator.authenticate(BOB)) == found
    assert authenticator.recall(BOB) is None


@on_the_loop
async def test_an_account_that_cannot_be_told_is_not_asked_for(tmp_path: Path) -> None:
    """`alice ` is not `alice`: the program would not see the difference."""
    authenticator = CommandAuthenticator(Program(script(tmp_path, f"touch {tmp_path}/asked"), "ext_auth", METER), KEY)
    assert await authenticator.authenticate(Claimed("alice ", "secret")) == NoMatch()
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ("ext_auth ended with 3", "echo secret; echo secret >&2; exit 3"),
        ("ext_auth ended with -9", "kill -9 $$"),
        ("ext_auth wrote what is no {labels: {name: [value]}}", "cat"),
        ("ext_auth writes more than 65536 bytes", "exec cat /dev/zero"),
    ],
)
def test_a_program_that_does_not_say(tmp_path: Path, problem: str, text: str) -> None:
    """It is unavailable, and nothing it wrote is told."""
    with pytest.raises(Unavailable) as fault:
        uvloop.run(CommandAuthenticator(Program(script(tmp_path, text), "ext_auth", METER), KEY).authenticate(BOB))
    assert problem == str(fault.value)


@on_the_loop
async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """It went away since the start: unavailable, and not ready."""
    program = Program(Command(str(tmp_path / "gone")), "ext_auth", METER)
    with pytest.raises(Unavailable, match=r"^ext_auth cannot be started: No such file or directory$"):
        await program.run(b"")
    with pytest.raises(Unavailable, match=r"^ext_auth cannot be started$"):
        await program.ready()
    await Program(script(tmp_path, "exit 0"), "ext_auth", METER).ready()


@on_the_loop
async def test_one_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    """Its process group goes; nobody is left to hold on to a password."""
    program = Program(
        script(tmp_path, f"sleep 600 & echo $! >{tmp_path}/child; echo $$ >{tmp_path}/parent; wait"),
        "ext_auth",
        METER,
        timeout_s=1,
    )
    with pytest.raises(Unavailable, match=r"^ext_auth did not end within 1 s$"):
        await program.run(b"bob secret")
    pids = [int((tmp_path / name).read_text()) for name in ("child", "parent")]
    wait_until("the end of both", lambda: not any(map(alive, pids)))


@on_the_loop
async def test_one_whose_client_gave_up_is_killed(tmp_path: Path) -> None:
    """A cancelled request leaves no program behind."""
    program = Program(
        script(tmp_path, f"echo $$ >{tmp_path}/pid.part; mv {tmp_path}/pid.part {tmp_path}/pid; exec sleep 600"),
        "ext_auth",
        METER,
    )
    running = asyncio.create_task(program.run(b"bob secret"))
    await asyncio.to_thread(wait_until, "its start", (tmp_path / "pid").exists)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    pid = int((tmp_path / "pid").read_text())
    await asyncio.to_thread(wait_until, "its end", lambda: not alive(pid))


@on_the_loop
async def test_so_many_run_and_so_many_wait(tmp_path: Path) -> None:
    """Beyond that a request is told to come again; the others are answered."""
    gate, started = tmp_path / "gate", tmp_path / "started"
    os.mkfifo(gate)
    started.mkdir()
    program = Program(script(tmp_path, f"touch {started}/$$; read line <{gate}; exit 0"), "ext_auth", METER)
    asking = [asyncio.create_task(program.run(b"")) for _ in range(MAX_RUNNING + MAX_WAITING)]
    await asyncio.to_thread(wait_until, "all that may run", lambda: sum(1 for _ in started.iterdir()) == MAX_RUNNING)
    with pytest.raises(Unavailable, match=r"^too many requests wait for ext_auth$"):
        await program.run(b"")
    assert sum(1 for _ in started.iterdir()) == MAX_RUNNING
    writer = await asyncio.to_thread(os.open, gate, os.O_WRONLY)
    while not all(task.done() for task in asking):
        with contextlib.suppress(BrokenPipeError):
            os.write(writer, b"\n")
        await asyncio.sleep(0.001)
    os.close(writer)
    assert {task.result() for task in asking} == {Ended(0, b"")}


@on_the_loop
async def test_one_that_waits_too_long_is_told_so(tmp_path: Path) -> None:
    """A place that does not come free."""
    program = Program(script(tmp_path, "exec sleep 600"), "ext_auth", METER, wait_s=0.2)
    running = [asyncio.create_task(program.run(b"")) for _ in range(MAX_RUNNING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match=r"^ext_auth is busy$"):
        await program.run(b"")
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@on_the_loop
async def test_one_that_ends_without_reading(tmp_path: Path) -> None:
    """A megabyte nobody reads does not hang, nor fail."""
    assert await Program(script(tmp_path, "exit 1"), "ext_auth", METER).run(b"x" * 2**20) == Ended(1, b"")


@on_the_loop
async def test_as_much_as_allowed_is_read(tmp_path: Path) -> None:
    """Up to the limit, to the byte."""
    found = await Program(script(tmp_path, f"head -c {MAX_OUTPUT} /dev/zero"), "ext_auth", METER).run(b"")
    assert len(found.output) == MAX_OUTPUT


@pytest.mark.parametrize(("granted", "code"), [(("pull", "push"), 0), ((), 1)])
def test_ext_authz(tmp_path: Path, granted: tuple[str, ...], code: int) -> None:
    """It reads the request as JSON, and its exit code is the answer."""
    program = script(tmp_path, f"cat >{tmp_path}/input; exit {code}")
    assert uvloop.run(CommandAuthorizer(Program(program, "ext_authz", METER)).authorize(ASKED)) == granted
    assert json.loads((tmp_path / "input").read_bytes()) == {
        "Account": "bob", "Type": "repository", "Name": "a/b", "Service": "registry", "IP": "10.0.0.7",
        "Actions": ["pull", "push"], "Labels": {"team": ["core"]},
    }  # fmt: skip


@on_the_loop
async def test_ext_authz_that_does_not_say(tmp_path: Path) -> None:
    """Nothing is granted, and nobody is told it was denied."""
    with pytest.raises(Unavailable, match=r"^ext_authz ended with 2$"):
        await CommandAuthorizer(Program(script(tmp_path, "exit 2"), "ext_authz", METER)).authorize(ASKED)


AUTH = """\
import sys
account, _, password = sys.stdin.read().partition(" ")
if (account, password) == ("zoe", "her password"):
    print('{"labels": {"team": ["core"]}}')
    sys.exit(0)
if (account, password) == ("hussein", "the program's word"):
    sys.exit(0)
if account == "broken":
    sys.exit(7)
sys.exit(1 if account == "zoe" else 2)
"""
AUTHZ = """\
import json, sys
asked = json.load(sys.stdin)
sys.exit(0 if asked["Name"].startswith("free/") else 3 if asked["Name"].startswith("fault/") else 1)
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything, with ext_auth and ext_authz beside users and acl."""
    folder = tmp_path_factory.mktemp("programs")
    files = {name: folder / f"{name}.py" for name in ("auth", "authz")}
    files["auth"].write_text(AUTH)
    files["authz"].write_text(AUTHZ)

    def edit(text: str) -> str:
        rules = '  - match: {name: "${labels:team}/*", account: "/.+/"}\n    actions: [pull, push]\n  - match: {name: "shut/*"}\n    actions: []\n'
        commands = "".join(f'ext_{name}: {{command: "{sys.executable}", args: ["{file}"]}}\n' for name, file in files.items())
        return text.replace('  - match: {account: ""', f'{rules}  - match: {{account: ""') + commands

    built = build_house(folder / "house", edit=edit)
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def push(house: House, who: str, repository: str, folder: Path) -> tuple[bool, str]:
    """Push with skopeo: whether it went, and the digest."""
    image = make_image(os.urandom(32))
    source = f"oci:{layout(folder / f'oci-{time.monotonic_ns()}', image)}:v1"
    target = f"docker://{house.registry}/{repository}:v1"
    pushed = skopeo("copy", "--dest-tls-verify=false", "--dest-creds", who, source, target)
    return pushed.returncode == 0, image.digest


def test_somebody_whom_only_the_program_knows_pushes(programs: House, tmp_path: Path) -> None:
    """By her labels and the access list; tied to her token, with a credential of the program's kind."""
    pushed, digest = push(programs, "zoe:her password", "core/app", tmp_path)
    assert pushed
    found = programs.traced(digest, lambda one: one.events and one.issuances)
    (event,) = [one for one in found.events if one.action == "push"]
    assert (event.attribution.verdict, event.attribution.account) == ("exact", "zoe")
    (token,) = [one for one in found.issuances if one.jti == event.attribution.jti]
    assert (token.credential["kind"], len(token.credential["id"])) == ("ext_auth", 24)
    all_exact(programs, "core/app")


@pytest.mark.parametrize(
    ("pushed", "who", "repository", "why"),
    [
        (True, "zoe:her password", "free/app", "no rule matches, ext_authz allows"),
        (False, "zoe:her password", "other/app", "no rule matches, ext_authz denies"),
        (False, "zoe:her password", "fault/app", "ext_authz does not say"),
        (False, "zoe:her password", "shut/app", "a rule that grants nothing is final"),
        (False, "zoe:wrong", "free/app", "the program knows her by another password"),
        (False, "nobody:x", "free/app", "neither users nor the program know him"),
        (False, "broken:x", "free/app", "the program does not say"),
        (False, "hussein:the program's word", "ubuntu", "users are asked first, and who is known there is final"),
    ],
)
def test_order_and_finality(programs: House, tmp_path: Path, *, pushed: bool, who: str, repository: str, why: str) -> None:
    """As docker_auth has them."""
    assert (pushed, why) == (push(programs, who, repository, tmp_path)[0], why)


def test_passwords_are_in_no_log_and_no_record(programs: House) -> None:
    """Neither what was right nor what was wrong."""
    everything = (programs.folder / "up.log").read_text() + str(programs.rows("SELECT * FROM records"))
    everything += str(programs.rows("SELECT * FROM personal"))
    assert [word for word in ("her password", "the program's word") if word in everything] == []
    assert "zoe" in everything
