"""Raw events as the ledger keeps them: compressed against a dictionary of what every registry's event says. Pure.

The dictionary is part of the format: a version of it is never changed, a better one gets the next first byte.
"""

import zlib
from typing import Final

MAX_RAW: Final = 64 * 1024 * 1024
"""Bytes that a stored event can unfold to: twice what the notifier takes. What claims more is damaged, or meant to harm."""
_VERSION: Final = b"\x01"
_DICTIONARY: Final = (
    b'{"action":"delete","actor":{},"action":"mount","fromRepository":"library/","artifactType":"application/vnd.'
    b'"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","references":[{"annotations":{"platform":'
    b'{"architecture":"amd64","os":"linux"}"mediaType":"application/vnd.docker.distribution.manifest.v2+json"'
    b'"mediaType":"application/vnd.docker.container.image.v1+json""mediaType":"application/vnd.oci.image.config.v1+json"'
    b'"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip""mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"'
    b'"mediaType":"application/vnd.oci.image.index.v1+json","mediaType":"application/vnd.oci.image.manifest.v1+json"'
    b'"method":"DELETE""method":"POST""useragent":"skopeo/1."containers/5. (github.com/containers/image)"buildkit/v0.'
    b'"useragent":"containerd/1.go-containerregistry/v0."UpstreamClient(Docker-Client/2'
    b'"useragent":"docker/28. go/go1. git-commit/ kernel/6. os/linux arch/amd64 '
    b'{"action":"pull","actor":{"name":"#"},"id":"-4-8-","request":{"addr":"127.0.0.1:","host":"localhost:5000",'
    b'"id":"","method":"HEAD","method":"GET","method":"PUT","useragent":"'
    b'{"action":"push","actor":{"name":""},"id":"","request":{"addr":"","host":"","id":"","method":"PUT","useragent":""},'
    b'"source":{"addr":":5000","instanceID":""},"target":{"digest":"sha256:","length":,"mediaType":"application/octet-stream",'
    b'"repository":"","size":,"tag":"latest","url":"http://127.0.0.1:5000/v2//manifests/sha256:"/blobs/sha256:"},'
    b'"timestamp":"2026-11-24T20:00:00.000000000Z"}'
)


def pack_raw(raw: bytes) -> bytes:
    """The stored form."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, zdict=_DICTIONARY)
    return _VERSION + packer.compress(raw) + packer.flush()


def unpack_raw(packed: bytes) -> bytes:
    """The event as it came. Raises ValueError: it is damaged."""
    try:
        inflater = zlib.decompressobj(-15, zdict=_DICTIONARY)
        raw = inflater.decompress(packed[1:], MAX_RAW)
    except zlib.error as error:
        raise ValueError("the stored event is damaged") from error
    if not packed.startswith(_VERSION) or not inflater.eof:
        raise ValueError("the stored event is damaged, or of a newer version")
    return raw
