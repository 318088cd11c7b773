"""``wharfinger trace`` on a small ledger: the chain for people and for programs, from any of its ends."""

from pathlib import Path

import pytest

from tests.wharfinger.cli.houses import DIGEST, JTI, NOW, OTHER_JTI, house, ledger_with_a_push, parsed, run
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_account


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house with a ledger."""
    folder = house(tmp_path_factory.mktemp("house"))
    ledger_with_a_push(folder)
    return folder


@pytest.mark.parametrize(
    "ref",
    [
        JTI, "e-push", "ubuntu:v1", "dlv_1", DIGEST, f"ubuntu@{DIGEST}", "127.0.0.1:5550/ubuntu:v1", "localhost:5550/ubuntu:v1",
        f"127.0.0.1:5550/ubuntu@{DIGEST}", DIGEST[:14], DIGEST[:19], DIGEST[:40], f"127.0.0.1:5550/ubuntu@{DIGEST[:19]}", "0", "1", "5",
    ],
)  # fmt: skip
def test_the_chain_from_any_end(data: Path, ref: str) -> None:
    """Token, push and delivery."""
    found = parsed(run("trace", ref, "--json", "--data", data))
    assert found["ref"] == ref
    assert [one["jti"] for one in found["issuances"]] == [JTI, OTHER_JTI][: 2 if "sha256:" in ref else 1]
    assert "e-push" in [one["event_id"] for one in found["events"]]
    assert [(one["id"], one["state"]) for one in found["deliveries"]] == [("dlv_1", "delivered")]


def test_the_form_of_its_json(data: Path) -> None:
    """The names that scripts read."""
    found = parsed(run("trace", "e-push", "--json", "--data", data))
    (issuance,), (event,), (delivery,) = found["issuances"], found["events"], found["deliveries"]
    assert (issuance["account"], issuance["credential"], issuance["client_addr"]) == (
        "hussein",
        {"kind": "static", "id": "c1"},
        "10.0.0.7",
    )
    assert issuance["granted"] == [{"type": "repository", "name": "ubuntu", "actions": ["pull", "push"]}]
    assert {name: event[name] for name in ("action", "kind", "repository", "tag", "digest")} == {
        "action": "push", "kind": "manifest", "repository": "ubuntu", "tag": "v1", "digest": DIGEST,
    }  # fmt: skip
    assert event["attribution"] == {"verdict": "exact", "account": "hussein", "jti": JTI, "reason": "", "flags": []}
    assert (delivery["rule"], delivery["target"]) == ("web", "hook")
    assert [one["outcome"] for one in delivery["attempts"]] == ["postponed", "delivered"]


def test_the_tree(data: Path) -> None:
    """The push under its token, the delivery under the push, what has no token apart; reads are counted, not listed."""
    result = run("trace", DIGEST, "--data", data)
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    depth = {
        line.split("── ")[1].split(" ")[0] + str(number): line.index("── ")
        for number, line in enumerate(lines)
        if "── " in line
    }
    assert [name.rstrip("0123456789") for name in depth] == ["token", "push", "delivery", "push", "and"]
    assert list(depth.values()) == [depth[name] for name in depth]
    token, push, delivery, forged, reads = depth.values()
    assert token < push < delivery
    assert forged == reads == token
    text = result.stdout
    for said in (
        JTI, "hussein  static c1  from 10.0.0.7", "granted repository:ubuntu:pull,push by rule 2", "push manifest ubuntu:v1  exact  hussein",
        "web → hook  delivered  answered 200", "2 attempts", "push manifest ubuntu:v2  forged  addr_differs id_reused", "and 1 reads",
        "2026-11-23 23:51:40.123", "event e-push",
    ):  # fmt: skip
        assert said in text


def test_what_was_erased(tmp_path: Path) -> None:
    """It is said to be erased, and is nobody's who came without a name; the erasure itself is nobody's at all."""
    folder = house(tmp_path / "house")
    ledger_with_a_push(folder)
    database = Database(f"sqlite:///{folder}/ledger.db")
    erase_account(database, "hussein", now_ms=NOW)
    database.close()
    text = run("trace", "ubuntu:v1", "--data", folder).stdout
    assert f"token {JTI}  erased  static c1\n" in text
    assert "push manifest ubuntu:v1  exact  erased\n" in text
    assert "anonymous" not in text
    chain = parsed(run("trace", "ubuntu:v1", "--json", "--data", folder))
    assert [one["erased"] for one in (*chain["issuances"], *chain["events"])] == [True, True]
    assert not [one for one in parsed(run("trace", DIGEST, "--json", "--data", folder))["events"] if not one["erased"]]
    for search in (("search", "--record", "erasure"), ("search",), ("search", "--grouped")):
        found = run("audit", *search, "--data", folder)
        assert found.exit_code == 0
        assert "anonymous" not in found.stdout


def test_a_hostile_agent_paints_nothing(data: Path) -> None:
    """What a client wrote into its own fields is shown as text: no colour, no line of its own, no markup."""
    text = run("trace", JTI, "--data", data).stdout
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text
    assert "[bold]x[/bold]" in text
    assert not any(line.lstrip("│ ").startswith("fake line") for line in text.splitlines())


@pytest.mark.parametrize(("number", "said"), [("2", f"token {OTHER_JTI}"), ("3", "pull manifest ubuntu"), ("4", "forged")])
def test_a_number_of_the_log(data: Path, number: str, said: str) -> None:
    """As search and the tree print it: the record that has it, with what it is tied to."""
    assert said in run("trace", number, "--data", data).stdout


def test_reads_alone_are_listed(data: Path) -> None:
    """When there is nothing else to see."""
    assert "pull manifest ubuntu" in run("trace", "e-pull", "--data", data).stdout


def test_a_token_that_only_read(data: Path) -> None:
    """It is shown when it is what was asked for, and in nobody's way when it is not."""
    assert OTHER_JTI in run("trace", OTHER_JTI, "--data", data).stdout
    assert OTHER_JTI not in run("trace", DIGEST, "--data", data).stdout


