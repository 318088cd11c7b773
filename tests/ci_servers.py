"""Stand-ins for the systems that targets begin runs in: they take the documented requests, and refuse all others as those do.

Each keeps the runs that began. ``lose`` makes it begin one and end the connection without an answer, as a proxy does that is
stopped; ``trouble`` makes it answer that instead of doing anything.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from tests.servers import Heard, Reply

TOKEN = "t0ken-of-the-ci"


def told(status: int, value: object = None, **headers: str) -> Reply:
    """An answer of JSON."""
    return Reply(status, headers, b"" if value is None else json.dumps(value).encode())


@dataclass
class Run:
    """A run, and what it was given. ``polls``: after so many looks it is over, and ``good``."""

    number: int
    given: dict[str, str]
    polls: int = 2
    good: bool = True

    def over(self) -> bool:
        """Whether it is, once more looked at."""
        self.polls -= 1
        return self.polls < 0


@dataclass
class Server:
    """What all of them have in common."""

    lose: int = 0
    trouble: list[Reply] = field(default_factory=list)
    good: bool = True
    runs: list[Run] = field(default_factory=list)

    def __call__(self, heard: Heard) -> Reply | None:
        """Answer a request."""
        if self.trouble:
            return self.trouble.pop(0)
        before = len(self.runs)
        reply = self.answer(heard)
        if len(self.runs) > before and self.lose:
            self.lose -= 1
            return None
        return reply

    def answer(self, heard: Heard) -> Reply:
        """As the real one does."""
        raise NotImplementedError

    def begin(self, given: dict[str, str]) -> Run:
        """One more."""
        self.runs.append(Run(17 + len(self.runs), given, good=self.good))
        return self.runs[-1]

    def run(self, number: str) -> Run | None:
        """One of them."""
        return next((one for one in self.runs if str(one.number) == number), None)


def bearer(heard: Heard) -> bool:
    """Whether a request has the token."""
    return heard.headers.get("authorization") == f"Bearer {TOKEN}"


def body(heard: Heard) -> dict[str, Any]:
    """A request's JSON; none when it does not say that it is."""
    found = json.loads(heard.body) if heard.headers.get("content-type") == "application/json" else {}
    assert isinstance(found, dict)
    return found


