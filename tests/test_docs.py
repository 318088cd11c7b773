"""The pages tell the truth: every name that people see stands in them, and every file they name is there."""

import json
import re
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

import authsvc.metrics
import notifier.metrics
import workers.metrics
from tests.wharfinger.cli.houses import house
from wharfinger.cli import audit, deploy
from wharfinger.cli.main import COMMANDS
from wharfinger.cli.supervise import LONGEST_PAUSE_S, SETTLED_S, STOP_S
from wharfinger.cli.work import ledger_spec, worker_specs
from wharfinger.ledger.instances import Gap
from wharfinger.ledger.record import RecordKind
from wharfinger.ledger.values import DeliveryState, TrailFault
from wharfinger.ledger.verification.findings import What
from wharfinger.policy import Options
from wharfinger.runtime.configuration import load, load_access
from wharfinger.runtime.configuration.targets import KINDS
from wharfinger.runtime.metrics import Series
from wharfinger.runtime.serving import LEAVING_S
from wharfinger.runtime.settings import APPROVE_WITHIN_S, Match, PolicySettings, Reach, Require, Secret, WebhookTarget
from wharfinger.wire import keys
from wharfinger.wire.event import Action, Kind
from workers.adapters.webhook import TIMEOUT_S
from workers.decide.attribution import Flag, Reason, Verdict
from workers.decide.guard import LATER
from workers.decide.matching import problems
from workers.decide.order import Order
from workers.decide.retry import MAX_ATTEMPTS
from workers.decide.simulation import Would
from workers.decide.versions import Range, parse_version
from workers.decide.webhook import webhook

