#!/usr/bin/env bash
# A hosts.toml that has `server` alone is what containerd's own documents have for a mirror that stands in for its original. The
# containerd of Debian 12 takes it for broken, says so in its log, and asks the original: also where that is not to be. With a
# `host` in it, the same file is read. Needs root.
#
# Version: containerd=1.6.20~ds1-1+deb12u3 of Debian 12. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
(cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root containerd=1.6.20~ds1-1+deb12u3 && dpkg -x containerd_*.deb package)
PATH="$folder/package/usr/bin:$PATH"
trap 'kill "$process" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
printf '%s\n' 'version = 2' "root = \"$folder/root\"" "state = \"$folder/state\"" \
  'disabled_plugins = ["io.containerd.grpc.v1.cri"]' '[grpc]' "address = \"$folder/socket\"" '[ttrpc]' \
  "address = \"$folder/ttrpc\"" > "$folder/config.toml"
containerd --config "$folder/config.toml" > "$folder/log" 2>&1 &
process=$!
ctr=(ctr --address "$folder/socket")
for _ in $(seq 100); do "${ctr[@]}" version > /dev/null 2>&1 && break; sleep 0.1; done
mkdir -p "$folder/certs.d/_default"
# Nobody listens at either: the failure names whom it asked.
asked() {
  printf '%s\n' "$@" > "$folder/certs.d/_default/hosts.toml"
  "${ctr[@]}" images pull --hosts-dir "$folder/certs.d" 127.0.0.1:2/app:v1 2>&1 | grep -o '127\.0\.0\.1:[12]/v2' | tail -1
}
server='server = "http://127.0.0.1:1"'
[ "$(asked "$server")" = 127.0.0.1:2/v2 ]
[ "$(asked "$server" '[host."http://127.0.0.1:1"]' 'capabilities = ["pull", "resolve"]')" = 127.0.0.1:1/v2 ]
