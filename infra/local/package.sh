#!/usr/bin/env bash
# Builds the functions for this machine and zips each as Lambda wants it: target/lambda/<function>.zip.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --workspace --bins
mkdir -p target/lambda
for main in functions/*/src/main.rs; do
  function=$(basename "$(dirname "$(dirname "$main")")")
  binary="target/debug/moorage-$function"
  zip="target/lambda/$function.zip"
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