class GitHubServer(Server):
    """api.github.com, with one workflow of two inputs. ``details``: it knows ``return_run_details``."""

    details = True
    inputs = frozenset({"digest", "delivery_id"})
    base = "/repos/shop/infra"

    def answer(self, heard: Heard) -> Reply:
        """Its routes."""
        path = urlsplit(heard.path).path.removeprefix(self.base)
        if (
            not bearer(heard)
            or heard.headers.get("x-github-api-version") != "2022-11-28"
            or not heard.headers.get("user-agent")
        ):
            return told(401, {"message": "Bad credentials"})
        if heard.headers.get("accept") != "application/vnd.github+json":
            return told(415, {"message": "Unsupported"})
        route = {
            ("POST", "/actions/workflows/deploy.yml/dispatches"): self._workflow,
            ("POST", "/dispatches"): self._event,
            ("GET", "/actions/runs"): self._list,
        }.get((heard.method, path), self._one)
        return route(heard)

    def _workflow(self, heard: Heard) -> Reply:
        sent = body(heard)
        if set(sent["inputs"]) - self.inputs or not all(isinstance(one, str) for one in sent["inputs"].values()):
            return told(422, {"message": "Unexpected inputs provided"})
        if sent["ref"] != "main":
            return told(422, {"message": "No ref found"})
        run = self.begin(sent["inputs"])
        named = {"workflow_run_id": run.number, "run_url": "u", "html_url": f"https://github.com/{run.number}"}
        return told(200, named) if self.details and sent.get("return_run_details") is True else told(204)

    def _event(self, heard: Heard) -> Reply:
        sent = body(heard)
        if not 0 < len(sent["event_type"]) <= 100 or len(sent["client_payload"]) > 10:
            return told(422, {"message": "Invalid request"})
        self.begin(sent["client_payload"])
        return told(204)

    def _list(self, heard: Heard) -> Reply:
        (created,) = parse_qs(urlsplit(heard.path).query)["created"]
        assert re.fullmatch(r">=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created)
        shown = [{"id": one.number, "display_title": f"deploy {one.given['delivery_id']}"} for one in reversed(self.runs)]
        return told(200, {"total_count": len(shown), "workflow_runs": shown})

    def _one(self, heard: Heard) -> Reply:
        found = self.run(heard.path.rpartition("/")[2])
        if heard.method != "GET" or found is None or heard.path != f"{self.base}/actions/runs/{found.number}":
            return told(404, {"message": "Not Found"})
        over = found.over()
        shown = {
            "id": found.number,
            "html_url": f"https://github.com/{found.number}",
            "status": "completed" if over else "in_progress",
        }
        return told(200, {**shown, "conclusion": ("success" if found.good else "failure") if over else None})


class GitLabServer(Server):
    """gitlab.com, with one project. ``named``: its pipelines are called after the delivery."""

    named = True
    base = "/api/v4/projects/shop%2Finfra"

    def answer(self, heard: Heard) -> Reply:
        """Its routes."""
        path = urlsplit(heard.path).path
        if not path.startswith(self.base):
            return told(404, {"message": "404 Project Not Found"})
        if (heard.method, path) == ("POST", f"{self.base}/trigger/pipeline"):
            return self._trigger(heard)
        if heard.method != "GET" or heard.headers.get("private-token") != TOKEN:
            return told(401, {"message": "401 Unauthorized"})
        return (
            self._list(heard) if path == f"{self.base}/pipelines" else self._one(path.removeprefix(f"{self.base}/pipelines/"))
        )

    def _trigger(self, heard: Heard) -> Reply:
        assert TOKEN not in heard.path
        sent = dict(parse_qsl(heard.body.decode()))
        if heard.headers.get("content-type") != "application/x-www-form-urlencoded" or sent.get("token") != f"glptt-{TOKEN}":
            return told(404, {"message": "404 Not Found"})
        if sent.get("ref") != "main":
            return told(400, {"message": {"base": ["Reference not found"]}})
        given = {name[10:-1]: value for name, value in sent.items() if name.startswith("variables[") and name.endswith("]")}
        return told(201, self._shown(self.begin(given), over=False))

    def _list(self, heard: Heard) -> Reply:
        assert parse_qs(urlsplit(heard.path).query)["source"] == ["trigger"]
        return told(200, [self._shown(one, over=False) for one in reversed(self.runs)])

    def _one(self, path: str) -> Reply:
        number, _, below = path.partition("/")
        found = self.run(number)
        if found is None:
            return told(404, {"message": "404 Not found"})
        if below == "variables":
            return told(200, [{"key": key, "value": value, "variable_type": "env_var"} for key, value in found.given.items()])
        return told(200, self._shown(found, over=found.over()))

    def _shown(self, run: Run, *, over: bool) -> dict[str, object]:
        name = f"deploy {run.given['WHARFINGER_DELIVERY']}" if self.named else None
        ended = "success" if run.good else "failed"
        return {
            "id": run.number,
            "web_url": f"https://gitlab.com/{run.number}",
            "name": name,
            "status": ended if over else "running",
        }


class JenkinsServer(Server):
    """Jenkins behind a prefix, with one job in a folder. ``declared``: its parameters. Each waits for two looks in the queue."""

    declared = ("DIGEST", "WHARFINGER_DELIVERY")
    forgets = False
    job = "/ci/job/shop/job/deploy"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._waits: dict[int, int] = {}

    def answer(self, heard: Heard) -> Reply:
        """Its routes."""
        path = urlsplit(heard.path).path
        if heard.headers.get("authorization") != "Basic " + base64.b64encode(f"ci:{TOKEN}".encode()).decode():
            return Reply(401, {}, b"<html>")
        if heard.method == "POST":
            return self._build(heard) if path == f"{self.job}/buildWithParameters" else Reply(403, {}, b"<html>")
        if path == f"{self.job}/api/json":
            definitions = [{"parameterDefinitions": [{"name": name} for name in self.declared]}]
            builds = [self._shown(one, "number", one.number) for one in reversed(self.runs) if not self._waits[one.number]]
            return told(200, {"property": definitions, "builds": builds})
        if path == "/ci/queue/api/json":
            return told(
                200, {"items": [self._shown(one, "id", one.number + 100) for one in self.runs if self._waiting(one.number)]}
            )
        item = re.fullmatch(r"/ci/queue/item/(\d+)/api/json", path)
        return self._one(path) if item is None else self._queued(int(item[1]) - 100)

    def _build(self, heard: Heard) -> Reply:
        if heard.headers.get("content-type") != "application/x-www-form-urlencoded":
            return Reply(400, {}, b"<html>")
        # What is not declared is dropped, and nobody is told.
        run = self.begin({name: value for name, value in parse_qsl(heard.body.decode()) if name in self.declared})
        self._waits[run.number] = 2
        return Reply(201, {"Location": f"http://jenkins.internal:8080/ci/queue/item/{run.number + 100}/"})

    def _one(self, path: str) -> Reply:
        found = self.run(path.removesuffix("/api/json").rpartition("/")[2])
        if found is None or path != f"{self.job}/{found.number}/api/json":
            return Reply(404, {}, b"<html>")
        over = found.over()
        result = ("SUCCESS" if found.good else "FAILURE") if over else None
        return told(200, {"building": not over, "result": result, "url": f"http://jenkins.internal/{found.number}/"})

    def _waiting(self, number: int) -> bool:
        left = self._waits[number]
        self._waits[number] = max(0, left - 1)
        return left > 0

    def _queued(self, number: int) -> Reply:
        if self._waiting(number):
            return told(200, {"why": "Waiting for next available executor"})
        return Reply(404, {}, b"<html>") if self.forgets else told(200, {"executable": {"number": number, "url": "u"}})

    @staticmethod
    def _shown(run: Run, name: str, number: int) -> dict[str, object]:
        parameters = [{"name": key, "value": value} for key, value in run.given.items()]
        return {name: number, "actions": [{"causes": []}, {"parameters": parameters}]}


class WoodpeckerServer(Server):
    """Woodpecker, with repository 17."""

    def answer(self, heard: Heard) -> Reply:
        """Its routes."""
        path = urlsplit(heard.path).path
        if not bearer(heard):
            return Reply(401)
        if (heard.method, path) == ("POST", "/api/repos/17/pipelines"):
            sent = body(heard)
            if sent.get("branch") != "main":
                return Reply(400, {}, b"branch")
            return told(200, self._shown(self.begin(sent["variables"]), over=False))
        if (heard.method, path) == ("GET", "/api/repos/17/pipelines"):
            return told(200, [self._shown(one, over=False) for one in reversed(self.runs)])
        found = self.run(path.rpartition("/")[2])
        if found is None or heard.method != "GET":
            return Reply(404)
        return told(200, self._shown(found, over=found.over()))

    @staticmethod
    def _shown(run: Run, *, over: bool) -> dict[str, object]:
        ended = "success" if run.good else "failure"
        return {"number": run.number, "event": "manual", "status": ended if over else "running", "variables": run.given}


class DroneServer(Server):
    """Drone, with one repository."""

    def answer(self, heard: Heard) -> Reply:
        """Its routes."""
        parts = urlsplit(heard.path)
        if not bearer(heard):
            return told(401, {"message": "Unauthorized"})
        if (heard.method, parts.path) == ("POST", "/api/repos/shop/infra/builds"):
            given = dict(parse_qsl(parts.query))
            given.pop("branch", None)
            return told(200, self._shown(self.begin(given), over=False))
        if (heard.method, parts.path) == ("GET", "/api/repos/shop/infra/builds"):
            return told(200, [self._shown(one, over=False) for one in reversed(self.runs)])
        found = self.run(parts.path.rpartition("/")[2])
        if found is None or heard.method != "GET":
            return told(404, {"message": "Not Found"})
        return told(200, self._shown(found, over=found.over()))

    @staticmethod
    def _shown(run: Run, *, over: bool) -> dict[str, object]:
        ended = "success" if run.good else "failure"
        return {"number": run.number, "event": "custom", "status": ended if over else "running", "params": run.given}


class ArgoCDServer(Server):
    """Argo CD, with one application. A sync may not begin while another is under way."""

    def answer(self, heard: Heard) -> Reply:
        """Its routes."""
        path = unquote(urlsplit(heard.path).path)
        if not bearer(heard):
            return told(401, {"error": "no session information", "code": 16, "message": "no session information"})
        if (heard.method, path) == ("POST", "/api/v1/applications/shop/sync"):
            if self.runs and self.runs[-1].polls >= 0:
                message = "another operation is already in progress"
                return told(400, {"error": message, "code": 9, "message": message})
            sent = body(heard)
            self.begin({one["name"]: one["value"] for one in sent["infos"]})
            return told(200, {"metadata": {"name": "shop"}})
        if (heard.method, path) != ("GET", "/api/v1/applications/shop"):
            return told(403, {"error": "permission denied", "code": 7, "message": "permission denied"})
        if not self.runs:
            return told(200, {"status": {"health": {"status": "Healthy"}}})
        run = self.runs[-1]
        over = run.over()
        operation = {"info": [{"name": name, "value": value} for name, value in run.given.items()], "sync": {}}
        health = ("Healthy" if run.good else "Degraded") if over else "Progressing"
        state = {"operation": operation, "phase": "Succeeded" if run.polls < 1 else "Running"}
        return told(200, {"status": {"health": {"status": health}, "operationState": state}})