ROOT = Path(__file__).parents[1]
FLOW = (ROOT / "docs/flow.md").read_text()
POLICY = (ROOT / "docs/policy.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_redis_names() -> None:
    """docs/redis.md is the catalogue, row by row."""
    page = (ROOT / "docs/redis.md").read_text()
    rows = [f"| `{one.pattern}` | {one.kind} | {one.writer} | {one.reader} | {one.ttl} |" for one in keys.CATALOGUE]
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows


def series_row(series: Series) -> str:
    """A series as a row of docs/metrics.md."""
    labels = [
        f"`{name}`: " + ", ".join(f"`{value}`" for value in values) if values else f"`{name}`" for name, values in series.labels
    ]
    return f"| `{series.name}` | {series.kind} | {'; '.join(labels) or 'none'} | {series.help} |"


def test_metrics() -> None:
    """docs/metrics.md is the services' tables, row by row, and what it says to watch is there."""
    page = (ROOT / "docs/metrics.md").read_text()
    tables = (*authsvc.metrics.TABLE, *notifier.metrics.TABLE, *workers.metrics.TABLE, *authsvc.metrics.SHADOW_TABLE)
    assert [line for line in page.splitlines() if line.startswith("| `")] == [series_row(one) for one in dict.fromkeys(tables)]
    named = set(re.findall(r"\bwharfinger_\w+", page))
    assert {name.removesuffix("_bucket") for name in named} == {one.name for one in tables}
    assert all(
        f"`{one.name}`" in page.partition("Beside them")[2]
        for one in authsvc.metrics.SHADOW_TABLE
        if one in authsvc.metrics.TABLE
    )


@pytest.mark.parametrize("words", [Verdict, Reason, Flag, Action, Kind, RecordKind, DeliveryState, Gap, TrailFault])
def test_every_word_of_the_trail_is_explained(words: type[StrEnum]) -> None:
    """Verdicts, reasons, flags, actions, kinds and states stand in docs/flow.md."""
    assert [word.value for word in words if word.value and f"`{word.value}`" not in FLOW] == []
    assert [word for word in workers.metrics.ALARM_REASONS if f"`{word}`" not in FLOW] == []


def test_every_finding_and_command_of_audit_is_explained() -> None:
    """Kinds of findings and sub-commands stand in docs/audit.md, and no finding stands there that is never made."""
    page = (ROOT / "docs/audit.md").read_text()
    table = page.partition("## Verify")[2].partition("## Receipts")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [what.value for what in What]
    assert [name for name in audit.COMMANDS if f"`wharfinger audit {name}" not in page] == []


def test_what_the_workers_log_of_the_log_is_explained() -> None:
    """Every event of signing and cosigning stands in docs/audit.md."""
    page = (ROOT / "docs/audit.md").read_text()
    sources = [
        (ROOT / name).read_text()
        for name in ("workers/sign.py", "workers/cosign.py", "workers/warn.py", "workers/adapters/witness.py")
    ]
    events = {event for source in sources for event in re.findall(r"log\(\"([\w.]+)\"", source)}
    assert len(events) > 5
    assert [event for event in sorted(events) if f"`{event}`" not in page] == []


def test_every_setting_is_explained() -> None:
    """What the reader of the configuration reads by name stands in docs/configuration.md."""
    readers = sorted((ROOT / "wharfinger/runtime/configuration").rglob("*.py"))
    reader = "".join(one.read_text() for one in readers)
    calls = r"\.(?:text|number|parsed|section|texts|path_of|secret|items|expanded|flag|choice|sections|required)\(\s*\"(\w+)\""
    names = set(re.findall(calls, reader))
    page = (ROOT / "docs/configuration.md").read_text() + (ROOT / "docs/targets.md").read_text()
    assert len(names) > 30
    assert sorted(name for name in names if re.search(rf"\b{name}(_file)?\b", page) is None) == []


DEPLOYING = (ROOT / "docs/deploying.md").read_text()


def test_every_guard_condition_and_command_of_deployments_is_explained() -> None:
    """docs/deploying.md tells of each guard in the order in which it is asked, of each condition, word and sub-command."""
    sources = [(ROOT / f"workers/decide/{name}.py").read_text() for name in ("guard", "rules")]
    named = {name for source in sources for name in re.findall(r"(?:_Word|Decision|_aged)\(\s*\"(\w+)\"", source)} - {"match"}
    told = re.findall(
        r"^\| `(\w+)` \|", DEPLOYING.partition("## What must hold")[2].partition("## Bad digests")[0], re.MULTILINE
    )
    assert set(told) == named
    order = [
        "attribution",
        "pusher",
        "order",
        "forward_only",
        "pause",
        "tag",
        "digest",
        *(look.__name__[1:] for _, look in LATER),
    ]
    assert told == [one.replace("approved", "approvals") for one in order]
    assert [one.name for one in fields(Match) if f"| `{one.name}` |" not in DEPLOYING] == []
    assert [one.value for one in (*Require, *Would) if f"`{one.value}`" not in DEPLOYING] == []
    assert [name for name in deploy.COMMANDS if re.search(rf"(deploy |`){name}\b", DEPLOYING) is None] == []
    assert f"`approve_within` ({APPROVE_WITHIN_S / 3_600:.0f}h)" in DEPLOYING


def test_the_example_of_deployments_loads(tmp_path: Path) -> None:
    """What docs/deploying.md shows can be copied, beside targets and users."""
    (example,) = re.findall(r"```yaml\n(.*?)```", DEPLOYING, re.DOTALL)
    file = house(tmp_path) / "wharfinger.yml"
    users = "".join(f'  {name}: {{password: "$2b$10${"a" * 53}"}}\n' for name in ("zoe", "yan", "kim"))
    text = re.sub(r"(?m)^users:.*\n", f"users:\n{users}", file.read_text(), count=1)
    targets = "  targets:\n    prod: {type: docker, container: web}\n    hook: {type: docker, container: preview}\n"
    file.write_text(f"{text}\n{example}{targets}")
    loaded = load(file, data=tmp_path, environ={})
    assert loaded.faults() == ()
    assert loaded.settings is not None
    assert [problem for rule in loaded.settings.workers.deploy.rules for problem in problems(rule)] == []


@pytest.mark.parametrize(
    ("shown", "taken", "left"),
    [
        ("`^1.2` is 1.2.0 and later, below 2", ["1.2.0", "1.10.0"], ["1.1.9", "2.0.0"]),
        ("`~1.2` is 1.2.0 and later, below 1.3", ["1.2.0", "1.2.9"], ["1.1.9", "1.3.0"]),
        ("`>=1.4 <2` are both", ["1.4.0", "1.10.0"], ["1.3.0", "2.0.0"]),
        ("`^1.2 || ^3` either", ["1.2.0", "3.1.0"], ["2.0.0"]),
        ("`1.2.3` is that one", ["1.2.3", "v1.2.3"], ["1.2.4"]),
        ("`>=1.5.0-rc.1` takes 1.5.0-rc.2, and not 1.6.0-rc.1", ["1.5.0-rc.2"], ["1.6.0-rc.1"]),
        *[(f"`{text}`", ["1.2.0", "1.2.9"], ["2.0.0"]) for text in ("1.x", "1.2.*", "1.2")],
    ],
)
def test_ranges_are_what_is_told_of_them(shown: str, taken: list[str], left: list[str]) -> None:
    """Each that docs/deploying.md shows."""
    assert shown in DEPLOYING
    wanted = Range(shown.split("`")[1])
    versions = {tag: parse_version(tag) for tag in (*taken, *left)}
    assert [tag for tag, version in versions.items() if version is not None and wanted.takes(version)] == taken


def test_the_webhook_is_what_is_sent() -> None:
    """docs/webhook.md verifies the request that it shows, and no other; its fields are those that are sent, in their order."""
    page = (ROOT / "docs/webhook.md").read_text()
    (captured,) = re.findall(r"```http\n(.*?)\n```", page, re.DOTALL)
    head, _, body = captured.partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    (secret,) = re.findall(r"`(whsec_[^`]+)`", page)
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, "docs/webhook.md", "exec"), names)  # noqa: S102 - the page's own lines are what is proved
    sent_at = int(headers["webhook-timestamp"])
    verify = names["verify"]
    assert verify(headers, body.encode(), secret, sent_at + 1)
    assert not verify(headers, body.replace("hussein", "mallory").encode(), secret, sent_at + 1)
    assert not verify(headers, body.encode(), secret, sent_at + 600)
    assert not verify(headers | {"webhook-id": "dlv_other"}, body.encode(), secret, sent_at + 1)
    shown = json.loads(body)
    data = shown["data"]
    order = Order(
        delivery_id=data["delivery_id"], rule=data["rule"], source=data["source"], repository=data["repository"], tag=data["tag"],
        digest=data["digest"], registry_host=data["image"].partition("/")[0], target="hook", attempt=1, media_type=data["media_type"], account=data["account"],
        jti=data["jti"], event_id=data["event_id"], pushed_at_ms=round(datetime.fromisoformat(shown["timestamp"]).timestamp() * 1_000),
    )  # fmt: skip
    hook = WebhookTarget("hook", Reach(url="https://ci.example/"), (Secret(secret.encode()),), 1)
    made = webhook(order, hook, now_s=sent_at)
    assert made.body == body.encode()
    assert made.headers.items() <= headers.items()
    assert f"at most {MAX_ATTEMPTS} times" in page
    assert f"after {TIMEOUT_S:.0f} s" in page


