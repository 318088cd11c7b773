"""``token``: issuer, lifetime, signing keys, and what each registry needs of a token's header."""

import base64
import binascii
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wharfinger.runtime.configuration.server import read_pair
from wharfinger.runtime.configuration.stores import LEDGER, STORE
from wharfinger.runtime.configuration.texts import NAME
from wharfinger.runtime.settings import KeyIdForm, Secret, ServiceSettings, SigningKey, SubjectForm, TlsPair, TokenSettings, X5c
from wharfinger.runtime.yaml_nodes import Section

JTI_KEY: Final = "jti.key"
"""The key of token ids below ``data``, unless the file names another."""
MIN_JTI_KEY: Final = 32
DAY_S: Final = 86_400
MIN_EXPIRATION_S: Final = 60
MAX_EXPIRATION_S: Final = 100 * 365 * DAY_S
"""Nobody means more; and from some number on Redis refuses the record's lifetime, so that no token could be given."""
RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512")
FIRST_KEY: Final = "first"
"""The id of the pair that stands as docker_auth has it."""


def read_token(
    section: Section | None, server_pair: TlsPair | None, data: Path, *, embedded: bool, started: bool
) -> TokenSettings | None:
    """The section; None where it has faults.

    Args:
        section: ``token``.
        server_pair: signs when no pair is named here, as in docker_auth.
        data: where the jti key is unless the file says otherwise.
        embedded: this process is the only token service, so a key under ``data`` will do.
        started: that key must be there; else it may be missing until the first start.
    """
    if section is None:
        return None
    issuer = section.text("issuer", required=True)
    if issuer is not None and not issuer.isprintable():
        section.fault("issuer", "holds what no header can carry", "write a plain name, the registry's auth.token.issuer")
    expiration = _expiration(section)
    keys = _keys(section, server_pair)
    algorithm = section.text("algorithm", RSA_ALGORITHMS[0]) or RSA_ALGORITHMS[0]
    if algorithm not in RSA_ALGORITHMS:
        remedy = f"write one of {', '.join(RSA_ALGORITHMS)}; EC and Ed25519 keys have an algorithm of their own"
        section.fault("algorithm", f"{algorithm!r} is none for RSA keys", remedy)
    legacy_off = section.flag("disable_legacy_key_id")
    default = _service(section, ServiceSettings(KeyIdForm.RFC7638 if legacy_off else KeyIdForm.LIBTRUST), keys)
    if legacy_off and default.key_id is KeyIdForm.LIBTRUST:
        section.fault(
            "key_id", "is libtrust beside disable_legacy_key_id: true, which says the opposite", "keep one of the two"
        )
    services_section = section.section("services")
    services = {}
    if services_section is not None:
        for name in services_section.names():
            one = services_section.section(name)
            if one is not None:
                services[name] = _service(one, default, keys)
                one.done()
    jti_keys = read_jti_keys(section, data, embedded=embedded, started=started)
    subject = section.choice("subject", SubjectForm, SubjectForm.WITH_ID)
    since = section.parsed("jti_since", _moment, "write 2026-12-01T00:00:00Z", default=0) or None
    section.done(ours=False)
    if issuer is None or expiration is None or not keys:
        return None
    return TokenSettings(issuer, expiration, keys, jti_keys, algorithm, default, services, subject, since)


