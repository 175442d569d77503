#!/usr/bin/env bash
# Builds the peer that this system lacks: crane, from the source that Debian 13 packages, with Debian's Go, into
# target/peers. Nothing is installed. Without it (no Debian, no network) the benchmarks go without crane.
set -euo pipefail
cd "$(dirname "$0")/../.."

peers="$PWD/target/peers"
[ ! -x "$peers/crane" ] || exit 0
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# Where this system has its packages from.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Codename: $codename" |
  head -1) || mirror=
[ -n "$mirror" ] && [ -e "$keyring" ] || { echo "peers: not a Debian system: no crane"; exit 0; }
echo "peers: building crane"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists,archives}/partial "$work/root" "$peers"
echo "deb [signed-by=$keyring] $mirror trixie main" >"$work/sources.list"
touch "$work/status"
# An apt of its own: this system's packages and lists are left alone.
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=-
  -o "Dir::State=$work" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work" -o Debug::NoLocking=1
  -o "APT::Sandbox::User=$(id -un)")
"${apt[@]}" update && "${apt[@]}" install -y --download-only --no-install-recommends \
  golang-1.24-go golang-github-google-go-containerregistry-dev >/dev/null || { echo "peers: no crane"; exit 0; }
for package in "$work"/archives/golang-*.deb; do dpkg -x "$package" "$work/root"; done
GOROOT="$work/root/usr/lib/go-1.24" GOPATH="$work/root/usr/share/gocode" GO111MODULE=off GOCACHE="$work/cache" \
  CGO_ENABLED=0 "$work/root/usr/lib/go-1.24/bin/go" build -o "$peers/crane" \
  github.com/google/go-containerregistry/cmd/crane || echo "peers: no crane"
