#!/usr/bin/env bash
# Builds the functions as they are deployed: target/deploy/<function>.zip, and what each is made of in target/sbom.
#   ARCHITECTURE  arm64 (default, the cheaper one) or x86_64
set -euo pipefail
cd "$(dirname "$0")/.."

infra/tools.sh
export PATH="$PWD/target/deploy-venv/bin:$PATH"
case "${ARCHITECTURE:-arm64}" in
  arm64) flag=--arm64 target=aarch64-unknown-linux-gnu ;;
  x86_64) flag=--x86-64 target=x86_64-unknown-linux-gnu ;;
  *) echo "build: ARCHITECTURE is arm64 or x86_64" >&2; exit 1 ;;
esac
rustup target list --installed | grep -qx "$target" || rustup target add "$target"

# AWS-LC would gather entropy from the processor's jitter at each cold start, which takes up to a second on small
# functions. Lambda's kernel has entropy of its own; see infra/README.md.
export AWS_LC_SYS_NO_JITTER_ENTROPY=1
cargo lambda build --workspace --bins --release "$flag" --output-format zip
rm -rf target/deploy
mkdir -p target/deploy
for main in functions/*/src/main.rs; do
  function=$(basename "$(dirname "$(dirname "$main")")")
  cp "target/lambda/moorage-$function/bootstrap.zip" "target/deploy/$function.zip"
done
python3 infra/sbom.py target/sbom "$target"
