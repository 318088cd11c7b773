"""Metrics of real processes: read by Prometheus' own parser, summed over all that share the port, monotonic over restarts."""

import base64
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

import authsvc.metrics
import notifier.metrics
from tests.real.conftest import House, build_house, kill9, wait_until
from tests.real.test_pipe import _basic
from wharfinger.runtime.metrics import Series
from wharfinger.wire import keys
from wharfinger.wire.issuance import issuance_from_fields
from workers.adapters.http import Answer, request
from workers.adapters.registry import endpoint_of
from workers.errors import Unavailable

pytestmark = pytest.mark.real

Labels = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything, with two processes of the token service and a program beside it."""
    folder = tmp_path_factory.mktemp("counted")

    def edit(text: str) -> str:
        return (
            text.replace("server:\n", "server:\n  processes: 2\n") + 'ext_auth: {command: "/bin/sh", args: ["-c", "exit 2"]}\n'
        )

    built = build_house(folder, edit=edit)
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


def ask(house: House, path: str, *, headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
    """One request to the token service, on a connection of its own, so to whichever process the kernel chooses."""
    return request(endpoint_of(f"http://127.0.0.1:{house.ports.auth}"), method, path, headers=headers or {})


def scrape(port: int) -> dict[str, dict[Labels, float]]:
    """Every sample, by name and labels."""
    answer = request(endpoint_of(f"http://127.0.0.1:{port}"), "GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.mark.parametrize("service", ["auth", "notifier"])
def test_every_series_is_there(counted: House, service: str) -> None:
    """Each of the table, with its type, and no other."""
    table: tuple[Series, ...] = {"auth": authsvc.metrics.TABLE, "notifier": notifier.metrics.TABLE}[service]
    port = {"auth": counted.ports.auth, "notifier": counted.ports.notifier}[service]
    text = request(endpoint_of(f"http://127.0.0.1:{port}"), "GET", "/metrics").body.decode()
    families = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert {one.name.removesuffix("_total"): one.kind.value for one in table} == families


def test_requests_are_counted_whoever_answered(counted: House) -> None:
    """By outcome and reason; both processes tell the same sum, and their latencies add up to it."""
    before = scrape(counted.ports.auth)
    right, wrong = {"Authorization": _basic(counted)}, {"Authorization": "Basic aHVzc2Vpbjp3cm9uZw=="}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: ask(counted, "/auth?service=r&scope=repository:ubuntu:pull", headers=right).status, range(60))
        )
    answers.append(ask(counted, "/auth", headers=wrong).status)
    answers.append(ask(counted, "/auth?scope=x", headers=right).status)
    answers.append(ask(counted, "/auth", headers=right, method="PUT").status)
    assert answers == [200] * 60 + [401, 400, 405]
    after = [scrape(counted.ports.auth) for _ in range(8)]
    requests = [one["wharfinger_auth_requests_total"] for one in after]
    assert all(one == requests[0] for one in requests)
    grown = {
        dict(labels)["outcome"]: value - before["wharfinger_auth_requests_total"][labels]
        for labels, value in requests[0].items()
    }
    assert grown == {"issued": 60, "refused": 1, "bad_request": 1, "unavailable": 0, "failed": 0}
    seconds = after[0]["wharfinger_auth_request_seconds_count"][()] - before["wharfinger_auth_request_seconds_count"][()]
    assert seconds == 62
    reasons = {dict(labels)["reason"]: value for labels, value in after[0]["wharfinger_auth_refusals_total"].items()}
    assert reasons["wrong_password"] - before["wharfinger_auth_refusals_total"][("reason", "wrong_password"),] == 1
    passwords = {dict(labels)["by"]: value for labels, value in after[0]["wharfinger_auth_passwords_total"].items()}
    assert passwords["memory"] + passwords["bcrypt"] >= 61
    assert 1 <= passwords["bcrypt"] <= 20
    records = after[0]["wharfinger_auth_store_records_total"]
    assert records[("outcome", "written"),] - before["wharfinger_auth_store_records_total"][("outcome", "written"),] == 61
    assert after[0]["wharfinger_auth_bcrypt_queue"] == {(): 0}


def test_a_program_is_counted(counted: House) -> None:
    """Somebody whom only it might know."""
    before = scrape(counted.ports.auth)
    assert ask(counted, "/auth", headers={"Authorization": "Basic bm9ib2R5Ong="}).status == 401
    after = scrape(counted.ports.auth)
    answered = (("outcome", "answered"), ("program", "ext_auth"))
    name = "wharfinger_auth_programs_total"
    assert after[name][answered] - before[name][answered] == 1
    assert after["wharfinger_auth_program_seconds_count"][("program", "ext_auth"),] >= 1


def test_what_only_who_is_asked_knows(counted: House) -> None:
    """Until when the certificate lasts, and which access list decides: the one that issuances name."""
    found = scrape(counted.ports.auth)
    ((key, left),) = found["wharfinger_auth_key_expiry_seconds"].items()
    assert key[0][0] == "key"
    assert left > 300 * 86_400
    ((policy, one),) = found["wharfinger_auth_policy_info"].items()
    assert one == 1
    assert ask(counted, "/auth", headers={"Authorization": _basic(counted)}).status == 200
    with redis.Redis(unix_socket_path=f"{counted.folder}/store/valkey.sock") as client:
        ((_, fields),) = client.xrevrange(keys.ISSUANCES, count=1)
    assert dict(policy)["hash"] == issuance_from_fields(fields).policy


def test_a_process_that_is_killed_takes_nothing_with_it(counted: House) -> None:
    """Its counters go on in the one that comes after it."""
    before = scrape(counted.ports.auth)["wharfinger_auth_requests_total"]
    children = counted.children()
    for name in ("auth-1", "auth-2"):
        kill9(children[name])
        wait_until(f"another {name}", lambda name=name: counted.children()[name] != children[name])  # type: ignore[misc]  # binds now
    wait_until("an answer", lambda: _answers(counted))
    after = scrape(counted.ports.auth)["wharfinger_auth_requests_total"]
    assert all(after[labels] >= value for labels, value in before.items())
    assert before[("outcome", "issued"),] > 0


def _answers(house: House) -> bool:
    try:
        return ask(house, "/healthz").status == 200
    except Unavailable:
        return False


def test_a_reload_is_counted(counted: House) -> None:
    """In each process: a faulty file, then a good one again, with its hash."""
    config = counted.folder / "wharfinger.yml"
    good = config.read_text()
    before = scrape(counted.ports.auth)
    config.write_text(good + "nonsense: [\n")
    name = "wharfinger_auth_reloads_total"
    wait_until(
        "two faults",
        lambda: scrape(counted.ports.auth)[name][("outcome", "faulty"),] - before[name][("outcome", "faulty"),] == 2,
    )
    config.write_text(good.replace("    actions: [pull, push, delete]\n", "    actions: [pull, push]\n"))
    wait_until(
        "two reloads",
        lambda: scrape(counted.ports.auth)[name][("outcome", "taken"),] - before[name][("outcome", "taken"),] == 2,
    )
    assert scrape(counted.ports.auth)["wharfinger_auth_policy_info"].keys() != before["wharfinger_auth_policy_info"].keys()
    config.write_text(good)


def post(house: House, body: bytes, *, secret: str = "", method: str = "POST") -> int:
    """Post a notification."""
    headers = {"Authorization": f"Bearer {secret or house.secret()}", "Content-Type": "application/json"}
    return request(
        endpoint_of(f"http://127.0.0.1:{house.ports.notifier}"), method, "/events", headers=headers, body=body
    ).status


def test_notifications_are_counted(counted: House) -> None:
    """Small, big and too big ones, and those that are refused; with their bytes."""
    before = scrape(counted.ports.notifier)
    bodies = {
        "stored": b'{"events": []}',
        "spilled": json.dumps({"events": [os.urandom(100_000).hex()]}).encode(),
        "dropped": b" " * (33 * 2**20 + 1),
    }
    assert [post(counted, body) for body in bodies.values()] == [202, 202, 202]
    assert post(counted, b"{}", secret="wrong-wrong-wrong-wrong") == 401
    assert post(counted, b"{}", method="PUT") == 405
    after = scrape(counted.ports.notifier)

    def grown(name: str) -> dict[str, float]:
        return {
            dict(labels)["outcome"]: more for labels, value in after[name].items() if (more := value - before[name][labels])
        }

    assert grown("wharfinger_notifier_posts_total") == {"stored": 1, "spilled": 1, "dropped": 1, "wrong_secret": 1, "method": 1}
    assert grown("wharfinger_notifier_bytes_total") == {kind: len(body) for kind, body in bodies.items()}
    assert after["wharfinger_notifier_ack_seconds_count"][()] - before["wharfinger_notifier_ack_seconds_count"][()] == 3


def test_readiness_names_each_dependency(counted: House) -> None:
    """Redis, and the programs."""
    assert json.loads(ask(counted, "/readyz").body) == {"redis": True, "ext_auth": True}


def logged(house: House, **wanted: str) -> dict[str, object]:
    """The line with a field's value; it is written just after the answer."""

    def found() -> list[dict[str, object]]:
        lines = [json.loads(line) for line in (house.folder / "up.log").read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if wanted.items() <= line.items()]

    wait_until(f"a line with {wanted}", found)
    (line,) = found()
    return line


