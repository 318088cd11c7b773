"""Targets that begin runs of other systems: through a real HTTP connection, claim after claim, to the end of what they began."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.ci_servers import (
    TOKEN,
    ArgoCDServer,
    DroneServer,
    GitHubServer,
    GitLabServer,
    JenkinsServer,
    Server,
    WoodpeckerServer,
)
from tests.servers import Peer, Reply, answering
from tests.workers.leases import Holding
from tests.workers.orders import ORDER
from wharfinger.ledger.errors import LeaseLost
from wharfinger.runtime import settings as typed
from wharfinger.runtime.configuration import load
from workers.adapters.destinations import ConfiguredDestinations
from workers.decide.order import Delivered, Failed, Refused, Retry, Sent, Waiting
from workers.ports import Target

pytestmark = pytest.mark.real
KEYS = {
    "workflow": "type: github, repository: shop/infra, workflow: deploy.yml, inputs: {digest: '{{digest}}', delivery_id: '{{delivery_id}}'}",
    "event": "type: github, repository: shop/infra",
    "gitlab": "type: gitlab, project: shop/infra, read_token_file: ci.token",
    "jenkins": "type: jenkins, user: ci, job: shop/deploy, parameters: {DIGEST: '{{digest}}', WHARFINGER_DELIVERY: '{{delivery_id}}'}",
    "woodpecker": "type: woodpecker, repository: 17",
    "drone": "type: drone, repository: shop/infra, branch: main",
    "argocd": "type: argocd, application: shop",
}
SERVERS: dict[str, Callable[[], Server]] = {
    "workflow": GitHubServer,
    "event": GitHubServer,
    "gitlab": GitLabServer,
    "jenkins": JenkinsServer,
    "woodpecker": WoodpeckerServer,
    "drone": DroneServer,
    "argocd": ArgoCDServer,
}


@dataclass
class Site:
    """A target, as it is configured, and the system it begins runs in."""

    folder: Path
    kind: str
    server: Server
    peer: Peer
    more: str = ""
    lease: Holding = field(default_factory=Holding)

    def target(self) -> Target:
        """As a worker has it that was just started."""
        prefix = "/ci" if self.kind == "jenkins" else ""
        token = "glptt-" if self.kind == "gitlab" else ""
        (self.folder / "ci.token").write_text(f"{TOKEN}\n")
        (self.folder / "begin.token").write_text(f"{token}{TOKEN}\n")
        text = f"{KEYS[self.kind]}, url: '{self.peer.url}{prefix}', token_file: begin.token, allow: [127.0.0.1]{self.more}"
        (self.folder / "wharfinger.yml").write_text(f"{WHOLE}deploy:\n  targets:\n    ci: {{{text}}}\n")
        for name in ("ci.token", "begin.token", "pair.key"):
            (self.folder / name).touch()
            (self.folder / name).chmod(0o600)
        (self.folder / "pair.crt").touch()
        loaded = load(self.folder / "wharfinger.yml", data=self.folder, environ={}, started=False)
        assert loaded.settings is not None, loaded.found
        found = ConfiguredDestinations(loaded.settings.workers).find("ci")
        assert found is not None
        return found.target

    def claim(self, delivery: str = "dlv_1") -> Sent:
        """One claim of the delivery, by a worker that knows only what was kept."""
        order = replace(ORDER, delivery_id=delivery)
        return self.target().resume(order, self.lease) or self.target().send(order, self.lease)

    def to_the_end(self, most: int = 20) -> tuple[list[Sent], Sent]:
        """Claim after claim: what was said on the way, and what became of it."""
        said: list[Sent] = []
        for _ in range(most):
            sent = self.claim()
            if not isinstance(sent, Waiting | Retry):
                return said, sent
            said.append(sent)
        pytest.fail(f"no end came: {said}")


WHOLE = "server: {addr: ':5001'}\ntoken: {issuer: w, expiration: 900, certificate: pair.crt, key: pair.key}\nusers: {'': {}}\nacl: []\n"


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """One of them, of the kind that the test asks for."""
    server = SERVERS[request.param]()
    with answering(server) as peer:
        yield Site(tmp_path, request.param, server, peer)


ALL = pytest.mark.parametrize("site", KEYS, indirect=True)


@ALL
def test_to_a_good_end(site: Site) -> None:
    """It begins one run, follows it, and says how it ended."""
    said, sent = site.to_the_end()
    assert isinstance(sent, Delivered), sent
    assert all(isinstance(one, Waiting) for one in said)
    assert len(said) >= 2
    (run,) = site.server.runs
    assert "dlv_1" in run.given.values()


@ALL
def test_to_a_bad_end(site: Site) -> None:
    """A run that failed has not delivered; nothing is begun anew for it."""
    site.server.good = False
    if site.kind == "argocd":  # tells what it was before for a while, so a degraded one is looked at for a minute
        site.claim()
        site.lease.note({**site.lease.noted, "asked": str(int(site.lease.noted["asked"]) - 60)})
    said, sent = site.to_the_end()
    assert isinstance(sent, Failed), (said, sent)
    assert len(site.server.runs) == 1


@ALL
def test_an_answer_that_is_lost(site: Site) -> None:
    """The run began, and the connection ended without a word: it is looked up by the delivery's id, and never begun again."""
    site.server.lose = 1
    said, sent = site.to_the_end()
    assert isinstance(said[0], Waiting)
    assert "looked up" in said[0].reason
    assert isinstance(sent, Delivered), (said, sent)
    assert len(site.server.runs) == 1


