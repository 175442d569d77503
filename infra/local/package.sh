#!/usr/bin/env bash
# Builds the functions for this machine and zips each as Lambda wants it: target/lambda/<function>.zip; with
# PROFILE=release as they are deployed, into target/lambda-release. What each is made of is in target/sbom then.
#
# Not together with the tests: they would give the functions features that those do not have where they are deployed, as one
# of the SDK's that has JSON keep the order of its fields.
set -euo pipefail
cd "$(dirname "$0")/../.."

case "${PROFILE:-debug}" in
  debug) built=target/debug zips=target/lambda; cargo build --workspace --bins ;;
  release) built=target/release zips=target/lambda-release; cargo build --workspace --bins --release ;;
  *) echo "package: PROFILE is debug or release" >&2; exit 1 ;;
esac
python3 infra/sbom.py target/sbom
mkdir -p "$zips"
for main in functions/*/src/main.rs; do
  function=$(basename "$(dirname "$(dirname "$main")")")
  binary="$built/moorage-$function"
  zip="$zips/$function.zip"
  [ "$binary" -nt "$zip" ] || continue
  staging=$(mktemp -d)
  strip -o "$staging/bootstrap" "$binary"
  python3 - "$staging/bootstrap" "$zip" <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    archive.write(sys.argv[1], "bootstrap")
PYTHON
  rm -r "$staging"
done
