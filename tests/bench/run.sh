#!/usr/bin/env bash
# Builds everything as it is deployed, and runs the benchmarks: all, or those that are named.
#   tests/bench/run.sh [CASE...]
set -euo pipefail
cd "$(dirname "$0")/../.."

# As infra/build.sh has it: AWS-LC gathers no entropy from the processor's jitter.
export AWS_LC_SYS_NO_JITTER_ENTROPY=1
cargo build --release --locked --workspace --bins
PROFILE=release infra/local/package.sh
cargo build --release --locked --manifest-path tests/bench/table/Cargo.toml --target-dir target/table
tests/bench/peers.sh
# The build that the bars are relative to is measured beside this one in these cases, where the history has it; BEFORE= leaves
# it out.
export BEFORE=${BEFORE-target/before}
beside=$(printf '%s\n' "$@" | grep -cE '^(small|distant|secure|layer|scale)$' || true)
if [ "$BEFORE" = target/before ] && { [ $# -eq 0 ] || [ "$beside" -gt 0 ]; }; then
  if git cat-file -e 2bdc560^{commit} 2>/dev/null; then
    tests/bench/before.sh
  else
    echo "the history lacks the build that the bars are relative to: it is left out" >&2
    BEFORE=
  fi
fi
exec target/venv/bin/python tests/bench/bench.py "$@"
