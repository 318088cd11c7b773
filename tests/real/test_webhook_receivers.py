"""Receivers that are not ours verify what we sign: Debian's webhook checks the HMAC of every body by itself."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import free_port, wait_until
from tests.workers.leases import Holding
from tests.workers.orders import ORDER
from wharfinger.runtime.settings import Reach, Secret, Signature, Template, WebhookForm, WebhookTarget
from workers.adapters.webhook import WebhookSender
from workers.decide.order import Delivered, Retry, Sent

pytestmark = [pytest.mark.real, pytest.mark.skipif(shutil.which("webhook") is None, reason="Debian's webhook is not installed")]
SECRET = b"a secret that both of them know"
HOOK = {
    "id": "deploy",
    "execute-command": "/bin/sh",
    "pass-arguments-to-command": [
        {"source": "string", "name": "-c"},
        {"source": "string", "name": 'printf "%s %s\\n" "$1" "$2" >> heard'},
        {"source": "string", "name": "sh"},
        {"source": "header", "name": "Webhook-Id"},
        {"source": "payload", "name": "image"},
    ],
    "trigger-rule": {
        "match": {"type": "payload-hmac-sha256", "secret": SECRET.decode(), "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}
    },
    "trigger-rule-mismatch-http-response-code": 403,
    "include-command-output-in-response": True,
}  # fmt: skip


@dataclass
class Receiver:
    """A running one, and the folder its command writes to."""

    port: int
    folder: Path

    def heard(self) -> list[str]:
        """What it let through."""
        file = self.folder / "heard"
        return file.read_text().splitlines() if file.exists() else []

    def send(self, secret: bytes, **form: Any) -> Sent:
        """Post an order."""
        reach = Reach(url=f"http://127.0.0.1:{self.port}/hooks/deploy", allow=(ip_network("127.0.0.1"),))
        settings = WebhookTarget("hook", reach, (Secret(secret),), 1, signature=Signature.GITHUB, **form)
        return WebhookSender(settings).send(replace(ORDER, account="zoe"), Holding())


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """Debian's webhook, which runs a command for what is signed."""
    hook = {**HOOK, "command-working-directory": str(tmp_path)}
    (tmp_path / "hooks.json").write_text(json.dumps([hook]))
    port = free_port()
    command = ["webhook", "-hooks", "hooks.json", "-ip", "127.0.0.1", "-port", str(port), "-verbose"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as process:
        try:
            wait_until("the receiver", lambda: b"serving hooks on" in (tmp_path / "log").read_bytes())
            yield Receiver(port, tmp_path)
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.parametrize(
    "form",
    [
        {"form": WebhookForm.CLOUDEVENTS_BINARY},
        {"body": Template('{"image": "{{image}}", "by": "{{account}}"}', "application/json")},
    ],
    ids=["cloudevents", "own"],
)
def test_it_verifies_what_is_signed(receiver: Receiver, form: dict[str, Any]) -> None:
    """Over the very bytes of the body, in every form."""
    assert receiver.send(SECRET, **form) == Delivered("answered 200")
    assert receiver.heard() == [f"dlv_1 {ORDER.image()}"]


def test_it_refuses_another_secret(receiver: Receiver) -> None:
    """Nothing is run. It answers as if it had trouble of its own, so it is asked again later."""
    assert receiver.send(b"a secret that one of them knows", form=WebhookForm.CLOUDEVENTS_BINARY) == Retry("answered 500")
    assert receiver.heard() == []
