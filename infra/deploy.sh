#!/usr/bin/env bash
# Deploys to a real account: builds the functions, uploads them, and creates or updates the stack.
#   CODE_BUCKET   a bucket of yours in the region, for the functions' code (required)
#   STACK         the stack's name (default moorage)
#   ARCHITECTURE  arm64 (default, the cheaper one) or x86_64
#   PARAMETERS    parameters of the template, for example "SsrfAllowedHosts=10.0.0.0/8 LogRetentionDays=90"; those that are
#                 not named keep their values, and values with spaces are quoted as for a shell
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
architecture=${ARCHITECTURE:-arm64}
case "$architecture" in
  arm64) flag=--arm64 target=aarch64-unknown-linux-gnu ;;
  x86_64) flag=--x86-64 target=x86_64-unknown-linux-gnu ;;
  *) echo "deploy: ARCHITECTURE is arm64 or x86_64" >&2; exit 1 ;;
esac
rustup target list --installed | grep -qx "$target" || rustup target add "$target"

# AWS-LC would gather entropy from the processor's jitter at each cold start, which takes up to a second on small
# functions. Lambda's kernel has entropy of its own; see infra/README.md.
export AWS_LC_SYS_NO_JITTER_ENTROPY=1
cargo lambda build --workspace --bins --release "$flag" --output-format zip
mkdir -p target/deploy
for zip in target/lambda/moorage-*/bootstrap.zip; do
  function=$(basename "$(dirname "$zip")")
  cp "$zip" "target/deploy/${function#moorage-}.zip"
done
"$venv/bin/python" infra/deploy.py "${STACK:-moorage}" "$CODE_BUCKET" target/deploy "Architecture=$architecture" "${PARAMETERS:-}"
