"""Known answers for notes and proofs: keys from published seeds, and texts that other implementations agree on."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wharfinger.ledger.checkpoint import Checkpoint
from wharfinger.ledger.note import KeyType, signer

ORIGIN = "registry.example/audit"
LOG = signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(0x20))))
LOG_VKEY = "registry.example/audit+a6e2b966+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
ROOT_ABC = base64.b64decode("NmQuc8JUCrEh46a/lUWwokmCzYMOsT080Z3jzmwCHsE=")
CHECKPOINT = Checkpoint(ORIGIN, 3, ROOT_ABC)
NOTE = (
    "registry.example/audit\n3\nNmQuc8JUCrEh46a/lUWwokmCzYMOsT080Z3jzmwCHsE=\n\n"
    "— registry.example/audit puK5ZiLsmCbnDvoMmCyvgRsPde6CgsbYDN/E27lospD8PjKrRjF1KGuOLPfxVg6b+/zepVPwMXU+XA5HdrSogfv7egQ=\n"
)
WITNESS = signer("witness.example/w1", Ed25519PrivateKey.from_private_bytes(bytes(range(0x20, 0x40))), KeyType.COSIGNATURE)
WITNESS_TIME = 1_700_000_000
COSIGNATURE = "— witness.example/w1 IDJKvgAAAABlU/EA/x3YLyE7iX0B4H1iLp3ODuU/ipx5WsjyVRTdIgqLMtMKjzvj7wHsiz1vsAwxgsjTECw0Do0gw0mLP4oh937ZDg==\n"
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
"""C2SP signed-note, section "Verifier keys", "Example"."""
