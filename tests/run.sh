#!/usr/bin/env bash
# Runs every test against a stack of its own, on free ports, and ends the stack whatever happens.
# Arguments go to nextest: `tests/run.sh -E 'test(killed)'`.
set -euo pipefail
cd "$(dirname "$0")/.."

export MOORAGE_LOCAL="$PWD/target/test-stack"
export MOORAGE_PORT=auto MOORAGE_AWS_PORT=auto MOORAGE_UPSTREAM_PORT=auto
# Short, so that a test need not wait minutes for a claim to expire, for a retry, or for an invocation's end.
export MOORAGE_PARAMETERS="ClaimSeconds=6,RetryBackoffSeconds=2,SyncTimeoutSeconds=20"

command -v cargo-nextest >/dev/null || cargo install cargo-nextest --locked
python=target/venv/bin/python
"$python" infra/local/stack.py down
trap '"$python" infra/local/stack.py down' EXIT
"$python" infra/local/stack.py up
# shellcheck source=/dev/null
source "$MOORAGE_LOCAL/env"
# Integration tests mostly wait, for syncs and for the emulator; more than four at once only wait for each other.
cargo nextest run --config-file tests/nextest.toml --workspace --no-fail-fast --test-threads 4 "$@"