@ALL
def test_a_worker_that_is_killed_at_any_step(site: Site) -> None:
    """Whatever it had kept is all that the next one knows; the run is one all the same, or none before it was asked for."""
    steps = 0
    while _is_killed(site, after=steps):
        sent = _carried_on(site)
        assert isinstance(sent, Delivered), (steps, sent)
        assert len(site.server.runs) == 1, steps
        steps += 1
    assert steps >= 5


def _is_killed(site: Site, *, after: int) -> bool:
    """Whether a worker that lives so many steps dies before the end. What it kept stays, for one that lives on."""
    site.lease = Killed(left=after)
    site.server.runs.clear()
    killed = True
    with suppress(LeaseLost):
        site.to_the_end()
        killed = False
    site.lease = Holding(kept=site.lease.kept)
    return killed


class Killed(Holding):
    """The lease of a worker that dies before one of its steps: what was not kept by then never is."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self._left = left

    def renew(self) -> None:
        """One step more."""
        if self._left == 0:
            raise LeaseLost("killed")
        self._left -= 1


def _carried_on(site: Site) -> Sent:
    for _ in range(30):
        sent = site.claim()
        if isinstance(sent, Waiting) and "nothing is found yet" in sent.reason:
            # What was kept and never asked for: a minute later it is known that it had not begun.
            site.lease.note({**site.lease.noted, "asked": str(int(site.lease.noted["asked"]) - 60)})
        if not isinstance(sent, Waiting | Retry):
            return sent
    pytest.fail("no end came")


@ALL
@pytest.mark.parametrize(
    ("reply", "after_s"),
    [(Reply(429, {"Retry-After": "17"}), 17.0), (Reply(408), None)],
    ids=["429", "408"],
)
def test_too_many_requests(site: Site, reply: Reply, after_s: float | None) -> None:
    """Later, when it was asked to; nothing had begun, so the next claim begins it."""
    site.server.trouble = [reply]
    assert site.claim() == Retry(f"answered {reply.status}", after_s)
    assert site.lease.noted == {}
    assert isinstance(site.to_the_end()[1], Delivered)
    assert len(site.server.runs) == 1


@ALL
def test_trouble_while_it_is_followed(site: Site) -> None:
    """A look that fails is tried again, and what began goes on."""
    assert isinstance(site.claim(), Waiting)
    site.server.trouble = [Reply(502), Reply(503)]
    said, sent = site.to_the_end()
    assert [isinstance(one, Retry) for one in said[:2]] == [True, True]
    assert isinstance(sent, Delivered)
    assert len(site.server.runs) == 1


@ALL
def test_a_redirect(site: Site) -> None:
    """Is not followed, and no token goes anywhere else."""
    with answering(lambda _: Reply(200)) as elsewhere:
        site.server.trouble = [Reply(307, {"Location": elsewhere.url})]
        sent = site.claim()
    assert isinstance(sent, Failed)
    assert "redirects are not followed" in sent.reason
    assert elsewhere.heard == []
    assert site.server.runs == []


@ALL
def test_a_token_that_is_repeated(site: Site) -> None:
    """By a peer that tells it back: it is in no reason."""
    site.server.trouble = [Reply(400, {}, f'{{"message": "bad token {TOKEN}, {TOKEN}"}}'.encode())]
    sent = site.claim()
    assert isinstance(sent, Failed)
    assert TOKEN not in sent.reason


@ALL
def test_no_network_of_its_allow(site: Site) -> None:
    """Nothing is sent, not even a look, and nothing is kept."""
    target = site.target()
    settings = load(site.folder / "wharfinger.yml", data=site.folder, environ={}, started=False).settings
    assert settings is not None
    (one,) = settings.workers.deploy.targets
    elsewhere: Any = replace(one, reach=typed.Reach(url=f"https://127.0.0.1:{site.peer.port}"))  # type: ignore[type-var, call-arg]  # whichever it is
    workers = replace(settings.workers, deploy=replace(settings.workers.deploy, targets=(elsewhere,)))
    found = ConfiguredDestinations(workers).find("ci")
    assert found is not None
    assert isinstance(found.target.send(ORDER, site.lease), Refused)
    assert (site.peer.heard, site.lease.kept) == ([], [])
    assert target.resume(ORDER, site.lease) is None


@pytest.mark.parametrize("site", ["workflow"], indirect=True)
def test_a_github_that_names_no_run(site: Site) -> None:
    """An older one answers 204: the run is found by its name."""
    assert isinstance(site.server, GitHubServer)
    site.server.details = False
    assert isinstance(site.to_the_end()[1], Delivered)
    assert len(site.server.runs) == 1


@pytest.mark.parametrize("site", ["workflow"], indirect=True)
def test_inputs_that_a_workflow_does_not_declare(site: Site) -> None:
    """GitHub says which, and so do we."""
    assert isinstance(site.server, GitHubServer)
    site.server.inputs = frozenset({"delivery_id"})
    assert site.claim() == Failed("answered 422: Unexpected inputs provided")


@pytest.mark.parametrize("site", ["gitlab"], indirect=True)
def test_pipelines_without_names(site: Site) -> None:
    """Are found by their variables."""
    assert isinstance(site.server, GitLabServer)
    site.server.named, site.server.lose = False, 1
    assert isinstance(site.to_the_end()[1], Delivered)
    assert len(site.server.runs) == 1


@pytest.mark.parametrize("site", ["jenkins"], indirect=True)
def test_a_job_without_our_parameters(site: Site) -> None:
    """Is not built: Jenkins would drop them and say nothing."""
    assert isinstance(site.server, JenkinsServer)
    site.server.declared = ("DIGEST",)
    sent = site.claim()
    assert isinstance(sent, Refused)
    assert "WHARFINGER_DELIVERY" in sent.reason
    assert site.server.runs == []


@pytest.mark.parametrize("site", ["jenkins"], indirect=True)
def test_a_queue_that_forgets(site: Site) -> None:
    """As Jenkins' does after five minutes: the build is found by its parameters."""
    assert isinstance(site.server, JenkinsServer)
    site.server.forgets = True
    assert isinstance(site.to_the_end()[1], Delivered)
    assert len(site.server.runs) == 1


@pytest.mark.parametrize("site", ["argocd"], indirect=True)
def test_a_sync_that_is_under_way(site: Site) -> None:
    """Ours waits for its end, and is another."""
    server = site.server
    server.begin({"wharfinger.delivery": "dlv_0"})
    assert site.claim() == Retry("answered 400: another operation is already in progress")
    server.runs[-1].polls = -1
    assert isinstance(site.to_the_end()[1], Delivered)
    assert [run.given["wharfinger.delivery"] for run in server.runs] == ["dlv_0", "dlv_1"]