@pytest.mark.parametrize(
    "ref",
    [
        "nobody", "ubuntu:v9", "dlv_2", "fedora", "ubuntu", "%", "", "@", "ubuntu@", ":", "99", "9" * 30, "²", "sha256:ababab",
        "sha256:cdcdcdc", "ghcr.io/ubuntu:v1", "127.0.0.1:5551/ubuntu:v1", "127.0.0.1:5550/",
    ],
)  # fmt: skip
def test_what_the_ledger_does_not_know(data: Path, ref: str) -> None:
    """Exit code 1, also for programs, which get the same form with nothing in it."""
    result = run("trace", ref, "--data", data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"the ledger knows nothing of {ref}. REF is a digest or 7 and more of its hex digits")
    empty = run("trace", ref, "--json", "--data", data)
    assert (empty.exit_code, parsed(empty)) == (1, {"ref": ref, "issuances": [], "events": [], "deliveries": []})


def test_a_ledger_that_cannot_be_read(tmp_path: Path) -> None:
    """Exit code 3, and which file it is."""
    data = house(tmp_path / "house")
    (data / "ledger.db").mkdir()
    result = run("trace", "x", "--data", data)
    assert result.exit_code == 3
    assert str(data / "ledger.db") in result.stderr


def test_a_configuration_with_faults(tmp_path: Path) -> None:
    """Exit code 2, and every one of them."""
    (tmp_path / "wharfinger.yml").write_text("server: {addr: x}\n")
    result = run("trace", "x", "--data", tmp_path)
    assert result.exit_code == 2
    assert "server.addr 'x' is no HOST:PORT" in result.stderr
    assert "4 faults; nothing was read." in result.stderr
