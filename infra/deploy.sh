#!/usr/bin/env bash
# Deploys to a real account: builds the functions for arm64, uploads them, and creates or updates the stack.
#   CODE_BUCKET   a bucket of yours in the region, for the functions' code (required)
#   STACK         the stack's name (default moorage)
#   PARAMETERS    parameters of the template, for example "SsrfAllowedHosts=10.0.0.0/8 LogRetentionDays=90"
# AWS credentials and region come from the environment, as for any AWS tool.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -n "${CODE_BUCKET:-}" ] || { echo "deploy: set CODE_BUCKET to a bucket for the functions' code" >&2; exit 1; }
venv=target/deploy-venv
if ! cmp -s infra/requirements-deploy.txt "$venv/requirements.txt"; then
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r infra/requirements-deploy.txt
  cp infra/requirements-deploy.txt "$venv/requirements.txt"
fi
export PATH="$PWD/$venv/bin:$PATH"
rustup target add aarch64-unknown-linux-gnu

# AWS-LC would gather entropy from the processor's jitter at each cold start, which takes up to a second on small
# functions. Lambda's kernel has entropy of its own; see infra/README.md.
export AWS_LC_SYS_NO_JITTER_ENTROPY=1
cargo lambda build --workspace --bins --release --arm64 --output-format zip
mkdir -p target/deploy
for zip in target/lambda/moorage-*/bootstrap.zip; do
  function=$(basename "$(dirname "$zip")")
  cp "$zip" "target/deploy/${function#moorage-}.zip"
done
# shellcheck disable=SC2086
"$venv/bin/python" infra/deploy.py "${STACK:-moorage}" "$CODE_BUCKET" target/deploy Architecture=arm64 ${PARAMETERS:-}
