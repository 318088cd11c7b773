"""Tests mirror the tree: every module has its test module, or stands in a list here, with what proves it.

``a/b/c.py`` is proved by ``tests/a/b/test_c.py``. A new module without a partner fails here; so does a list that grew stale.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("authsvc", "notifier", "wharfinger", "workers")
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
)
TESTS = sorted(
    path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")
)

ELSEWHERE = {
    # What starts real programs, or is one, is proved by them.
    "authsvc/adapters/command_auth.py": "tests/real/test_programs.py",
    "authsvc/metrics.py": "tests/real/test_metrics.py",
    "authsvc/shadow/app.py": "tests/real/test_shadow.py",
    "authsvc/shadow/relay.py": "tests/real/test_shadow.py",
    "authsvc/shadow/side.py": "tests/real/test_shadow.py",
    "notifier/metrics.py": "tests/real/test_metrics.py",
    "wharfinger/cli/planning.py": "tests/real/test_reload.py",
    "wharfinger/cli/pusher.py": "tests/real/test_pipe.py",
    "wharfinger/cli/receiver.py": "tests/real/test_tour.py",
    "wharfinger/cli/registries.py": "tests/real/test_tour.py",
    "wharfinger/cli/tour.py": "tests/real/test_tour.py",
    "wharfinger/runtime/watching.py": "tests/real/test_reload.py",
    "workers/adapters/docker_engine.py": "tests/real/test_docker_target.py",
    "workers/adapters/launch.py": "tests/workers/adapters/test_command.py",
    "workers/adapters/notify.py": "tests/workers/adapters/test_messages.py",
    "workers/adapters/kubernetes.py": "tests/real/test_kubernetes_target.py",
    "workers/adapters/swarm.py": "tests/real/test_swarm_target.py",
    # What only joins others, or is only read through others.
    "authsvc/adapters/static_users.py": "tests/authsvc/test_issue.py",
    "authsvc/shadow/compare.py": "tests/real/test_shadow.py",
    "workers/ports.py": "tests/workers/adapters/test_streams.py",
    "wharfinger/cli/lazy.py": "tests/wharfinger/cli/test_main.py",
    "wharfinger/cli/templates.py": "tests/wharfinger/cli/test_init.py",
    "wharfinger/cli/work.py": "tests/wharfinger/cli/test_serve.py",
    "wharfinger/runtime/bounded.py": "tests/wharfinger/runtime/test_connections.py",
    **dict.fromkeys(
        (f"wharfinger/cli/audit/{name}.py" for name in ("criteria", "export", "follow", "lines", "opening", "search")),
        "tests/wharfinger/cli/audit/test_audit_reading.py",
    ),
    **dict.fromkeys(
        (
            f"wharfinger/cli/deploy/{name}.py"
            for name in (
                "approve", "block", "blocked", "force", "listing", "opening", "pause", "reject", "resume", "rule_names", "unblock", "voting",
            )
        ),
        "tests/wharfinger/cli/deploy/test_steering_deployments.py",
    ),
    "wharfinger/cli/audit/forwarded.py": "tests/real/test_forward.py",
    "wharfinger/cli/audit/erase.py": "tests/real/test_erasure.py",
    "wharfinger/cli/audit/prune.py": "tests/real/test_erasure.py",
    "wharfinger/cli/audit/keys.py": "tests/wharfinger/cli/audit/test_settings.py",
    "wharfinger/cli/audit/receipts.py": "tests/wharfinger/cli/audit/test_verify.py",
    "wharfinger/cli/progress.py": "tests/real/test_erasure.py",
    **dict.fromkeys(
        (
            f"wharfinger/ledger/verification/{name}.py"
            for name in ("anchors", "batches", "beginning", "findings", "leaves", "part", "pool", "rebuilding", "removed", "told", "whole")
        ),
        "tests/wharfinger/ledger/test_verification.py",
    ),
    "workers/adapters/checkpoints.py": "tests/workers/test_cosign.py",
    "workers/adapters/hearing.py": "tests/workers/test_listen.py",
    "workers/adapters/alarms.py": "tests/workers/test_cosign.py",
    "workers/adapters/trail.py": "tests/real/test_silence.py",
    "workers/metrics.py": "tests/workers/test_endpoints.py",
    "workers/adapters/guarded.py": "tests/workers/adapters/test_witness.py",
    "workers/adapters/retention.py": "tests/real/test_erasure.py",
    # The configuration is one thing, with one table of faults.
    **dict.fromkeys(
        (
            f"wharfinger/runtime/configuration/{name}.py"
            for name in ("targets/ci", "targets/command", "targets/kubernetes", "targets/message", "targets/docker", "targets/foreign", "targets/reach", "targets/webhook", "deploy", "rules", "forward", "notifier", "server", "stores", "texts", "token", "users")
        ),
        "tests/wharfinger/runtime/test_configuration.py",
    ),
    **dict.fromkeys(
        (f"wharfinger/runtime/settings/{name}.py" for name in ("auth", "notifier", "rules", "targets", "values", "workers")),
        "tests/wharfinger/runtime/test_settings.py",
    ),
    # The ledger is one thing: its parts are proved together, in a real file.
    **dict.fromkeys(
        (
            f"wharfinger/ledger/{name}.py"
            for name in (
                "bulk", "codes", "database", "log", "queries",
                "reading", "rows", "schema", "upgrade", "values", "words",
            )
        ),
        "tests/wharfinger/ledger/test_settlement.py",
    ),
    **dict.fromkeys(
        (f"wharfinger/ledger/migrations/{name}.py" for name in ("env", "versions/0001_first")),
        "tests/wharfinger/ledger/test_migrations.py",
    ),
    "wharfinger/ledger/issued.py": "tests/workers/adapters/test_issuances.py",
    "wharfinger/ledger/outbox.py": "tests/workers/adapters/test_ledger.py",
}  # fmt: skip
"""Modules that another test module proves."""
DECLARES = {
    "authsvc/errors.py", "authsvc/ports.py", "notifier/errors.py", "notifier/ports.py", "wharfinger/ledger/errors.py",
    "wharfinger/runtime/errors.py", "workers/errors.py",
}  # fmt: skip
"""Modules that hold nothing which could run: errors and ports."""


STORIES = {
    "tests/authsvc/test_both_ways.py", "tests/authsvc/test_guessing.py", "tests/authsvc/test_smuggling.py",
    "tests/authsvc/test_tokens_accepted.py",
    "tests/notifier/test_smuggling.py", "tests/wharfinger/cli/audit/test_settings.py", "tests/wharfinger/cli/test_comparing.py",
    "tests/wharfinger/policy/test_docker_auth.py", "tests/wharfinger/runtime/test_docker_auth_files.py",
    "tests/wharfinger/cli/audit/test_audit_reading.py", "tests/wharfinger/ledger/test_alarms.py",
    "tests/wharfinger/cli/deploy/test_steering_deployments.py",
    "tests/wharfinger/runtime/test_docker_targets.py", "tests/workers/adapters/test_kept_lease.py",
    "tests/workers/test_deliver_resumes.py", "tests/workers/test_early_events.py",
}  # fmt: skip
"""Test modules that tell one story through several modules."""


def partner(module: str) -> str:
    """The test module of a module."""
    path = Path("tests") / module
    return path.with_name(f"test_{path.name}").as_posix()


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_proved(module: str) -> None:
    """In its own test module, or where one of the lists says."""
    assert module in ELSEWHERE or module in DECLARES or (ROOT / partner(module)).is_file(), f"{partner(module)} is missing"


@pytest.mark.parametrize("test", TESTS)
def test_every_test_module_has_its_module(test: str) -> None:
    """What was renamed or removed takes its tests along."""
    path = Path(test).relative_to("tests")
    module = path.with_name(path.name.removeprefix("test_")).as_posix()
    package = (ROOT / module).with_suffix("")
    assert test in STORIES or module in MODULES or package.is_dir()


def test_the_lists_are_not_stale() -> None:
    """They name what is there, what proves it, and nothing that has a partner of its own."""
    listed = {*ELSEWHERE, *DECLARES}
    assert listed <= set(MODULES)
    assert not [module for module in listed if (ROOT / partner(module)).is_file()]
    assert not [test for test in ELSEWHERE.values() if not (ROOT / test).is_file()]
    assert not DECLARES & set(ELSEWHERE)
    assert set(TESTS) >= STORIES


@pytest.mark.parametrize("module", sorted(DECLARES))
def test_what_only_declares(module: str) -> None:
    """No function in it does anything: its body is its docstring."""
    tree = ast.parse((ROOT / module).read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [node.name for node in functions if len(node.body) > 1 or not ast.get_docstring(node)]
