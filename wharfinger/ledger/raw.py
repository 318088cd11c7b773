"""Raw events as the ledger keeps them: without what their record says anyway, and compressed. Pure.

An event repeats its record: digest, ids, subject, names are two thirds of it. Each stands in the stored form as one control
byte, of which JSON has none; what is left is compressed against what every registry's event says. So a stored event is read
with its record, and goes when that is erased. Texts and dictionary are part of a form: they are never changed, a better form
gets the next first byte.
"""

import zlib
from collections.abc import Sequence
from typing import Final

import msgspec

from wharfinger.ledger.record import AuditRecord

MAX_RAW: Final = 64 * 1024 * 1024
"""Bytes that a stored event can unfold to: twice what the notifier takes. What claims more is damaged, or meant to harm."""
_WHOLE: Final = b"\x01"
_BESIDE_ITS_RECORD: Final = b"\x02"
_MARKS: Final = bytes(range(1, 12))
_SHORTEST: Final = 4
"""Bytes of a text that is worth a mark: shorter ones stand everywhere by chance."""
_DICTIONARY: Final = (
    b'"references":[{"annotations":{"vnd.docker.reference.type":"attestation-manifest"},"artifactType":"application/vnd.'
    b'"mediaType":"application/vnd.docker.distribution.manifest.v2+json","platform":{"architecture":"amd64","os":"linux"},"size":'
    b'"mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"arm64","os":"linux","variant":"v8"}'
    b'"references":[{"digest":"sha256:","mediaType":"application/vnd.docker.container.image.v1+json","size":'
    b'},{"digest":"sha256:","mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":'
    b'"references":[{"digest":"sha256:","mediaType":"application/vnd.oci.image.config.v1+json","size":'
    b'},{"digest":"sha256:","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":'
    b'{"action":"delete","actor":{},"request":{"method":"DELETE"},"target":{"repository":"\x06","tag":"latest"}'
    b'{"action":"delete","actor":{"name":"\x05"},"id":"\x02","request":{"addr":"\x0b:","host":"\x0a","id":"\x03","method":"DELETE",'
    b'"useragent":"\x09"},"source":{"addr":":5000","instanceID":"\x04"},"target":{"digest":"\x01","repository":"\x06"},'
    b'"timestamp":"2026-'
    b'{"action":"mount","actor":{"name":"\x05"},"id":"\x02","request":{"addr":"\x0b:","host":"\x0a","id":"\x03","method":"POST",'
    b'"useragent":"\x09"},"source":{"addr":":5000","instanceID":"\x04"},"target":{"digest":"\x01","fromRepository":"\x07",'
    b'"length":,"mediaType":"\x08","repository":"\x06","size":,"url":"https://\x0a/v2/\x06/manifests/\x01"},'
    b'{"action":"pull","actor":{"name":"\x05"},"id":"\x02","request":{"addr":"\x0b:","host":"\x0a","id":"\x03","method":"HEAD",'
    b'"useragent":"\x09"},"source":{"addr":":5000","instanceID":"\x04"},"target":{"digest":"\x01","length":,"mediaType":"\x08",'
    b'"repository":"\x06","size":,"tag":"latest","url":"http://\x0a/v2/\x06/manifests/\x01"},"timestamp":"2026-'
    b'{"action":"push","actor":{"name":"\x05"},"id":"\x02","request":{"addr":"\x0b:","host":"\x0a","id":"\x03","method":"PUT",'
    b'{"action":"pull","actor":{"name":"\x05"},"id":"\x02","request":{"addr":"\x0b:","host":"\x0a","id":"\x03","method":"GET",'
    b'"useragent":"\x09"},"source":{"addr":":5000","instanceID":"\x04"},"target":{"digest":"\x01","length":,"mediaType":"\x08",'
    b'"repository":"\x06","size":,"url":"http://\x0a/v2/\x06/blobs/\x01"},"timestamp":"2026-11-24T20:00:00.000Z"}'
)
_encoder: Final = msgspec.json.Encoder()
# With a window and memory as small as events are: clearing what zlib takes by itself costs more than compressing.
_packer: Final = zlib.compressobj(1, zlib.DEFLATED, -12, 4, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)


def pack_raw(raw: bytes, record: AuditRecord | None = None) -> bytes:
    """The stored form. ``record``: the one it stands beside, of an event that could be read."""
    form = _WHOLE
    if record is not None and len(raw.translate(None, _MARKS)) == len(raw):
        form = _BESIDE_ITS_RECORD
        for mark, text in enumerate(_texts(record), start=1):
            if len(text) >= _SHORTEST:
                raw = raw.replace(text, bytes((mark,)))
    packer = _packer.copy()
    return form + packer.compress(raw) + packer.flush()


def unpack_raw(packed: bytes, record: AuditRecord | None = None) -> bytes:
    """The event as it came, read beside its record. Raises ValueError: it is damaged."""
    try:
        inflater = zlib.decompressobj(-15, zdict=_DICTIONARY)
        raw = inflater.decompress(packed[1:], MAX_RAW)
    except zlib.error as error:
        raise ValueError("the stored event is damaged") from error
    form = packed[:1]
    if form not in (_WHOLE, _BESIDE_ITS_RECORD) or not inflater.eof or (form == _BESIDE_ITS_RECORD and record is None):
        raise ValueError("the stored event is damaged, or of a newer version")
    if form == _WHOLE or record is None:
        return raw
    texts = _texts(record)
    if len(raw) + sum(raw.count(mark) * len(text) for mark, text in enumerate(texts, start=1)) > MAX_RAW:
        raise ValueError("the stored event is damaged")
    for mark, text in enumerate(texts, start=1):
        raw = raw.replace(bytes((mark,)), text)
    return raw


def _texts(record: AuditRecord) -> Sequence[bytes]:
    """What a record says of its event, as JSON writes it, so without a control byte: one for each mark."""
    personal = record.personal
    told = (
        record.digest, record.event_id, record.request_id, record.instance_id, personal.actor, record.repository,
        record.from_repository, record.media_type, personal.user_agent, record.registry_host, personal.client_addr,
    )  # fmt: skip
    return [_encoder.encode(text)[1:-1] for text in told]
