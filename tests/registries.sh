#!/usr/bin/env bash
# Installs the registries that the tests mirror from beside the stack's own: crane's, from source, and the crate
# container-registry, both in target/peers. The third, drayage, is among the tests' Python packages.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "registries: $1" >&2; exit 1; }

tests/bench/peers.sh
[ -x target/peers/crane ] || fail "there is no crane: see the lines above"

version=0.3.1
if [ "$(cat target/peers/container-registry.version 2>/dev/null)" != "$version" ]; then
  echo "registries: building container-registry"
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --force --root target/peers --features bin \
    container-registry@"$version" || fail "container-registry could not be built: is there a network?"
  echo "$version" >target/peers/container-registry.version
fi
[ -x target/tests-venv/bin/drayage ] || fail "there is no drayage: run infra/local/setup.sh"
