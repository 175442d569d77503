#!/usr/bin/env bash
# Installs what the local stack needs and the machine lacks: Debian packages, and the emulator in target/venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { echo "setup: $1" >&2; exit 1; }

command -v cargo >/dev/null || fail "Rust is missing: install it with rustup, then try again"
command -v python3 >/dev/null || fail "Python 3 is missing: apt-get install python3"

declare -A package=(
  [docker-registry]=docker-registry [skopeo]=skopeo [nginx]=nginx-light [htpasswd]=apache2-utils [openssl]=openssl
  [cc]=build-essential [podman]=podman [containerd]=containerd [chromium]=chromium [chromedriver]=chromium-driver
  [node]=nodejs [npm]=npm
)
missing=()
for command in "${!package[@]}"; do
  PATH="$PATH:/usr/sbin" command -v "$command" >/dev/null || missing+=("${package[$command]}")
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing ${missing[*]}"
  command -v apt-get >/dev/null || fail "not a Debian system: install these packages yourself: ${missing[*]}"
  root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  # The packages' own services must not start: the stack runs the programs itself, on loopback.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod +x "$policy"
    trap '"${root[@]}" rm -f "$policy"' EXIT
  fi
  "${root[@]}" apt-get update -qq >/dev/null || fail "apt-get update failed: is there a network?"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "could not install ${missing[*]}: see the lines above"
fi

install() { # what, requirements, folder
  cmp -s "$2" "$3/requirements.txt" && return
  echo "setup: installing $1"
  [ -x "$3/bin/python" ] || python3 -m venv "$3"
  "$3/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2" ||
    fail "pip failed: is there a network? Try again, or remove $3 and try again"
  cp "$2" "$3/requirements.txt"
}
install "the emulator" infra/local/requirements.txt target/venv
install "what the tests need" tests/requirements.txt target/tests-venv

# An OpenID provider, for the tests alone: nothing of the product needs Node.
provider=target/provider
if ! cmp -s tests/provider/package-lock.json "$provider/package-lock.json"; then
  echo "setup: installing an OpenID provider"
  rm -rf "$provider" && mkdir -p "$provider"
  cp tests/provider/package.json tests/provider/package-lock.json "$provider"
  (cd "$provider" && npm ci --silent --no-audit --no-fund) ||
    { rm -rf "$provider"; fail "npm failed: is there a network? Try again"; }
fi
