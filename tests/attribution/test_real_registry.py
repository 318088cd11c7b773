"""The same on a real registry: many clients over few accounts, with stock skopeo among them, and wrongs posted in between.

Every honest event is tied to the very token that its request was made with; every wrong is told, as what it is; nothing else is.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import bcrypt
import pytest

from tests.attribution.real_clients import BASE, RealClient, Site, Told, Truths
from tests.real.conftest import House, build_house, wait_until
from tests.real.test_pipe import layout, skopeo
from wharfinger.cli.pusher import make_image
from wharfinger.wire.jti import ALPHABET, NONCE_BITS, JtiKeys, mint
from wharfinger.wire.names import Account

pytestmark = pytest.mark.real

ACCOUNTS: Final = ("ci", "zoë", "o'brien", "team#ci")
PASSWORD: Final = "pässword"
CLIENTS: Final = 48
ROUNDS: Final = 4
SKOPEOS: Final = 4
EACH_WRONG: Final = 3
HOUR_S: Final = 3_600
STRANGERS: Final = JtiKeys((b"somebody else's key" * 2,))


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that knows the crowd's accounts."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()

    def edit(text: str) -> str:
        users = "".join(f"  {json.dumps(name)}: {{password: {json.dumps(hashed)}}}\n" for name in ACCOUNTS)
        rules = (
            '  - match: {account: "/^.+$/", type: repository, name: "crowd/*"}\n    actions: ["*"]\n'
            '  - match: {account: "", type: repository, name: "crowd/*"}\n    actions: [pull]\n'
        )
        return (
            text.replace("users:\n", f"users:\n{users}")
            .replace("acl:\n", f"acl:\n{rules}")
            .replace('repository: "*"', "tag: none")
        )

    built = build_house(tmp_path_factory.mktemp("crowded"), edit=edit)
    yield built
    assert built.program.stop() == 0
    built.registry_program.stop()


class Forger:
    """Somebody who has the notification secret, and saw tokens' ids go by."""

    def __init__(self, house: House, reader: RealClient, seed: int) -> None:
        self._house, self._random = house, random.Random(seed)
        self._reader = reader
        self.planted: dict[str, tuple[str, str]] = {}
        """By the event's id: its verdict, and its flag."""

    def work(self, seen: Callable[[], list[dict[str, Any]]]) -> None:
        """All kinds in turn, each some times. ``seen``: events that were settled."""

        def honest() -> list[dict[str, Any]]:
            return [one for one in seen() if one["user_agent"] != "forger" and one["jti"] and one["account"]]

        wrongs = (
            self._invented, self._altered, self._foreign, self._wider, self._elsewhere, self._mounted, self._early, self._ahead, self._reused,
        )  # fmt: skip
        for _ in range(EACH_WRONG):
            for wrong in wrongs:
                wrong(wait_until("an honest event", honest))

    def _post(self, verdict: str, account: str, jti: str, *, flag: str = "", at_s: float | None = None, **said: Any) -> None:
        ident = f"planted-{len(self.planted)}"
        event = {
            "id": ident, "timestamp": datetime.fromtimestamp(time.time() if at_s is None else at_s, UTC).isoformat(),
            "action": said.pop("action", "push"), "request": {"id": ident, "method": "PUT", "addr": "127.0.0.1:40000", "useragent": "forger"},
            "actor": {"name": f"{account}#{jti}"},
            "target": {"mediaType": "application/octet-stream", "digest": f"sha256:{self._random.getrandbits(256):064x}", "size": 7} | said,
        }  # fmt: skip
        self.planted[ident] = verdict, flag
        assert self._house.post(event) == 202

    def _invented(self, _seen: list[dict[str, Any]]) -> None:
        account = self._random.choice(ACCOUNTS)
        jti = mint(
            STRANGERS, account=Account(account), now_ms=int(time.time() * 1_000), nonce=self._random.getrandbits(NONCE_BITS)
        )
        self._post("forged", account, jti, repository=BASE)

    def _altered(self, seen: list[dict[str, Any]]) -> None:
        one = self._random.choice(seen)
        at = self._random.randrange(26)
        letter = self._random.choice([letter for letter in ALPHABET if letter != one["jti"][at]])
        self._post("forged", one["account"], one["jti"][:at] + letter + one["jti"][at + 1 :], repository=one["repository"])

    def _foreign(self, seen: list[dict[str, Any]]) -> None:
        one = self._random.choice(seen)
        other = self._random.choice([name for name in (*ACCOUNTS, "admin", "") if name != one["account"]])
        self._post("account_mismatch", other, one["jti"], repository=one["repository"])

    def _wider(self, _seen: list[dict[str, Any]]) -> None:
        token = self._reader.token(f"repository:{BASE}:pull")
        self._post("outside_grant", token.account, token.jti, repository=BASE)

    def _elsewhere(self, _seen: list[dict[str, Any]]) -> None:
        token = self._reader.token(f"repository:{BASE}:pull,push")
        self._post("outside_grant", token.account, token.jti, repository=f"{BASE}2")

    def _mounted(self, _seen: list[dict[str, Any]]) -> None:
        token = self._reader.token("repository:crowd/app1:pull,push")
        self._post(
            "outside_grant", token.account, token.jti, action="mount", repository="crowd/app1", fromRepository="crowd/secret"
        )

    def _early(self, _seen: list[dict[str, Any]]) -> None:
        token = self._reader.token(f"repository:{BASE}:pull,push")
        self._post("exact", token.account, token.jti, flag="before_issuance", at_s=time.time() - HOUR_S, repository=BASE)

    def _ahead(self, _seen: list[dict[str, Any]]) -> None:
        token = self._reader.token(f"repository:{BASE}:pull,push")
        self._post("exact", token.account, token.jti, flag="clock_skew", at_s=time.time() + HOUR_S, repository=BASE)

    def _reused(self, seen: list[dict[str, Any]]) -> None:
        one = self._random.choice([one for one in seen if one["event_id"] not in self.planted and one["action"] == "push"])
        event = {
            "id": one["event_id"], "action": "push", "timestamp": datetime.now(UTC).isoformat(),
            "request": {"method": "PUT", "addr": "127.0.0.1:40000", "useragent": "forger"}, "actor": {"name": f"{one['account']}#{one['jti']}"},
            "target": {"repository": one["repository"], "mediaType": "application/octet-stream", "digest": "sha256:" + "ab" * 32, "size": 7},
        }  # fmt: skip
        self.planted[one["event_id"]] = "exact", "id_reused"
        assert self._house.post(event) == 202