def test_what_up_runs_is_explained(tmp_path: Path) -> None:
    """docs/running.md names every process, and the times it tells are those of the code."""
    page = (ROOT / "docs/running.md").read_text()
    settings = load(house(tmp_path) / "wharfinger.yml", data=tmp_path, environ={}).settings
    assert settings is not None
    specs = [ledger_spec(settings), *worker_specs(settings, url="", processes=2)]
    names = [one.name for one in specs] + ["auth", "auth-1", "notifier"]
    assert [name for name in names if f"`{name}`" not in page] == []
    for told in (
        f"waited for, {LEAVING_S:.0f} s at most", f"never above {LONGEST_PAUSE_S:.0f} s", f"had lived for {SETTLED_S:.0f} s",
        f"{STOP_S:.0f} s for each group", "`DIR/up.lock`",
    ):  # fmt: skip
        assert told in page


@pytest.mark.parametrize(
    "word", ["checkpoint", "receipt", "witness (of the log)", "witness (of the access list)", "journal", "log"]
)
def test_words_are_explained(word: str) -> None:
    """What pages speak of stands in the glossary."""
    assert f"| {word} |" in (ROOT / "docs/glossary.md").read_text()


def test_every_option_of_the_access_list_is_explained() -> None:
    """docs/policy.md tells what each does that can be asked for."""
    assert [one.name for one in fields(Options) if f"**{one.name}**" not in POLICY] == []