def test_the_log_of_a_token(counted: House) -> None:
    """A line each, with its id, which also stands in the token."""
    answer = ask(counted, "/auth?service=r&scope=repository:ubuntu:pull", headers={"Authorization": _basic(counted)})
    jti = jwt.decode(json.loads(answer.body)["token"], options={"verify_signature": False})["jti"]
    line = logged(counted, jti=jti)
    assert (line["event"], line["account"], line["granted"], line["addr"]) == ("token.issued", "hussein", 1, "127.0.0.1")
    assert set(line) == {"time", "service", "event", "jti", "account", "aud", "granted", "addr", "ms"}


@pytest.mark.parametrize(
    ("reason", "account", "credentials"),
    [
        ("wrong_password", "hussein", b"hussein:other"),
        ("unknown_account", "", b"typed-by-mistake:x"),
        ("anonymous_disabled", "", b""),
    ],
)
def test_the_log_of_a_refusal(counted: House, reason: str, account: str, credentials: bytes) -> None:
    """With its reason; a name nobody has does not stand there."""
    headers = {"Authorization": "Basic " + base64.b64encode(credentials).decode()} if credentials else {}
    config = counted.folder / "wharfinger.yml"
    if not credentials:
        config.write_text(config.read_text().replace('  "": {}\n', ""))
        wait_until("nobody to be anonymous", lambda: all(ask(counted, "/auth").status == 401 for _ in range(8)))
    mark = f"log-{reason}"
    assert ask(counted, f"/auth?service={mark}", headers=headers).status == 401
    line = logged(counted, aud=mark)
    assert {name: line[name] for name in ("event", "reason", "account", "addr")} == {
        "event": "token.denied", "reason": reason, "account": account, "addr": "127.0.0.1",
    }  # fmt: skip
    assert "typed-by-mistake" not in (counted.folder / "up.log").read_text()
