#!/usr/bin/env bash
# Builds the functions of another commit, as they were deployed, into target/before: its zips, and its template and local
# stack beside them. What is there already is left alone.
#   tests/bench/before.sh [COMMIT]
set -euo pipefail
cd "$(dirname "$0")/../.."

# What the bars are relative to.
commit=$(git rev-parse --verify "${1:-2bdc560}^{commit}")
before="$PWD/target/before"
[ "$(cat "$before/commit" 2>/dev/null)" != "$commit" ] || exit 0
echo "before: building $commit"

tree="$before/tree"
git worktree remove --force "$tree" 2>/dev/null || true
rm -rf "$before"
mkdir -p "$before"
git worktree prune
git worktree add --quiet --detach "$tree" "$commit"
trap 'git worktree remove --force "$tree"' EXIT
# With what its infra/deploy.sh sets, too.
(cd "$tree" && AWS_LC_SYS_NO_JITTER_ENTROPY=1 PROFILE=release infra/local/package.sh)
cp "$tree"/target/lambda-release/*.zip "$before"
cp -r "$tree/infra" "$before/infra"
echo "$commit" >"$before/commit"
