#!/usr/bin/env bash
# drayage 0.2.9, a cache in front of a registry, gives the manifests below an OCI index another media type than they have:
# asked for one by its digest, it sends the right bytes as Docker's image manifest, although the registry behind it says
# OCI's, and the document itself does, too. The index, asked for by its tag, keeps its own. A client that holds the answer's
# type against the document's, or against the index's entry, refuses the image.
#
# Versions: drayage 0.2.9, docker-registry=2.8.2+ds1-1 of Debian 12. Seen:
#   registry, child    application/vnd.oci.image.manifest.v1+json
#   drayage, index     application/vnd.oci.image.index.v1+json
#   drayage, child     application/vnd.docker.distribution.manifest.v2+json
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d); chmod 755 "$folder"
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$folder"' EXIT
cd "$folder"

version=docker-registry=2.8.2+ds1-1
apt-get download -qq "$version" >/dev/null 2>&1 || { apt-get update -qq && apt-get download -qq "$version" >/dev/null; }
dpkg -x docker-registry_*.deb root
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check drayage==0.2.9

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
registry=127.0.0.1:$(port)
cache=127.0.0.1:$(port)
cat >config.yml <<YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $folder/data}}
http: {addr: $registry}
YAML
mkdir cache
cat >config.toml <<TOML
listen = "$cache"
cache_dir = "$folder/cache"
[upstreams.docker_io]
registry = "http://$registry"
TOML
root/usr/bin/docker-registry serve config.yml >registry.log 2>&1 & pids+=($!)
venv/bin/drayage serve -c config.toml >drayage.log 2>&1 & pids+=($!)
for address in "$registry" "$cache"; do
  for _ in $(seq 100); do curl -s -o /dev/null "http://$address/v2/" && break; sleep 0.1; done
done

# A valid image without layers, and an index of it.
digest() { echo "sha256:$(printf '%s' "$1" | sha256sum | cut -d' ' -f1)"; }
oci=application/vnd.oci.image
config='{}'
upload=$(curl -sf -X POST -D - -o /dev/null "http://$registry/v2/x/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
curl -sf -X PUT --data-binary "$config" -H 'Content-Type: application/octet-stream' "$upload&digest=$(digest "$config")"
image=$(printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"%s","size":2},"layers":[]}' $oci $oci "$(digest "$config")")
index=$(printf '{"schemaVersion":2,"mediaType":"%s.index.v1+json","manifests":[{"mediaType":"%s.manifest.v1+json","digest":"%s","size":%d}]}' $oci $oci "$(digest "$image")" ${#image})
put() { curl -sf -X PUT --data-binary "$1" -H "Content-Type: $2" "http://$registry/v2/x/app/manifests/$3"; }
put "$image" $oci.manifest.v1+json "$(digest "$image")"
put "$index" $oci.index.v1+json list

expect() { # what, URL, media type
  local got
  got=$(curl -sf -o body -w '%{content_type}' -H "Accept: $oci.index.v1+json, $oci.manifest.v1+json" "$2")
  echo "$1: $got"
  [ "$got" = "$3" ] || { echo "changed: expected $3" >&2; exit 1; }
}
expect 'registry, child' "http://$registry/v2/x/app/manifests/$(digest "$image")" $oci.manifest.v1+json
expect 'drayage, index' "http://$cache/v2/docker.io/x/app/manifests/list" $oci.index.v1+json
expect 'drayage, child' "http://$cache/v2/docker.io/x/app/manifests/$(digest "$image")" application/vnd.docker.distribution.manifest.v2+json
[ "$(cat body)" = "$image" ] || { echo "changed: other bytes" >&2; exit 1; }