def events_of(house: House) -> list[dict[str, Any]]:
    """What the ledger says of events."""
    names = ("seq", "event_id", "action", "repository", "verdict", "reason", "flags", "jti", "account", "user_agent")
    query = f"SELECT {', '.join(names)} FROM records JOIN personal USING (seq) WHERE kind = 'event'"
    return [dict(zip(names, row, strict=True)) for row in house.rows(query)]


def skopeo_copies(house: House, folder: Path, number: int) -> None:
    """A stock client's push and copy, in repositories of its own."""
    folder.mkdir()
    creds = f"{ACCOUNTS[number % len(ACCOUNTS)]}:{PASSWORD}"
    source = f"oci:{layout(folder / 'oci', make_image(os.urandom(64)))}:v1"
    first, second = (f"docker://{house.registry}/crowd/skopeo{number}{end}:v1" for end in ("", "copy"))
    both = ["--src-tls-verify=false", "--dest-tls-verify=false", "--src-creds", creds, "--dest-creds", creds]
    for done in (
        skopeo("copy", "--dest-tls-verify=false", "--dest-creds", creds, source, first),
        skopeo("copy", *both, first, second),
    ):
        assert done.returncode == 0, done.stderr


def test_a_crowd_on_a_real_registry(crowded: House, tmp_path: Path) -> None:
    """Every event of every request, by its token; every planted wrong; no false alarm."""
    truths = Truths()
    site = Site(crowded.url, f"http://127.0.0.1:{crowded.ports.auth}", PASSWORD, make_image(os.urandom(64)))
    clients = [RealClient(number, site, ACCOUNTS[number % len(ACCOUNTS)], truths) for number in range(CLIENTS)]
    clients[0].push_base()
    forger = Forger(crowded, RealClient(CLIENTS, site, "ci", truths), seed=7)
    with ThreadPoolExecutor(CLIENTS + SKOPEOS + 1) as pool:
        doings = [pool.submit(one.live, ROUNDS) for one in clients]
        doings += [pool.submit(skopeo_copies, crowded, tmp_path / str(number), number) for number in range(SKOPEOS)]
        doings.append(pool.submit(forger.work, lambda: events_of(crowded)))
        for one in doings:
            one.result()
    agents = set(truths.told)
    wait_until("the last events", lambda: agents <= {one["user_agent"] for one in events_of(crowded)}, 60)
    wait_until(
        "the last wrong", lambda: sum(one["user_agent"] == "forger" for one in events_of(crowded)) == len(forger.planted)
    )
    events = events_of(crowded)
    # Honest ones: each once, by the token that its request was made with.
    mine = [one for one in events if one["user_agent"] in agents and one["action"] != "untag"]
    found = {one["user_agent"]: Told(one["account"], one["jti"], one["action"], one["repository"]) for one in mine}
    assert found == truths.told
    assert len(mine) == len(truths.told)
    planted = [one for one in events if one["user_agent"] == "forger"]
    honest = [one for one in events if one["user_agent"] != "forger"]
    assert {(one["verdict"], one["reason"], one["flags"]) for one in honest} == {("exact", "", "")}
    stock = [one for one in honest if one["repository"].startswith("crowd/skopeo")]
    assert {one["account"] for one in stock} == set(ACCOUNTS[:SKOPEOS])
    assert {one["action"] for one in stock} >= {"push", "pull", "mount"}
    # Planted ones: each as what it is.
    assert {one["event_id"]: (one["verdict"], one["flags"]) for one in planted} == forger.planted
    wanted = Counter(
        {"forged": 2 * EACH_WRONG, "account_mismatch": EACH_WRONG, "outside_grant": 3 * EACH_WRONG, "id_reused": EACH_WRONG}
    )
    raised = crowded.rows("SELECT reason, event_id FROM records WHERE kind = 'alarm'")
    assert Counter(reason for reason, _ in raised) == wanted
    alarming = {one["seq"] for one in planted if one["verdict"] != "exact" or one["flags"] == "id_reused"}
    assert {int(ident.removeprefix("alarm/")) for _, ident in raised} == alarming
    assert crowded.rows("SELECT count(*) FROM records WHERE kind = 'quarantine'") == [(0,)]
    # What this rests on: many tokens of few accounts, several in one push.
    assert len({one["jti"] for one in mine}) > CLIENTS * ROUNDS * 2
    assert len({one["account"] for one in mine}) == len(ACCOUNTS) + 1
    print(  # noqa: T201 - for who looks on with -s
        f"{len(honest)} honest events by {len({one['jti'] for one in honest})} tokens, {len(planted)} planted, {len(raised)} alarms"
    )
