"""``server``: where and how the token service serves. docker_auth's keys, and ``processes``.

Go's names and numbers of TLS versions, curves and cipher suites become OpenSSL's. Sources: Go's crypto/tls constants, IANA's
registries.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wharfinger.runtime.configuration.texts import parse_address
from wharfinger.runtime.settings import AUTH_PORT, Address, RealIp, ServerSettings, TlsPair, TlsSettings
from wharfinger.runtime.yaml_nodes import Section

MAX_PROCESSES: Final = 64
_LATER: Final = frozenset({"letsencrypt"})
MAX_SOCKET_PATH: Final = 107
"""Bytes of a unix socket's path that the kernel takes (unix(7))."""
_SSL30: Final = "SSLv3"
# By name: Go's number, and OpenSSL's name.
_VERSIONS: Final = {
    "SSL30": (0x0300, _SSL30), "TLS10": (0x0301, "TLSv1"), "TLS11": (0x0302, "TLSv1_1"), "TLS12": (0x0303, "TLSv1_2"),
    "TLS13": (0x0304, "TLSv1_3"),
}  # fmt: skip
_CURVES: Final = {
    "P256": (23, "prime256v1"), "P384": (24, "secp384r1"), "P521": (25, "secp521r1"), "X25519": (29, "X25519"),
}  # fmt: skip
CIPHERS: Final = {
    "TLS_RSA_WITH_AES_128_CBC_SHA": (0x002F, "AES128-SHA"),
    "TLS_RSA_WITH_AES_256_CBC_SHA": (0x0035, "AES256-SHA"),
    "TLS_RSA_WITH_AES_128_CBC_SHA256": (0x003C, "AES128-SHA256"),
    "TLS_RSA_WITH_AES_128_GCM_SHA256": (0x009C, "AES128-GCM-SHA256"),
    "TLS_RSA_WITH_AES_256_GCM_SHA384": (0x009D, "AES256-GCM-SHA384"),
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": (0xC009, "ECDHE-ECDSA-AES128-SHA"),
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": (0xC00A, "ECDHE-ECDSA-AES256-SHA"),
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": (0xC013, "ECDHE-RSA-AES128-SHA"),
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": (0xC014, "ECDHE-RSA-AES256-SHA"),
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": (0xC023, "ECDHE-ECDSA-AES128-SHA256"),
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": (0xC027, "ECDHE-RSA-AES128-SHA256"),
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": (0xC02B, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": (0xC02C, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": (0xC02F, "ECDHE-RSA-AES128-GCM-SHA256"),
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": (0xC030, "ECDHE-RSA-AES256-GCM-SHA384"),
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": (0xCCA8, "ECDHE-RSA-CHACHA20-POLY1305"),
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": (0xCCA9, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": (0xCCA8, "ECDHE-RSA-CHACHA20-POLY1305"),
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": (0xCCA9, "ECDHE-ECDSA-CHACHA20-POLY1305"),
}  # fmt: skip
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*", re.ASCII)
"""A path as it stands in a request (RFC 3986 section 3.3); without escapes, which could be written in several ways."""
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""RFC 9110 section 5.1."""


def read_server(section: Section | None) -> ServerSettings:
    """The section; defaults where it has faults."""
    if section is None:
        return ServerSettings(Address("", AUTH_PORT))
    listen = _listen(section)
    prefix = section.text("path_prefix", "") or ""
    if prefix and not prefix.startswith("/"):
        section.fault("path_prefix", f"{prefix!r} does not start with /", "write /prefix, without a slash at its end")
    elif _PREFIX.fullmatch(prefix) is None:
        section.fault("path_prefix", f"{prefix!r} holds what stands in no path", "write a plain one, like /prefix")
    elif prefix.endswith("/"):
        section.warn("path_prefix", "ends with /, so the path is //auth", "leave the last slash out")
    tls = _tls(section, read_pair(section))
    hsts = section.flag("hsts")
    processes = section.number("processes") or 0
    if not 0 <= processes <= MAX_PROCESSES:
        section.fault("processes", f"{processes} is not 1 to {MAX_PROCESSES}", "leave it out for one on each core")
    elif processes > 1 and listen.unix:
        section.warn("processes", "is not heeded with net: unix, whose socket one process serves", "leave it out")
    real_ip = _real_ip(section)
    if listen.unix and real_ip is None and not section.has("real_ip_header"):
        remedy = "let the proxy write it, and name its header in real_ip_header"
        section.warn("net", "is unix, where no client has an address: rules with ip match nobody", remedy)
    found = ServerSettings(listen, tls, prefix, real_ip, hsts, processes)
    section.done(_LATER, ours=False)
    return found


def read_pair(section: Section) -> TlsPair | None:
    """``certificate`` and ``key``: both or neither."""
    certificate, key = section.path_of("certificate"), section.path_of("key")
    if (certificate is None) != (key is None):
        name = "key" if key is None else "certificate"
        section.fault(name, "is missing beside the other of the pair", "give both certificate and key, or neither")
    if certificate is None or key is None:
        return None
    for name, path in (("certificate", certificate), ("key", key)):
        section.require_file(name, path, "correct the path, or make the pair with `wharfinger init`")
    return TlsPair(certificate, key, *section.place_of("certificate"))


def _listen(section: Section) -> Address:
    network = section.text("net", "tcp") or "tcp"
    if network == "unix":
        path = section.path_of("addr", required=True)
        if path is not None:
            _look_at_socket(section, path)
        return Address(unix="" if path is None else str(path))
    if network != "tcp":
        section.fault("net", f"{network!r} is neither tcp nor unix", "write tcp, or leave it out")
    default = Address("", AUTH_PORT)
    return section.parsed("addr", parse_address, "write HOST:PORT or :5001", default=default, required=True)


def _look_at_socket(section: Section, path: Path) -> None:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        section.fault("addr", f"is a path of more than {MAX_SOCKET_PATH} bytes, which no socket has", "write a shorter one")
    elif not os.access(path.parent, os.X_OK):
        section.fault("addr", f"there is no folder {path.parent}", "make it, or correct the path")
    elif path.exists() and not path.is_socket():
        # docker_auth would remove whatever is there.
        section.fault("addr", f"{path} is there, and is no socket", "remove it, or write another path")


def _real_ip(section: Section) -> RealIp | None:
    header, written = section.text("real_ip_header", "") or "", section.number("real_ip_pos")
    if header and _HEADER.fullmatch(header) is None:
        section.fault("real_ip_header", f"{header!r} is no name of a header", "write X-Forwarded-For or X-Real-IP")
        return None
    if not header and written is not None:
        section.warn("real_ip_pos", "stands without real_ip_header, and means nothing", "add real_ip_header, or leave it out")
    position = written or 0
    if header and position >= 0 and (written is not None or not section.has("real_ip_pos")):
        remedy = "write a negative number: the proxy next to us appends, -1 is what it saw"
        problem = f"takes entry {position} from the left, which the client may have written"
        section.warn("real_ip_pos" if section.has("real_ip_pos") else "real_ip_header", problem, remedy)
    return RealIp(header, position) if header else None


def _tls(section: Section, pair: TlsPair | None) -> TlsSettings | None:
    version = section.text("tls_min_version", "TLS12") or "TLS12"
    name = _openssl(version, _VERSIONS)
    if name == _SSL30:
        section.fault("tls_min_version", "SSL 3.0 is not to be had any more", "write TLS12")
    elif not name:
        section.fault("tls_min_version", f"{version!r} is no version", "write TLS12 or TLS13")
    elif name in {"TLSv1", "TLSv1_1"}:
        section.warn("tls_min_version", "allows a TLS version that is broken", "write TLS12")
    curves = _names(section, "tls_curve_preferences", _CURVES)
    if len(curves) > 1:
        problem = "has more than one curve; only one alone can be set here, so OpenSSL's own list is used"
        section.warn("tls_curve_preferences", problem, "name one curve, or leave it out")
    ciphers = _names(section, "tls_cipher_suites", CIPHERS)
    if ciphers and name == "TLSv1_3":
        section.fault("tls_cipher_suites", "TLS 1.3 ciphersuites are not configurable", "leave it out, or allow TLS12")
    if pair is None and not section.has("certificate") and not section.has("key"):
        for one in ("tls_min_version", "tls_curve_preferences", "tls_cipher_suites"):
            if section.has(one):
                section.warn(one, "means nothing without certificate and key: this is plain HTTP", "add them, or leave it out")
    return None if pair is None else TlsSettings(pair, name or "TLSv1_2", curves[0] if len(curves) == 1 else "", ciphers)


def _names(section: Section, key: str, known: Mapping[str, tuple[int, str]]) -> tuple[str, ...]:
    found = []
    for text in section.texts(key):
        name = _openssl(text, known)
        if not name:
            section.fault(key, f"{text!r} is not known here", "known: " + ", ".join(known))
        found.append(name)
    return tuple(dict.fromkeys(filter(None, found)))


def _openssl(text: str, known: Mapping[str, tuple[int, str]]) -> str:
    """OpenSSL's name of what Go calls so, by name or number; empty: there is none."""
    number = _integer(text)
    return known[text][1] if text in known else next((name for value, name in known.values() if value == number), "")


def _integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return -1
