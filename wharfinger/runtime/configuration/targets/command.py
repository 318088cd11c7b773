"""``type: command``: a program on this machine."""

import os
import re
from pathlib import Path
from typing import Final

from wharfinger.runtime.configuration.targets.reach import read_timeout
from wharfinger.runtime.settings import CommandTarget, Secret
from wharfinger.runtime.yaml_nodes import Section

RUNS_S: Final = 300.0
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TELLING: Final = re.compile(r"TOKEN|SECRET|KEY|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)


def read_command(name: str, section: Section) -> CommandTarget | None:
    """What is run, with which environment, and for how long."""
    program = section.texts("program")
    if not program:
        section.fault("program", "is missing or empty", "write it as a list: [/usr/local/bin/deploy, --env, prod]")
    elif not program[0].startswith("/"):
        section.fault("program", f"{program[0]!r} is no absolute path", "write where it is, for no PATH is looked into")
    else:
        _look(section, Path(program[0]))
    environment = _environment(section)
    timeout_s, repeatable = read_timeout(section, RUNS_S), section.flag("repeatable")
    section.done()
    if not program:
        return None
    return CommandTarget(
        name=name, program=program, environment=environment, timeout_s=timeout_s, repeatable=repeatable, line=section.line
    )


def _look(section: Section, file: Path) -> None:
    if not file.is_file():
        section.fault("program", f"there is no file {file}", "correct the path")
    elif not os.access(file, os.X_OK):
        section.fault("program", f"{file} may not be run", f"chmod +x {file}")
    elif file.stat().st_mode & 0o002:
        section.fault("program", f"{file} can be changed by everybody on this machine", f"chmod o-w {file}")


def _environment(section: Section) -> dict[str, Secret]:
    below = section.section("environment")
    found: dict[str, Secret] = {}
    if below is None:
        return found
    for name in below.names():
        written, value = below.text(name) or "", below.expanded(name) or ""
        if _NAME.fullmatch(name) is None:
            below.fault(name, "is no name of a variable", "write letters, digits and _")
        elif _TELLING.search(name) and "${" not in written:
            problem = "is written out in the configuration, where too many can read it"
            below.fault(name, problem, 'write "${VARIABLE}", and set that in the environment')
        elif "\x00" in value:
            below.fault(name, "holds what stands in no environment", "write plain text")
        found[name] = Secret(value.encode("utf-8", "surrogateescape"))
    return found
