"""A stand-in for a cluster's API with one Deployment: takes the documented requests, refuses others, and rolls out as it is looked at."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers import Heard, Reply

TOKEN = "t0ken-of-the-cluster"
RUNS = "sha256:" + "cd" * 32
PATH = "/apis/apps/v1/namespaces/shop/deployments/cart"


def status(code: int, reason: str, message: str) -> Reply:
    """A Status, as the API answers what it refuses."""
    return Reply(
        code,
        {},
        json.dumps({"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}).encode(),
    )


@dataclass
class Cluster:
    """``broken``: images whose pods never get ready. ``lose``: a change is made, and its answer never comes."""

    token: str = TOKEN
    broken: set[str] = field(default_factory=set)
    lose: int = 0
    denied: str = ""
    trouble: list[Reply] = field(default_factory=list)
    images: list[str] = field(default_factory=lambda: ["reg:5000/shop/cart:v0"])
    annotations: dict[str, str] = field(default_factory=dict)
    version: int = 70
    looks: int = 9

    def __call__(self, heard: Heard) -> Reply | None:
        """Answer a request."""
        if self.token and heard.headers.get("authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized", "Unauthorized")
        if self.trouble:
            return self.trouble.pop(0)
        parts = urlsplit(heard.path)
        if (heard.method, parts.path) == ("GET", "/api/v1/namespaces/shop/pods"):
            assert parse_qs(parts.query) == {"labelSelector": ["app=cart"]}
            shown = {"name": "web", "ready": True, "imageID": f"docker-pullable://reg:5000/shop/cart@{RUNS}"}
            return Reply(200, {}, json.dumps({"items": [{"status": {"containerStatuses": [shown]}}]}).encode())
        if parts.path != PATH:
            return status(404, "NotFound", f'deployments.apps "{parts.path.rpartition("/")[2]}" not found')
        if heard.method == "GET":
            self.looks += 1
            return self._shown()
        return self._patch(heard, parse_qs(parts.query))

    def _patch(self, heard: Heard, query: dict[str, list[str]]) -> Reply | None:
        if heard.method != "PATCH" or heard.headers.get("content-type") != "application/strategic-merge-patch+json":
            return status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        patch = json.loads(heard.body)
        if self.denied:
            return status(403, "Forbidden", self.denied)
        if patch["metadata"].get("resourceVersion") not in {None, str(self.version)}:
            return status(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
        (container,) = patch["spec"]["template"]["spec"]["containers"]
        assert container["name"] == "web", "another container would be added"
        assert query["fieldValidation"] == ["Strict"]
        assert query["fieldManager"] == ["wharfinger"]
        if query.get("dryRun") == ["All"]:
            return self._shown()
        self.annotations |= patch["metadata"].get("annotations", {})
        self.images.append(container["image"])
        self.version += 1
        self.looks = 0
        if self.lose:
            self.lose -= 1
            return None
        return self._shown()

    def _shown(self) -> Reply:
        image, generation = self.images[-1], len(self.images)
        broken, deadline = image in self.broken, self.looks >= 4
        # Looked at once it is not observed yet; then one pod more than wanted; then only the new one, if it gets ready.
        observed = generation if self.looks >= 2 else generation - 1
        done = self.looks >= 3 and not broken
        counts = {"observedGeneration": observed, "replicas": 1 if done else 2, "updatedReplicas": 1, "availableReplicas": 1}
        failed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "it has timed out"}
        shown: dict[str, Any] = {
            "metadata": {"resourceVersion": str(self.version), "generation": generation, "annotations": dict(self.annotations), "managedFields": [{"manager": "kubectl"}]},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "cart"}}, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}},
            "status": {**counts, "conditions": [failed] if broken and deadline else []},
        }  # fmt: skip
        return Reply(200, {}, json.dumps(shown).encode())
