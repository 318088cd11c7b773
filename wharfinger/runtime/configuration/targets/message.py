"""``type: message``: people are told, by addresses as Apprise has them."""

from wharfinger.runtime.configuration.texts import networks
from wharfinger.runtime.settings import MessageTarget, Secret
from wharfinger.runtime.templates import parse_template
from wharfinger.runtime.yaml_nodes import Section

_REMEDY = "write {{digest}} or another field of docs/targets.md"


def read_message(name: str, section: Section) -> MessageTarget | None:
    """Whom to tell, and what."""
    found = section.secret("urls", required=True)
    urls = tuple(Secret(line) for line in (found or b"").split())
    for one in urls:
        if b"://" not in one.reveal():
            problem = "holds a line that is no SERVICE://…"
            section.fault(section.secret_key("urls"), problem, "write one address of Apprise a line")
    title = section.parsed("title", parse_template, _REMEDY, default="{{repository}}:{{tag}}")
    body = section.parsed("body", parse_template, _REMEDY, default="{{account}} pushed {{repository}}:{{tag}} ({{digest}})")
    allow = networks(section)
    section.done()
    return MessageTarget(name=name, urls=urls, title=title, body=body, allow=allow, line=section.line) if urls else None
