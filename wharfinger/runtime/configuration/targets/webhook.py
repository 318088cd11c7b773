"""``type: webhook``: a receiver of signed posts, in the form it wants."""

import base64
import binascii
import re
from typing import Final

from wharfinger.runtime.configuration.targets.reach import read_reach
from wharfinger.runtime.settings import Method, Secret, Signature, Template, WebhookForm, WebhookTarget
from wharfinger.runtime.templates import is_json, parse_template
from wharfinger.runtime.yaml_nodes import Section

SECRET_MIN: Final = 16
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
"""A token of RFC 9110, section 5.6.2."""
_OURS: Final = (
    "host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent", "webhook-", "ce-",
    "x-hub-signature-256",
)  # fmt: skip
"""What the sender itself writes: names, and beginnings of names that end with a dash."""
_TELLING: Final = re.compile(r"authorization|cookie|token|secret|key|password", re.IGNORECASE)


def read_webhook(name: str, section: Section) -> WebhookTarget | None:
    """Where it is, how it is signed, and what is sent."""
    reach = read_reach(section, whole=True, remedy="write https://HOST/PATH")
    signature = section.choice("signature", Signature, Signature.STANDARD)
    secrets = _secrets(section, signature)
    form = section.choice("format", WebhookForm, WebhookForm.STANDARD)
    body = _body(section)
    if body is not None and section.has("format"):
        section.fault("body", "stands beside format", "keep one of the two")
    method = section.choice("method", Method, Method.POST)
    headers = _headers(section)
    section.done()
    if reach is None:
        return None
    return WebhookTarget(name, reach, secrets, section.line, signature, form, body, method, headers)


def _secrets(section: Section, signature: Signature) -> tuple[Secret, ...]:
    found = section.secret("secret", required=True)
    secrets = tuple(Secret(line) for line in (found or b"").split())
    for one in secrets:
        if signature is Signature.STANDARD and not _is_standard(one):
            problem = "holds no whsec_ secret of 24 to 64 bytes in base64"
            section.fault(section.secret_key("secret"), problem, "make one as docs/configuration.md shows")
        elif len(one.reveal()) < SECRET_MIN:
            problem = f"holds a secret of less than {SECRET_MIN} characters"
            section.fault(section.secret_key("secret"), problem, "make one with `openssl rand -hex 32`")
    return secrets


def _is_standard(secret: Secret) -> bool:
    try:
        kind, _, encoded = secret.reveal().partition(b"_")
        return kind == b"whsec" and 24 <= len(base64.b64decode(encoded, validate=True)) <= 64  # noqa: PLR2004 - Standard Webhooks
    except binascii.Error:
        return False


def _body(section: Section) -> Template | None:
    content_type = section.text("content_type", "application/json") or ""
    text = section.parsed("body", parse_template, "write {{digest}} or another field of docs/targets.md", default=None)
    if text is None:
        if section.has("content_type"):
            section.fault("content_type", "is without a body of its own", "give a body:, or leave it out")
        return None
    if not (content_type.isascii() and content_type.isprintable() and "/" in content_type):
        section.fault("content_type", f"{content_type!r} is no media type", "write application/json or text/plain")
    if is_json(content_type) and not text.strip():
        section.fault("body", "is empty", "write what is to be sent")
    return Template(text, content_type)


def _headers(section: Section) -> dict[str, Secret]:
    below = section.section("headers")
    found: dict[str, Secret] = {}
    if below is None:
        return found
    for name in below.names():
        lower = name.lower()
        written = below.text(name)
        value = below.expanded(name) or ""
        if _HEADER.fullmatch(name) is None:
            below.fault(name, "is no name of a header", "write it as in HTTP, like X-Environment")
        elif any(lower == one or (one.endswith("-") and lower.startswith(one)) for one in _OURS):
            below.fault(name, "is a header that is written by Wharfinger itself", "remove it")
        elif _TELLING.search(name) and "${" not in (written or ""):
            problem = "is written out in the configuration, where too many can read it"
            below.fault(name, problem, 'write "${VARIABLE}", and set that in the environment')
        elif not (value.isascii() and value.isprintable()):
            below.fault(name, "holds what stands in no header", "write plain ASCII")
        found[name] = Secret(value.encode())
    return found
