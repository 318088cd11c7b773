"""Texts with ``{{name}}`` for the fields of a push. No expressions, no loops: what stands there is put in, nothing is run."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

FIELDS: Final = (
    "delivery_id", "rule", "target", "source", "registry", "repository", "tag", "digest", "image", "media_type",
    "account", "jti", "event_id", "pushed_at", "attempt", "alarm",
)  # fmt: skip
"""What a push has to put in. Only ever added to."""
_PLACE: Final = re.compile(r"\{\{\s*([A-Za-z_]*)\s*\}\}", re.ASCII)


def parse_template(text: str) -> str:
    """A text whose every ``{{`` is a field's. Raises ValueError with a phrase for people."""
    for name in _PLACE.findall(text):
        if name not in FIELDS:
            raise ValueError(f"has {{{{{name}}}}}, which no push has")
    if "{{" in _PLACE.sub("", text):
        raise ValueError("has {{ without }} behind a name")
    return text


def names_in(text: str) -> frozenset[str]:
    """The fields that a template has a place for."""
    return frozenset(_PLACE.findall(text))


def render(text: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """The text with each field in its place, each escaped; what was put in is not looked at again."""
    return _PLACE.sub(lambda found: escape(values[found[1]]), text)


def in_json(value: str) -> str:
    """A value as it stands between the quotes of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def is_json(content_type: str) -> bool:
    """Whether a content type is one of JSON: ``application/json``, ``text/json`` or ``…+json``."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.endswith(("/json", "+json"))
