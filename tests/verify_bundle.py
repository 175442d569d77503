"""Whether a bundle is a signature of an image: by sigstore-python, a client that is not ours. It asks no network.

    verify_bundle.py TRUSTED_ROOT BUNDLE DIGEST IDENTITY ISSUER

TRUSTED_ROOT and BUNDLE are files, DIGEST is the image's (sha256:…), IDENTITY who has signed, and ISSUER who vouches for
them. Exits with 0 if all of that is so, and else with 1 and one line of why it is not.
"""
import json
import pathlib
import sys

from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

STATEMENT = "application/vnd.in-toto+json"
# What Python says of itself before it asks a network.
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendmsg", "socket.sendto")


def verify(root, bundle, digest, identity, issuer):
    """Fails if it is not so."""
    verifier = Verifier(trusted_root=TrustedRoot.from_file(root))
    bundle = Bundle.from_json(pathlib.Path(bundle).read_bytes())
    kind, payload = verifier.verify_dsse(bundle, Identity(identity=identity, issuer=issuer))
    if kind != STATEMENT:
        raise ValueError(f"a {kind} is no statement")
    # sigstore's own reader of statements wants subjects to have names, which they need not have, and cosign's have not.
    algorithm, _, value = digest.partition(":")
    if not any(subject["digest"].get(algorithm) == value for subject in json.loads(payload)["subject"]):
        raise ValueError(f"the statement is not about {digest}")


def stay_offline(event, _):
    if event in NETWORK:
        raise RuntimeError(f"{event}: it asks the network")


def main(arguments):
    if len(arguments) != 5:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.addaudithook(stay_offline)
    try:
        verify(*arguments)
    except Exception as error:
        # Whatever it fails with, it has not verified.
        sys.exit(" ".join(f"{type(error).__name__}: {error}".split()))


if __name__ == "__main__":
    main(sys.argv[1:])
