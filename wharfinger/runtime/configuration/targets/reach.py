"""What every target that is reached by a URL has: the URL, the networks it may be in, TLS, tokens, texts with fields."""

from collections.abc import Callable
from pathlib import Path

from wharfinger.runtime.configuration.texts import networks, parse_base_url, parse_url, scheme
from wharfinger.runtime.durations import parse_duration
from wharfinger.runtime.settings import FOLLOWED_S, Reach, Secret, TlsPair
from wharfinger.runtime.templates import names_in, parse_template
from wharfinger.runtime.yaml_nodes import Section

_MAX_S = 7 * 86_400


def read_reach(section: Section, *, whole: bool = False, default: str | None = None, remedy: str = "") -> Reach | None:
    """Where a target is and how it is reached; None when that is not said, or wrong.

    Args:
        section: the target's.
        whole: the URL is what is asked, with its query; else paths are put behind it.
        default: where it is unless the file says so; else it must.
        remedy: how to write it.
    """
    url = section.expanded("url", required=default is None) or default
    parse: Callable[[str], str] = parse_url if whole else parse_base_url
    parsed = None
    if url is not None:
        try:
            parsed = parse(url)
        except ValueError as error:
            section.fault("url", str(error), remedy or "write https://HOST")
    allow = networks(section)
    if parsed is not None and scheme(parsed) == "http" and not allow:
        problem = "is http:, which goes nowhere without a network in allow: whoever is on the way reads it"
        section.fault("url", problem, 'write https://, or name the private network it is in: allow: ["10.0.0.0/8"]')
    ca_file, pair = _file(section, "ca_file"), read_pair(section)
    return None if parsed is None else Reach(url=parsed, allow=allow, ca_file=ca_file, pair=pair)


def read_pair(section: Section) -> TlsPair | None:
    """``certificate`` and ``key``: what we show, both or neither."""
    certificate, key = _file(section, "certificate"), _file(section, "key")
    if certificate is not None and key is not None:
        return TlsPair(certificate, key)
    if certificate is not None or key is not None:
        section.fault("certificate" if certificate is None else "key", "is missing beside the other", "name both, or neither")
    return None


def read_token(section: Section, name: str = "token", *, required: bool = True) -> Secret | None:
    """A secret of one line, as it goes into a header."""
    found = section.secret(name, required=required)
    if found is None:
        return None
    if not (found.isascii() and all(33 <= byte < 127 for byte in found)):  # noqa: PLR2004 - what a header takes of ASCII
        section.fault(section.secret_key(name), "holds more than one word of ASCII", "put the bare token into it")
        return None
    return Secret(found)


def read_templates(section: Section, name: str, default: dict[str, str], *, with_id: bool = True) -> dict[str, str]:
    """A mapping of names to texts with fields. ``with_id``: one must tell the delivery, for what was begun is found by it."""
    below = section.section(name)
    if below is None:
        return default
    found: dict[str, str] = {}
    for key in below.names():
        text = below.parsed(key, parse_template, "write {{digest}} or another field of docs/targets.md", default=None)
        if text is not None:
            found[key] = text
    if with_id and not any("delivery_id" in names_in(text) for text in found.values()):
        problem = "has no {{delivery_id}}, by which a run is found again after a lost answer"
        section.fault(name, problem, "add one, like WHARFINGER_DELIVERY: '{{delivery_id}}'")
    return found


def read_timeout(section: Section, default: float = FOLLOWED_S) -> float:
    """``timeout``: how long the end of what was begun is waited for."""
    found = section.parsed("timeout", parse_duration, "write 30m", default=default)
    if not 0 < found <= _MAX_S:
        section.fault("timeout", "is no time up to a week", "write 30m")
    return found


def _file(section: Section, name: str) -> Path | None:
    file = section.path_of(name)
    if file is not None:
        section.require_file(name, file, "correct the path, or make it readable for Wharfinger")
    return file
