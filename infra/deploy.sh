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
infra/build.sh
target/deploy-venv/bin/python infra/deploy.py "${STACK:-moorage}" "$CODE_BUCKET" target/deploy \
  "Architecture=${ARCHITECTURE:-arm64}" "${PARAMETERS:-}"
