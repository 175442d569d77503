#!/usr/bin/env bash
# sigstore-models 0.0.6, by which sigstore-python reads its trust configuration, does not read a trusted root that leaves
# out an empty list of logs, tlogs or ctlogs. The format is protobuf's JSON, which leaves empty lists out when it writes,
# and takes a list that is not there for an empty one; so writes sigstore's own library of the format, and GitHub's
# trusted root has neither list. With both of them spelled out, the same document is read (whether a verifier can do
# without logs is a question for later). timestampAuthorities, a list like these, may be left out. What is raised is
# pydantic's error and none of sigstore.errors.
#
# Versions: sigstore 4.5.1, sigstore-models 0.0.6, pydantic 2.14.4, sigstore-protobuf-specs 0.5.2. Seen:
#   empty lists spelled out        read
#   as the format's library does   ValidationError: tlogs Field required, ctlogs Field required
#   without ctlogs alone           ValidationError: ctlogs Field required
#   without timestampAuthorities   read
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  sigstore==4.5.1 sigstore-models==0.0.6 pydantic==2.14.4 sigstore-protobuf-specs==0.5.2

# A valid trusted root: an authority for certificates and one for timestamps, and no logs.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -subj /O=example.com/CN=x \
  -days 30 -outform DER -out certificate.der 2>/dev/null
cat >roots.py <<'PYTHON'
import base64, json, pathlib
from sigstore_protobuf_specs.dev.sigstore.trustroot.v1 import TrustedRoot
certificate = base64.b64encode(pathlib.Path("certificate.der").read_bytes()).decode()
authority = {
    "subject": {"organization": "example.com", "commonName": "x"},
    "uri": "https://example.com",
    "certChain": {"certificates": [{"rawBytes": certificate}]},
    "validFor": {"start": "2026-01-01T00:00:00Z"},
}
root = {
    "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "tlogs": [],
    "certificateAuthorities": [authority],
    "ctlogs": [],
    "timestampAuthorities": [authority],
}
def write(name, text): pathlib.Path(name + ".json").write_text(text)
def without(name): return json.dumps({key: value for key, value in root.items() if key != name})
write("spelled-out", json.dumps(root))
write("written", TrustedRoot.from_dict(root).to_json())
write("no-ctlogs", without("ctlogs"))
write("no-timestamps", without("timestampAuthorities"))
PYTHON
venv/bin/python roots.py
cat >read.py <<'PYTHON'
import sys
from sigstore.models import TrustedRoot
try:
    TrustedRoot.from_file(sys.argv[1])
    print("read")
except Exception as error:
    print(f"{type(error).__name__}:", ", ".join(f"{e['loc'][0]} {e['msg']}" for e in error.errors()))
PYTHON

expect() { # what, document, answer
  local got
  got=$(venv/bin/python read.py "$2.json")
  echo "$1: $got"
  [ "$got" = "$3" ] || { echo "changed: expected $3" >&2; exit 1; }
}
expect 'empty lists spelled out' spelled-out read
expect "as the format's library does" written 'ValidationError: tlogs Field required, ctlogs Field required'
expect 'without ctlogs alone' no-ctlogs 'ValidationError: ctlogs Field required'
expect 'without timestampAuthorities' no-timestamps read
