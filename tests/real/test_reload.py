"""The configuration is read anew while requests run: on change, on rename, on SIGHUP; a faulty file changes nothing."""

import base64
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest

from tests.real.conftest import House, answers, build_house, wait_until
from wharfinger.cli import generate
from wharfinger.cli.pusher import make_image
from workers.adapters.http import Answer, request
from workers.adapters.registry import endpoint_of
from workers.decide.challenge import basic

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose configuration is changed by the tests."""
    built = build_house(tmp_path_factory.mktemp("changing"))
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def ask(house: House, name: str = "hussein", scope: str = "repository:ubuntu:pull", password: str | None = None) -> Answer:
    """Ask for a token."""
    secret = (house.password(name) if password is None else password).encode()
    target = endpoint_of(f"http://127.0.0.1:{house.ports.auth}")
    headers = {"Authorization": basic(name, secret)}
    return request(target, "GET", f"/auth?service=registry&scope={scope}", headers=headers)


def granted(answer: Answer) -> list[str]:
    """The actions of a token's first scope."""
    claims = jwt.decode(json.loads(answer.body)["token"], options={"verify_signature": False})
    return list(claims["access"][0]["actions"])


def rewrite(house: House, change: Callable[[str], str], *, rename: bool = True) -> None:
    """Change the configuration, by a rename as editors do, or in place."""
    file = house.folder / "wharfinger.yml"
    text = change(file.read_text())
    if not rename:
        file.write_text(text)
        return
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


def events(house: House, name: str) -> list[dict[str, object]]:
    """What was logged under a name."""
    lines = (house.folder / "up.log").read_text().splitlines()
    return [record for line in lines if line.startswith("{") and (record := json.loads(line))["event"] == name]


def every_process_follows(house: House, name: str, before: int) -> None:
    """Each process of the token service has logged it once more."""
    processes = len([child for child in house.children() if child.startswith("auth")])
    wait_until(name, lambda: len(events(house, name)) >= before + processes)


def test_rules_change_without_dropping_a_request(changing: House) -> None:
    """A new rule holds in every process; meanwhile every request is answered."""
    answers: Counter[int] = Counter()
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            answers[ask(changing).status] += 1

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for rename in (True, False):
            scope = f"repository:fresh{rename:d}:pull,push"
            assert granted(ask(changing, scope=scope)) == []
            before = len(events(changing, "configuration.reloaded"))
            rule = f"acl:\n  - match: {{account: hussein, name: fresh{rename:d}}}\n    actions: [pull, push]\n"
            rewrite(changing, lambda text, rule=rule: text.replace("acl:\n", rule, 1), rename=rename)  # type: ignore[misc]  # binds now
            every_process_follows(changing, "configuration.reloaded", before)
            assert {tuple(granted(ask(changing, scope=scope))) for _ in range(20)} == {("pull", "push")}
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}
    assert answers[200] > 50


def test_a_faulty_file_is_reported_and_the_old_keeps_serving(changing: House) -> None:
    """Every fault is logged with its line; nothing else changes; the next good file is taken."""
    before, good = len(events(changing, "configuration.kept")), (changing.folder / "wharfinger.yml").read_text()
    rewrite(changing, lambda text: text.replace("expiration: 900", "expiration: soon"))
    every_process_follows(changing, "configuration.kept", before)
    fault = events(changing, "configuration.faulty")[-1]
    assert (fault["key"], fault["line"]) == (
        "token.expiration",
        good.splitlines().index("  expiration: 900             # seconds") + 1,
    )
    assert ask(changing).status == 200
    reloaded = len(events(changing, "configuration.reloaded"))
    rewrite(changing, lambda _text: good)
    every_process_follows(changing, "configuration.reloaded", reloaded)


def test_a_slip_does_not_stop_the_notifier(changing: House) -> None:
    """`notifer:` is refused as any fault is: the notifier goes on."""
    before, good = len(events(changing, "configuration.kept")), (changing.folder / "wharfinger.yml").read_text()
    rewrite(changing, lambda text: text.replace("\nnotifier:", "\nnotifer:"))
    every_process_follows(changing, "configuration.kept", before)
    assert "notifer" in {fault["key"] for fault in events(changing, "configuration.faulty")}
    assert answers(f"http://127.0.0.1:{changing.ports.notifier}/readyz")
    reloaded = len(events(changing, "configuration.reloaded"))
    rewrite(changing, lambda _text: good)
    every_process_follows(changing, "configuration.reloaded", reloaded)


