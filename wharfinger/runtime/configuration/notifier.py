"""``notifier``: where registries post, and which of them are heard."""

from typing import Final
from urllib.parse import urlsplit

from wharfinger.runtime.configuration.texts import NAME, networks, parse_address, parse_base_url
from wharfinger.runtime.durations import parse_age
from wharfinger.runtime.settings import NOTIFIER_PORT, SILENCE_S, Address, Secret, Source
from wharfinger.runtime.yaml_nodes import Section

MIN_SECRET: Final = 16
"""Characters of a notification secret: 96 random bits in base64."""
MIN_SILENCE_S: Final = 60.0


def read_notifier(section: Section | None) -> tuple[Address, tuple[Source, ...]]:
    """Where it listens, and its sources."""
    listen = Address("", NOTIFIER_PORT)
    if section is None:
        return listen, ()
    sources = _sources(section)
    listen = section.parsed("addr", parse_address, "write HOST:PORT or :5002", default=listen)
    section.done()
    return listen, sources


def _sources(section: Section) -> tuple[Source, ...]:
    entries = [Section(node, key, section.faults, section.environ, section.folder) for key, node in section.items("sources")]
    sources = [_source(entry) for entry in entries]
    names = [source.name for source in sources]
    for entry, name in zip(entries, names, strict=True):
        if name and names.count(name) > 1:
            entry.fault("name", f"{name} is the name of two sources", "give each its own name")
    return tuple(sources)


def _source(section: Section) -> Source:
    name = section.text("name", required=True)
    if name is not None and NAME.fullmatch(name) is None:
        section.fault("name", f"{name!r} is not 1 to 64 letters, digits, - or _", "choose a plain name; it stands in URLs")
    secret = section.secret("secret", required=True)
    secrets = tuple(Secret(line) for line in (secret or b"").split())
    if any(len(one.reveal()) < MIN_SECRET for one in secrets):
        section.fault(
            section.secret_key("secret"), f"holds a secret shorter than {MIN_SECRET} characters", "use 32 random ones"
        )
    registry = section.parsed("registry", parse_base_url, "write http://registry:5000", default="", required=True)
    host = urlsplit(registry).netloc
    pull_host = section.text("pull_host", host) or host
    account = section.text("account", "") or ""
    password = section.secret("password")
    allow = networks(section)
    ca = section.path_of("ca_file")
    if ca is not None and not ca.is_file():
        section.fault("ca_file", f"there is no file {ca}", "name the PEM file of the authority that signed the registry's")
    silence = section.parsed("silence", parse_silence, "write 12h or 7d, or 0s for never", default=SILENCE_S)
    section.done()
    return Source(name or "", secrets, registry, pull_host, account, Secret(password) if password else None, allow, ca, silence)


def parse_silence(text: str) -> float:
    """Seconds without an event. Raises ValueError: shorter than what settling and a registry's own repeating may take."""
    seconds = parse_age(text)
    if 0 < seconds < MIN_SILENCE_S:
        raise ValueError("is shorter than a minute, in which events may well be on their way")
    return seconds
