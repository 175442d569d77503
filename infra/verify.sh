#!/usr/bin/env bash
# Tries a deployment in a real account, and removes it again: infra/verify. Arguments go there; --help tells them.
#   LOCAL         1 for an emulator and registries of its own instead; with AWS_ENDPOINT_URL it is the one there
#   ARCHITECTURE  arm64 (default) or x86_64; of an account
# AWS credentials and region come from the environment, as for any AWS tool.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${LOCAL:-}${AWS_ENDPOINT_URL:-}" ]; then
  infra/local/setup.sh
  infra/local/package.sh
  exec target/venv/bin/python infra/verify target/lambda ${LOCAL:+--local} "$@"
fi
case " $* " in
  *" --clean "* | *" --help "*) infra/tools.sh ;;
  *) infra/build.sh ;;
esac
exec target/deploy-venv/bin/python infra/verify target/deploy --architecture "${ARCHITECTURE:-arm64}" "$@"
