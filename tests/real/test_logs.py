"""A whole session, with everything going wrong that may: no secret and no token stands in any log of ours."""

import base64
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.real.conftest import House, answers, build_house, wait_until
from tests.real.test_pipe import creds, layout, skopeo
from wharfinger.cli.pusher import PushRefused, make_image
from workers.adapters.http import request
from workers.adapters.registry import endpoint_of

pytestmark = pytest.mark.real

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TYPED = (
    "Tr0ub4dor-typed-as-name",
    "wr0ng-for-hussein",
    "wr0ng-in-a-form",
    "wr0ng-for-the-program",
    "wr0ng-in-a-query",
    "wr0ng-too-long",
)
JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")
PROGRAM = 'read line; echo "$line"; echo "$line" >&2; case "$line" in faulty*) exit 9;; esac; exit 1'


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything, with a program that repeats what it is told."""
    built = build_house(
        tmp_path_factory.mktemp("loud"),
        edit=lambda text: text + f"ext_auth: {{command: /bin/sh, args: [-c, {json.dumps(PROGRAM)}]}}\n",
    )
    yield built
    built.program.stop()
    built.registry_program.stop()


def basic(account: str, password: str) -> dict[str, str]:
    """An Authorization header."""
    return {"Authorization": "Basic " + base64.b64encode(f"{account}:{password}".encode()).decode()}


def everything_goes_wrong(house: House, folder: Path) -> list[str]:
    """Tokens that were given out meanwhile."""
    auth, notifier = (endpoint_of(f"http://127.0.0.1:{port}") for port in (house.ports.auth, house.ports.notifier))
    right = basic("hussein", house.password("hussein"))
    given = [request(auth, "GET", "/auth?service=r&scope=repository:ubuntu:pull", headers=right)]
    given.append(request(auth, "POST", "/auth", headers=FORM, body=urlencode(
        {"grant_type": "password", "service": "r", "client_id": "c", "username": "hussein", "password": house.password("hussein")}).encode()))  # fmt: skip
    assert [one.status for one in given] == [200, 200]
    for headers in (basic(TYPED[0], "x"), basic("hussein", TYPED[1]), basic("prog", TYPED[3]), basic("faulty", TYPED[3])):
        assert request(auth, "GET", "/auth?service=r", headers=headers).status in {401, 503}
    request(auth, "POST", "/auth", headers=FORM, body=f"username=hussein&password={TYPED[2]}".encode())
    request(auth, "GET", f"/auth?password={TYPED[4]}&scope={TYPED[4]}&service={TYPED[4]}%00&account={TYPED[4]}", headers=right)
    request(
        auth,
        "POST",
        f"/auth?password={TYPED[4]}&grant_type=x",
        headers=FORM,
        body=f"refresh_token={TYPED[4]}&grant_type=refresh_token".encode(),
    )
    for method, path in (
        ("GET", f"/{TYPED[4]}"),
        ("PUT", f"/auth?{TYPED[4]}"),
        ("GET", f"/auth?scope={quote(TYPED[4] * 2_000)}"),
    ):
        request(auth, method, path, headers=right)
    for text in (b"GET /auth HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n\r\n" % (TYPED[5].encode() * 3_000), TYPED[5].encode() + b"\r\n\r\n",
                 b"GET /auth HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \x01%s\r\n\r\n" % TYPED[5].encode()):  # fmt: skip
        with socket.create_connection(("127.0.0.1", house.ports.auth), timeout=10) as raw:
            raw.sendall(text)
            assert b" 400 " in raw.recv(65_536)
    for headers in ({"Authorization": f"Bearer {TYPED[1]}"}, {"Authorization": f"Bearer {house.secret()}"}):
        request(
            notifier, "POST", "/events", headers=headers, body=f'{{"events": [{{"actor": {{"name": "{TYPED[0]}"}}}}]}}'.encode()
        )
    image = make_image(os.urandom(32))
    source = f"oci:{layout(folder / 'oci', image)}:v1"
    assert (
        skopeo(
            "copy", "--dest-tls-verify=false", "--dest-creds", creds(house), source, f"docker://{house.registry}/ubuntu:v1"
        ).returncode
        == 0
    )
    with pytest.raises(PushRefused):
        house.pusher().push(image, "payroll", "v1")
    house.traced(image.digest, lambda one: [d.state for d in one.deliveries] == ["delivered"])
    config = house.folder / "wharfinger.yml"
    good = config.read_text()
    config.write_text(good.replace("password: ", "passwort: ").replace("jti_key_file: jti.key", "jti_key_file: signing.key"))
    wait_until("the faulty file", lambda: "configuration.kept" in (house.folder / "up.log").read_text())
    config.write_text(good)
    return [json.loads(one.body)["token"] for one in given]


def secrets_of(folder: Path) -> set[str]:
    """Every secret that was made: whole, and a key's lines."""
    found = {line.split()[-1] for line in (folder / "passwords.txt").read_text().splitlines()}
    for file in ("wharfinger.password", "notification.secret", "hook.secret", "jti.key"):
        found |= set((folder / file).read_text().split())
    found |= {line for line in (folder / "signing.key").read_text().splitlines() if not line.startswith("-----")}
    return found


def test_no_log_holds_a_secret(loud: House, tmp_path: Path) -> None:
    """Neither what was made, nor what somebody typed, nor a token, in any form it came in; and ids of tokens do stand there."""
    tokens = everything_goes_wrong(loud, tmp_path)
    wait_until("the end of the reload", lambda: answers(f"http://127.0.0.1:{loud.ports.auth}/readyz"))
    assert loud.program.stop() == 0
    log = (loud.folder / "up.log").read_text()
    hidden = secrets_of(loud.folder) | set(TYPED) | set(tokens)
    forms = (
        hidden
        | {base64.b64encode(word.encode()).decode().rstrip("=") for word in hidden}
        | {quote(word, safe="") for word in hidden}
    )
    forms |= {
        base64.b64encode(f"{name}:{word}".encode()).decode()
        for name in ("hussein", "admin", "prog", "faulty")
        for word in hidden
    }
    assert len(secrets_of(loud.folder)) > 25
    assert sorted(form for form in forms if form in log) == []
    assert JWT.findall(log) + BCRYPT.findall(log) == []
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert {
        "token.issued",
        "token.denied",
        "token.unavailable",
        "configuration.faulty",
        "notification.refused",
        "request.malformed",
    } <= set(events)
    jtis = [json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["jti"] for token in tokens]
    assert all(jti in log for jti in jtis)
