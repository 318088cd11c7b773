"""Who may come: docker_auth's ``users`` and ``ext_auth``."""

import re
import shutil
from typing import Final

from wharfinger.runtime.settings import Command, Secret, User
from wharfinger.runtime.yaml_nodes import Section

MIN_BCRYPT_COST: Final = 10
_BCRYPT: Final = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}", re.ASCII)
_HOW: Final = "make it with `htpasswd -nBC 10 NAME`, and keep what follows the colon"


def read_users(top: Section) -> tuple[User, ...] | None:
    """The users; None when there is no such section, or it is null, which in docker_auth is no back-end either."""
    section = top.section("users")
    if section is None:
        return None
    users = []
    for name in section.names():
        user = section.section(name)
        if user is not None:  # docker_auth: a user whose value is null does not exist
            users.append(_user(name, user, section.place_of(name)))
    return tuple(users)


def read_command(top: Section, name: str) -> Command | None:
    """``ext_auth`` or ``ext_authz``: a program that decides."""
    section = top.section(name)
    if section is None:
        return None
    program = section.text("command", required=True)
    arguments = section.texts("args")
    section.done(ours=False)
    if program is None:
        return None
    found = shutil.which(program, path=None)
    if found is None:
        section.fault("command", f"there is no program {program}", "correct its path, or make it executable")
    return Command(found or program, arguments)


def _user(name: str, section: Section, place: tuple[int, int]) -> User:
    password = section.text("password")
    labels = {}
    if (given := section.section("labels")) is not None:
        labels = {label: given.texts(label) for label in given.names()}
    section.done(ours=False)
    stripped = None if password is None else password.strip()
    _lint_password(name, stripped, section)
    line, column = place
    return User(name, None if stripped is None else Secret(stripped.encode()), line, labels, column)


def _lint_password(name: str, password: str | None, section: Section) -> None:
    if password is None:
        if name:
            remedy = "give it a password, unless that is meant"
            section.warn("password", "is missing: anybody is let in under this name", remedy)
        return
    if not name:
        section.warn("password", "of the anonymous user cannot be given by any client, so nobody is anonymous", 'write "": {}')
        return
    hashed = _BCRYPT.fullmatch(password)
    if hashed is None:
        what = "is empty" if not password else "is no bcrypt hash ($2y$, $2a$ or $2b$)"
        section.warn("password", f"{what}, so nobody can log in as {name}", _HOW)
    elif int(hashed[1]) < MIN_BCRYPT_COST:
        section.warn("password", f"is bcrypt of cost {int(hashed[1])}, quick to guess", "make it with `htpasswd -nBC 10 NAME`")