def test_without_a_section_there_is_no_notifier(changing: House) -> None:
    """Nothing listens for nobody's events, and that is logged; with the section it is back. Warnings are logged too."""
    good = (changing.folder / "wharfinger.yml").read_text()
    wordy = good[: good.index("\nnotifier:")].replace("expiration: 900", "expiration: 90000") + "\n"
    before, reloaded = len(events(changing, "child.removed")), len(events(changing, "configuration.reloaded"))
    rewrite(changing, lambda _text: wordy)
    every_process_follows(changing, "configuration.reloaded", reloaded)
    wait_until("its end", lambda: len(events(changing, "child.removed")) > before)
    wait_until("its port", lambda: not answers(f"http://127.0.0.1:{changing.ports.notifier}/readyz"))
    assert events(changing, "notifier.not_started")
    line = good.splitlines().index("  expiration: 900             # seconds") + 1
    told = [(one["service"], one["key"], one["line"]) for one in events(changing, "configuration.warning")]
    assert told.count(("up", "token.expiration", line)) == 1
    reloaded = len(events(changing, "configuration.reloaded"))
    rewrite(changing, lambda _text: good)
    every_process_follows(changing, "configuration.reloaded", reloaded)
    wait_until("the notifier", lambda: answers(f"http://127.0.0.1:{changing.ports.notifier}/readyz"))


def test_a_changed_password_is_forgotten_at_once(changing: House) -> None:
    """The old one was proved a moment ago, and is refused all the same."""
    assert ask(changing).status == 200
    old = changing.password("hussein")
    before = len(events(changing, "configuration.reloaded"))
    hashed = generate.password_hash(b"another one")
    lines = (changing.folder / "wharfinger.yml").read_text().splitlines()
    (line,) = [line for line in lines if line.strip().startswith("hussein: {password")]
    rewrite(changing, lambda text: text.replace(line, f'  hussein: {{password: "{hashed}"}}'))
    every_process_follows(changing, "configuration.reloaded", before)
    assert ask(changing, password=old).status == 401
    assert ask(changing, password="another one").status == 200
    before = len(events(changing, "configuration.reloaded"))
    rewrite(changing, lambda text: text.replace(f'  hussein: {{password: "{hashed}"}}', line))
    every_process_follows(changing, "configuration.reloaded", before)


def test_a_replaced_signing_pair_signs(changing: House) -> None:
    """The files change, not the configuration; the registry that trusts both certificates takes the new tokens too."""
    key = generate.new_key()
    certificate = generate.new_certificate(key, ["localhost"], now=datetime.now(UTC))
    registry_trusts = (changing.folder / "signing.crt").read_bytes()
    before = len(events(changing, "configuration.reloaded"))
    for name, content in (("signing.key", key), ("signing.crt", certificate)):
        beside = changing.folder / f"{name}.new"
        beside.write_bytes(content)
        beside.replace(changing.folder / name)
    wait_until(
        "a token of the new pair",
        lambda: jwt.get_unverified_header(json.loads(ask(changing).body)["token"]).get("x5c") == [_der(certificate)],
    )
    every_process_follows(changing, "configuration.reloaded", before)
    assert registry_trusts != certificate


def _der(pem: bytes) -> str:
    return base64.b64encode(base64.b64decode(b"".join(pem.splitlines()[1:-1]))).decode()


def test_sighup(changing: House) -> None:
    """Asks for a reading whatever the files look like; nothing restarts for it."""
    children, before = changing.children(), len(events(changing, "configuration.reloaded"))
    os.kill(changing.program.process.pid, signal.SIGHUP)
    every_process_follows(changing, "configuration.reloaded", before)
    assert changing.children() == children


def test_the_notifier_takes_a_new_secret(changing: House) -> None:
    """Two secrets hold while rotating, then only the new one; the notifier is replaced, registries post again."""
    event = {"id": "rotated", "action": "pull", "target": {"repository": "ubuntu"}, "actor": {}}
    old, file = changing.secret(), changing.folder / "notification.secret"
    notifier = changing.children()["notifier"]
    file.write_text(f"{old}\n{'n' * 32}\n")
    wait_until("another notifier", lambda: changing.children()["notifier"] != notifier)
    changing.wait_ready()
    statuses = {secret: _post(changing, secret, event) for secret in (old, "n" * 32, "x" * 32)}
    assert statuses == {old: 202, "n" * 32: 202, "x" * 32: 401}


def _post(house: House, secret: str, event: dict[str, object]) -> int:
    headers = {"Authorization": f"Bearer {secret}"}
    body = json.dumps({"events": [event]}).encode()
    return request(
        endpoint_of(f"http://127.0.0.1:{house.ports.notifier}"), "POST", "/events/main", headers=headers, body=body
    ).status


def test_a_new_rule_deploys(tmp_path: Path) -> None:
    """Workers are replaced when what concerns them changes; the next push goes to the target of the new rule."""
    house = build_house(tmp_path / "deploying")
    try:
        image = make_image(os.urandom(32))
        rewrite(house, lambda text: text.replace('repository: "*"', 'repository: "other"'))
        wait_until("workers with the new rule", lambda: len(events(house, "child.replaced")) >= 4)
        wait_until("workers", lambda: len(events(house, "child.started")) >= 2 * 4)
        house.pusher().push(image, "ubuntu", "v1")
        found = house.traced("ubuntu:v1", lambda one: one.events)
        assert found.deliveries == []
    finally:
        assert house.program.stop() == 0
        house.registry_program.stop()
