"""``forward``: other systems that get the trail as it grows, a SIEM or a file that is read by one."""

from pathlib import Path
from typing import Final

from wharfinger.runtime.configuration.texts import NAME, parse_address
from wharfinger.runtime.settings import Address, FileForward, Forward, ForwardForm, SyslogForward, TlsPair
from wharfinger.runtime.yaml_nodes import Section

SYSLOG_PORT: Final = 6_514
"""RFC 5425 section 4.1."""


def read_forward(top: Section) -> tuple[Forward, ...]:
    """Every forward, in the file's order; names are once."""
    found: list[Forward] = []
    for section in top.sections("forward"):
        name = _name(section, [one.name for one in found])
        form = section.choice("format", ForwardForm, ForwardForm.JSONL)
        file = section.path_of("file", watched=False)
        server = section.parsed("syslog", _parse_server, f"write HOST or HOST:PORT ({SYSLOG_PORT} else)", default=None)
        ca_file, pair = _file(section, "ca_file"), _pair(section)
        section.done()
        if section.has("file") == section.has("syslog"):
            section.fault("syslog", "a forward goes to one of file and syslog", "write syslog: HOST:6514, or file: PATH")
        elif file is not None:
            if ca_file is not None or pair is not None:
                section.fault("ca_file", "is for syslog; a file needs none", "leave it out")
            found.append(FileForward(name, file, form, section.line))
        elif server is not None:
            found.append(SyslogForward(name, server.host, server.port, form, ca_file, pair, section.line))
    return tuple(found)


def _name(section: Section, taken: list[str]) -> str:
    name = section.text("name", required=True) or ""
    if name and NAME.fullmatch(name) is None:
        section.fault("name", f"{name!r} is no name", "write up to 64 letters, digits, - and _")
    elif name in taken:
        section.fault("name", f"{name!r} is there already", "how far a forward has come is kept by its name: give it another")
    return name


def _parse_server(text: str) -> Address | None:
    plain = text.startswith("[") and text.endswith("]") if text.count(":") > 1 else ":" not in text
    found = parse_address(f"{text}:{SYSLOG_PORT}" if plain else text)
    if not found.host:
        raise ValueError(f"{text!r} names no host")
    return found


def _pair(section: Section) -> TlsPair | None:
    certificate, key = _file(section, "certificate"), _file(section, "key")
    if certificate is not None and key is not None:
        return TlsPair(certificate, key)
    if certificate is not None or key is not None:
        section.fault("certificate" if certificate is None else "key", "is missing beside the other", "name both, or neither")
    return None


def _file(section: Section, name: str) -> Path | None:
    file = section.path_of(name)
    if file is not None:
        section.require_file(name, file, "correct the path, or make it readable for Wharfinger")
    return file
