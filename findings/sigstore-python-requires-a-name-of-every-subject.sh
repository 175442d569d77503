#!/usr/bin/env bash
# sigstore-python 4.5.1 does not read an in-toto statement whose subject has a digest and no name, as cosign 3 signs them
# and as the specification of Statement v1 allows: name is optional there, and in-toto's own library finds the statement
# valid. sigstore's class says `name: Optional[StrictStr]`, too; but without a default, pydantic takes that for a field that
# may be null and has to be there. So `"name":null` is read, and an empty name as well. `sigstore verify` reads what is
# signed by this class, and gives up on such a bundle when certificate and signature have been found good already.
#
# Versions: sigstore 4.5.1, pydantic 2.14.4, in-toto-attestation 0.9.3. Seen:
#   in-toto, without a name    valid
#   sigstore, without a name   malformed in-toto statement: 1 validation error for _Statement subject.0.name Field required
#   sigstore, name null        read
#   sigstore, name empty       read
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sigstore==4.5.1 pydantic==2.14.4 in-toto-attestation==0.9.3

cat >validate.py <<'PYTHON'
import sys
from google.protobuf.json_format import Parse
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as Message
try:
    Statement.copy_from_pb(Parse(sys.argv[1], Message())).validate()
    print("valid")
except ValueError as error:
    print(error)
PYTHON
cat >read.py <<'PYTHON'
import sys
from sigstore.dsse import Statement
from sigstore.errors import Error
try:
    Statement(sys.argv[1].encode())
    print("read")
except Error as error:
    print(" ".join(str(error).split(" [")[0].split()))
PYTHON

statement() { # the subject's name, as a member of the object, if any
  printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{%s"digest":{"sha256":"%064d"}}],"predicateType":"https://example.com/x","predicate":{"x":1}}' "$1" 0
}
expect() { # program, what, name, answer
  local got
  got=$(venv/bin/python "$1.py" "$(statement "$3")")
  echo "$2: $got"
  [ "$got" = "$4" ] || { echo "changed: expected $4" >&2; exit 1; }
}
expect validate 'in-toto, without a name' '' valid
expect read 'sigstore, without a name' '' 'malformed in-toto statement: 1 validation error for _Statement subject.0.name Field required'
expect read 'sigstore, name null' '"name":null,' read
expect read 'sigstore, name empty' '"name":"",' read
