#!/usr/bin/env bash
# Makes target/deploy-venv: what builds for Lambda, and a Python that talks to AWS.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/deploy-venv
cmp -s infra/requirements-deploy.txt "$venv/requirements.txt" && exit
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r infra/requirements-deploy.txt
cp infra/requirements-deploy.txt "$venv/requirements.txt"
