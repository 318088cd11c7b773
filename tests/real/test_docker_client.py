"""The real docker client through the whole pipe: every event it causes is tied to the token that allowed it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.conftest import Engine, House, wait_until
from tests.real.engine_images import load, web_image
from wharfinger.ledger.queries import Trace, TracedEvent
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import MANIFEST_TYPES, basic

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def hussein(house: House, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The client's folder of hussein, who is logged in."""
    folder = tmp_path_factory.mktemp("hussein")
    options = ["-u", "hussein", "-p", house.password("hussein"), house.registry]
    engine.docker("login", *options, config=folder)
    yield folder
    engine.docker("logout", house.registry, config=folder)


def ask(house: House, method: str, repository: str, reference: str, name: str) -> int:
    """One request for a manifest through the registry's API, with a token of a user's; its status."""
    action = {"DELETE": "delete", "HEAD": "pull"}[method]
    path = f"/auth?service=registry&scope=repository:{repository}:{action}"
    credentials = {"Authorization": basic(name, house.password(name).encode())}
    answer = request(endpoint_of(f"http://127.0.0.1:{house.ports.auth}"), "GET", path, headers=credentials)
    headers = {"Authorization": f"Bearer {json.loads(answer.body)['token']}", "Accept": MANIFEST_TYPES}
    return request(endpoint_of(house.url), method, f"/v2/{repository}/manifests/{reference}", headers=headers).status


def covered(trace: Trace, event: TracedEvent, *actions: str) -> bool:
    """Whether the event's own token was granted these actions on its repository."""
    (token,) = [one for one in trace.issuances if one.jti == event.attribution.jti]
    granted = {action for scope in token.granted if scope["name"] == event.repository for action in scope["actions"]}
    return set(actions) <= granted and token.account == event.attribution.account


def all_exact(house: House, repository: str) -> set[str]:
    """The actions seen in a repository, of which every event must be tied to its token."""
    rows = house.rows(f"SELECT DISTINCT action, verdict FROM records WHERE kind = 'event' AND repository = '{repository}'")
    assert {verdict for _, verdict in rows} == {"exact"}
    return {action for action, _ in rows}


def test_login(house: House, engine: Engine, tmp_path: Path) -> None:
    """The right password logs in, a wrong one does not, and the refusal is on record."""
    login = ["login", "-u", "hussein", house.registry]
    assert "Login Succeeded" in engine.docker(*login, "-p", house.password("hussein"), config=tmp_path).stdout
    wrong = engine.docker(*login, "-p", "pa55w0rd-wrong", config=tmp_path / "other", check=False)
    assert wrong.returncode != 0
    assert "unauthorized" in wrong.stderr
    query = "SELECT reason FROM records JOIN personal USING (seq) WHERE kind = 'refusal' AND account = 'hussein'"
    assert wait_until("the refusal", lambda: house.rows(query)) == [("wrong_password",)]
    assert "pa55w0rd" not in (house.folder / "up.log").read_text()


def test_push_mount_pull_and_delete(house: House, engine: Engine, hussein: Path, tmp_path: Path) -> None:
    """One image pushed, pushed again to a second repository, pulled by nobody in particular, and deleted."""
    load(engine, web_image("client", Labels={"one": os.urandom(8).hex()}), "local/client:v1", tmp_path)
    base, copy = f"{house.registry}/team/client", f"{house.registry}/team/copy"
    digests = {}
    for name in (base, copy):
        engine.docker("tag", "local/client:v1", f"{name}:v1")
        pushed = engine.docker("push", f"{name}:v1", config=hussein)
        digests[name] = next(line.split()[2] for line in pushed.stdout.splitlines() if "digest:" in line)
        engine.docker("rmi", f"{name}:v1")
    engine.docker("rmi", "local/client:v1")
    assert digests[base] == digests[copy]
    engine.docker("pull", f"{base}:v1", config=tmp_path / "nobody")

    def seen(action: str, repository: str) -> tuple[Trace, TracedEvent]:
        def wanted(trace: Trace) -> list[TracedEvent]:
            return [event for event in trace.events if (event.action, event.repository) == (action, repository)]

        found = house.traced(digests[base], wanted)
        return found, wanted(found)[-1]

    for repository in ("team/client", "team/copy"):
        found, push = seen("push", repository)
        assert (push.attribution.verdict, push.attribution.account, push.tag) == ("exact", "hussein", "v1")
        assert covered(found, push, "pull", "push")
    found, pull = seen("pull", "team/client")
    assert (pull.attribution.verdict, pull.attribution.account) == ("exact", "")
    assert covered(found, pull, "pull")
    mounts = house.rows("SELECT from_repository, account FROM records JOIN personal USING (seq) WHERE action = 'mount'")
    assert set(mounts) == {("team/client", "hussein")}

    assert ask(house, "DELETE", "team/copy", digests[copy], "hussein") == 202
    found, deleted = seen("delete", "team/copy")
    assert (deleted.attribution.verdict, deleted.attribution.account) == ("exact", "hussein")
    assert covered(found, deleted, "delete")
    assert all_exact(house, "team/client") >= {"push", "pull"}
    assert all_exact(house, "team/copy") >= {"push", "mount", "delete"}


@pytest.mark.parametrize("logged_in", [True, False])
def test_a_push_that_is_not_allowed(house: House, engine: Engine, hussein: Path, tmp_path: Path, *, logged_in: bool) -> None:
    """Another's repository, and one's own without having logged in: denied, and nothing of it is in the registry."""
    repository = "fedora" if logged_in else "team/client"
    load(engine, web_image("denied"), "local/denied:v1", tmp_path)
    name = f"{house.registry}/{repository}:denied"
    engine.docker("tag", "local/denied:v1", name)
    denied = engine.docker("push", name, config=hussein if logged_in else tmp_path, check=False)
    assert denied.returncode != 0
    assert "denied" in denied.stderr
    assert ask(house, "HEAD", repository, "denied", "admin") == 404