def read_jti_keys(section: Section, data: Path, *, embedded: bool, started: bool) -> tuple[Secret, ...]:
    """The keys that prove token ids: base64, a key a line. None where the first start will make one."""
    file = section.path_of("jti_key_file")
    if file is None:
        if not embedded:
            remedy = "name a file that all token services share; `wharfinger init` makes one"
            section.fault("jti_key_file", "is missing, and redis.url is set", remedy)
            return ()
        file = data / JTI_KEY
        section.faults.files.add(file)
        if not os.path.lexists(file):
            if not started and not any((data / one).exists() for one in (STORE, LEDGER)):
                return ()
            remedy = f"restore it: by a new one, which `wharfinger init {data}` makes, older ids count as forged"
            section.fault("jti_key_file", f"there is no {file}", remedy)
            return ()
    try:
        lines = file.read_text("ascii").split()
        keys = tuple(Secret(base64.b64decode(line, validate=True)) for line in lines)
    except (OSError, UnicodeDecodeError, binascii.Error) as error:
        problem = error.strerror if isinstance(error, OSError) else "not base64, a key a line"
        section.fault("jti_key_file", f"{file} cannot be read: {problem}", "`wharfinger init` makes one")
        return ()
    if not keys or any(len(key.reveal()) < MIN_JTI_KEY for key in keys):
        section.fault("jti_key_file", f"{file} holds no key, or one below {MIN_JTI_KEY} bytes", "`wharfinger init` makes one")
    section.warn_if_open("jti_key_file", file)
    return keys


def _expiration(section: Section) -> int | None:
    expiration = section.number("expiration", required=True)
    if expiration is None:
        return None
    if not 0 < expiration <= MAX_EXPIRATION_S:
        section.fault("expiration", "is not above zero and below a hundred years", "write seconds, 900 is usual")
    elif expiration < MIN_EXPIRATION_S:
        section.warn("expiration", f"is below the protocol's {MIN_EXPIRATION_S} s", f"write {MIN_EXPIRATION_S} or more")
    elif expiration > DAY_S:
        section.warn("expiration", "is more than a day", "900 s is usual: clients fetch new tokens by themselves")
    return expiration


def _keys(section: Section, server_pair: TlsPair | None) -> tuple[SigningKey, ...]:
    own = read_pair(section)
    listed = tuple(_key(entry) for entry in section.sections("keys"))
    if listed and own is not None:
        section.fault("keys", "stands beside certificate and key", "move that pair into keys: as one more")
    if listed:
        ids = [key.id for key in listed]
        for one in {one for one in ids if ids.count(one) > 1}:
            section.fault("keys", f"{one} is the id of two keys", "give each its own id")
        if not any(key.key for key in listed):
            section.fault("keys", "none of them has a key, so nothing can be signed", "give one its key")
        return listed
    pair = own or server_pair
    if pair is None:
        section.fault(
            "certificate", "is missing: there is no pair to sign tokens with", "add certificate and key to token, or to server"
        )
        return ()
    return (SigningKey(FIRST_KEY, pair.certificate, pair.key, line=pair.line, column=pair.column),)


def _key(section: Section) -> SigningKey:
    name = section.text("id", required=True) or ""
    if name and NAME.fullmatch(name) is None:
        section.fault("id", f"{name!r} is not 1 to 64 letters, digits, - or _", "choose a plain name")
    certificate, key = section.path_of("certificate", required=True), section.path_of("key")
    for what, path in (("certificate", certificate), ("key", key)):
        if path is not None:
            section.require_file(what, path, "correct the path")
    signs_from = section.parsed("signs_from", _moment, "write 2026-12-01T00:00:00Z", default=0)
    if section.has("signs_from") and not section.has("key"):
        section.fault("signs_from", "stands at a certificate without its key, which never signs", "add key, or leave it out")
    section.done()
    return SigningKey(name, certificate or Path(), key, signs_from, section.line, section.column)


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _service(section: Section, default: ServiceSettings, keys: tuple[SigningKey, ...]) -> ServiceSettings:
    form = section.choice("key_id", KeyIdForm, default.key_id)
    x5c = section.choice("x5c", X5c, default.x5c)
    key = default.key
    if section.key != "token":  # there, key is docker_auth's path
        key = section.text("key", default.key) or ""
        if key and key not in [one.id for one in keys if one.key]:
            section.fault("key", f"{key!r} is no id of a key that signs in token.keys", "name one of them, or leave it out")
    return ServiceSettings(form, x5c, key)
