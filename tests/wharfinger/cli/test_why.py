"""``wharfinger why``: rule by rule, why a push was deployed or not; also by rules that did not match, or are no more."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.wharfinger.cli.houses import DIGEST, house, parsed, run
from tests.wharfinger.ledger.test_settlement import push
from wharfinger.ledger import outbox
from wharfinger.ledger.database import Database
from wharfinger.ledger.erasure import erase_account
from wharfinger.ledger.settlement import commit
from wharfinger.ledger.values import Decision, Said
from wharfinger.wire.names import DeliveryId

NOW = 1_795_477_900_000
DEPLOY = """
deploy:
  rules:
    - {name: web, match: {repository: "shop/*", tag: v1}, targets: [prod]}
    - {name: two, match: {repository: "shop/*", tag: "semver:^2", account: ci}, targets: [prod]}
  targets:
    prod: {type: docker, container: web}
"""
LINES = (
    Decision("tag", Said.GO, "v1 is this digest in the registry", NOW),
    Decision("cooldown", Said.WAIT, "until [noon]", NOW),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A house whose ledger knows a push that is held, one that no rule takes, a child, and a delivery of a rule that is gone."""
    made = house(tmp_path / "house")
    with (made / "wharfinger.yml").open("a") as file:
        file.write(DEPLOY)
    database = Database(f"sqlite:///{made}/ledger.db")
    child = push("e2", tag="", digest="sha256:" + "cd" * 32)
    gone = replace(push("e3", tag="v3"), deliveries=(replace(push("e3").deliveries[0], rule="gone"),))
    plain = replace(push("e4"), deliveries=())
    unknown = replace(plain, record=replace(push("e5", tag="v5", digest="").record))
    commit(database, [push("e1"), replace(child, deliveries=()), gone, plain, unknown], now_ms=NOW)
    held = outbox.claim(database, DeliveryId("dlv_e1"), now_ms=NOW)
    assert held is not None
    outbox.hold(database, held, reason="until [noon]", now_ms=NOW, due_at=NOW + 5, decisions=LINES)
    database.close()
    return made


def test_the_form_of_its_json(folder: Path) -> None:
    """Each rule with what its conditions say, and its deliveries with what guards said, as trace has them."""
    (found,) = parsed(run("why", "e1", "--json", "--data", folder))["pushes"]
    assert (found["event"]["event_id"], found["starts_nothing"]) == ("e1", None)
    web, two = found["rules"]
    assert (web["rule"], web["matches"], [one["holds"] for one in web["conditions"]]) == ("web", True, [True, True])
    (delivery,) = web["deliveries"]
    assert (delivery["state"], delivery["due_at"], delivery["decisions"][1]["why"]) == ("held", NOW + 5, "until [noon]")
    assert (two["rule"], two["matches"], two["deliveries"]) == ("two", False, [])
    assert [(one["name"], one["holds"], one["why"]) for one in two["conditions"]] == [
        ("repository", True, "repository shop/cart matches shop/*"),
        ("tag", False, "tag v1 is no version"),
        ("account", False, "account zoe does not match ci"),
    ]


def test_for_people(folder: Path) -> None:
    """A tree: the push, its rules, what became of it, what each guard said."""
    text = run("why", "dlv_e1", "--data", folder).stdout
    for said in (
        f"push shop/cart:v1 {DIGEST} by zoe, exact", "rule web (line ", "matches", "rule two (line ",
        "does not match: tag v1 is no version; account zoe does not match ci", "held", "tag  go  v1 is this digest", "cooldown  wait  until [noon]",
    ):  # fmt: skip
        assert said in text


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("e2", "it has no tag: a child of an index, or a push by digest, starts nothing"),
        ("e3", "rule gone is not in the file any more"),
        ("e4", "no delivery: it did not match when the push came, or was not there"),
        ("e5", "its registry did not tell its digest"),
    ],
)
def test_why_not(folder: Path, ref: str, said: str) -> None:
    """What could start nothing, and what the rules as they are now do not tell."""
    result = run("why", ref, "--data", folder)
    assert (result.exit_code, said in result.stdout) == (0, True), result.output


def test_several_pushes(folder: Path) -> None:
    """Of one digest, or one tag: each by itself, the oldest first."""
    found = parsed(run("why", "shop/cart:v1", "--json", "--data", folder))["pushes"]
    assert [one["event"]["event_id"] for one in found] == ["e1", "e4"]


def test_an_account_that_was_erased(folder: Path) -> None:
    """Nobody is known to have pushed it then."""
    database = Database(f"sqlite:///{folder}/ledger.db")
    erase_account(database, "zoe", now_ms=NOW)
    database.close()
    text = run("why", "shop/cart:v1", "--data", folder).stdout
    assert "by erased" in text
    assert "nobody is known to have pushed it" in text


def test_without_rules(folder: Path) -> None:
    """It is said that there are none."""
    file = folder / "wharfinger.yml"
    file.write_text(file.read_text().partition("\ndeploy:")[0])
    assert "there is no rule" in run("why", "e4", "--data", folder).stdout


def test_what_is_no_push(folder: Path) -> None:
    """Exit code 1, also for programs."""
    result = run("why", "nobody", "--data", folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("the ledger knows no push of nobody.")
    empty = run("why", "nobody", "--json", "--data", folder)
    assert (empty.exit_code, parsed(empty)) == (1, {"ref": "nobody", "pushes": []})


def test_a_ledger_that_cannot_be_read(tmp_path: Path) -> None:
    """Exit code 3, and which file it is."""
    data = house(tmp_path / "house")
    (data / "ledger.db").mkdir()
    result = run("why", "x", "--data", data)
    assert (result.exit_code, str(data / "ledger.db") in result.stderr) == (3, True)
