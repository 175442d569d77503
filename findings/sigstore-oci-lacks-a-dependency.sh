#!/usr/bin/env bash
# @sigstore/oci 0.6.0, installed by itself, cannot be loaded: it requires promise-retry, which its package.json does not
# name. It used to be there by way of make-fetch-happen, which it does name; since that has another package in its place
# (@gar/promise-retry, from 15.0.4 on), nothing brings it any more. With promise-retry 2.0.1 installed beside it, it loads.
#
# Versions: @sigstore/oci 0.6.0, make-fetch-happen 15.0.6, promise-retry 2.0.1. Seen:
#   alone               MODULE_NOT_FOUND Cannot find module 'promise-retry'
#   and promise-retry   OCIError,attachArtifactToImage,getImageDigest,getRegistryCredentials
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null

load() {
  node -e 'try { console.log(Object.keys(require("@sigstore/oci")).sort().join()) }
           catch (error) { console.log(error.code, error.message.split("\n")[0]) }'
}
expect() { # what, answer
  local got
  got=$(load)
  echo "$1: $got"
  [ "$got" = "$2" ] || { echo "changed: expected $2" >&2; exit 1; }
}
npm install --silent --no-audit --no-fund --ignore-scripts @sigstore/oci@0.6.0 make-fetch-happen@15.0.6 >/dev/null
expect alone "MODULE_NOT_FOUND Cannot find module 'promise-retry'"
npm install --silent --no-audit --no-fund --ignore-scripts promise-retry@2.0.1 >/dev/null
expect 'and promise-retry' "OCIError,attachArtifactToImage,getImageDigest,getRegistryCredentials"