def test_examples_of_the_access_list_load(tmp_path: Path) -> None:
    """What docs/policy.md shows can be copied: together, its examples are a file without faults."""
    file = tmp_path / "examples.yml"
    file.write_text("\n".join(re.findall(r"```yaml\n(.*?)```", POLICY, re.DOTALL)))
    access, faults = load_access(file, environ={})
    assert faults == ()
    assert access is not None
    assert (len(access.acl or ()), len(access.tests)) == (3, 3)
    assert access.policy == PolicySettings(union=True, double_star=True, account_lists=True)


def test_every_file_named_is_there() -> None:
    """docs/flow.md maps arrows to files; none of them has moved away."""
    named = set(re.findall(r"`((?:authsvc|notifier|workers|wharfinger)/[\w/]+\.py)`", FLOW))
    assert len(named) > 20
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file or folder that is there."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_every_use_case_is_on_the_map() -> None:
    """A new verb must be drawn into the flow."""
    verbs = [
        "authsvc/issue.py",
        "notifier/ingest.py",
        *(f"workers/{verb}.py" for verb in ("settle", "deliver", "sweep", "sign", "cosign")),
    ]
    verbs += ["authsvc/adapters/spool.py", "authsvc/adapters/journal.py"]
    assert [verb for verb in verbs if f"`{verb}`" not in FLOW] == []


def test_decisions_are_numbered_without_gaps() -> None:
    """Files of docs/adr start with 0001, 0002 and so on."""
    numbers = [int(page.name[:4]) for page in sorted((ROOT / "docs/adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_commands_that_the_readme_names_exist() -> None:
    """`wharfinger NAME` in the README and the pages is a command."""
    named = {name for page in PAGES for name in re.findall(r"\bwharfinger ([a-z]+) ", page.read_text())}
    assert {"up", "init", "check", "trace"} <= named
    assert named - set(COMMANDS) - {"is", "stands", "beside"} == set()


SHOWN = {
    "kubeconfig": """
contexts: [{name: prod, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://k:6443"}}]
users: [{name: u, user: {token: t}}]
""",
    "team.urls": "slack://TokenA/TokenB/TokenC\n",
}
"""What stands in files that examples name, where that is looked at."""


def targets_shown() -> dict[str, list[str]]:
    """The configurations that docs/targets.md shows, by their section."""
    page = (ROOT / "docs/targets.md").read_text()
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    return {one.partition("\n")[0]: re.findall(r"```yaml\n(deploy:.*?)```", one, re.DOTALL) for one in sections}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_target_is_shown(tmp_path: Path, kind: str) -> None:
    """Each has its section, whose examples can be copied: with the files they name, they have no faults."""
    examples = targets_shown()[kind]
    assert examples
    for number, example in enumerate(examples):
        folder = tmp_path / str(number)
        file = house(folder) / "wharfinger.yml"
        (folder / "hook.secret").write_text(f"whsec_{'QUFB' * 8}\n")
        for name in re.findall(r"[\w_]*(?:_file|certificate|key|kubeconfig): ([\w./-]+)", example):
            if name != "hook.secret":
                (folder / name).write_text(SHOWN.get(name, "a-token-of-many-letters\n"))
                (folder / name).chmod(0o600)
        written = re.sub(r"^deploy:\n(?:^[ ].*\n)+", "", file.read_text(), flags=re.MULTILINE)
        file.write_text(f"{written}\n{example}")
        loaded = load(file, data=folder, environ=dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "x"))
        assert loaded.faults() == ()
        assert loaded.settings is not None
        assert f"type: {kind}," in example or f"type: {kind}\n" in example
        assert loaded.settings.workers.deploy.targets
