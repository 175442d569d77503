#!/usr/bin/env bash
# docker-registry 2.8.2 does not page the list of tags: `?n=2` answers with every tag and no Link, and `?last=b` begins at
# the start again (in no particular order; the answers are sorted below). Its catalog, of the same API and with the same
# parameters, does page. A client that takes what it gets for a page of two, and asks on behind the last of them until a
# page is empty, never ends.
#
# Version: docker-registry=2.8.2+ds1-1 of Debian 12. Seen:
#   tags?n=2       ["a","b","c","d"]   no Link
#   tags?last=b    ["a","b","c","d"]
#   catalog?n=1    ["x/one"]           Link: </v2/_catalog?last=x%2Fone&n=1>; rel="next"
# Fails if that changes.
set -euo pipefail
version=docker-registry=2.8.2+ds1-1
folder=$(mktemp -d); chmod 755 "$folder"
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$folder"' EXIT
cd "$folder"

apt-get download -qq "$version" >/dev/null 2>&1 || { apt-get update -qq && apt-get download -qq "$version" >/dev/null; }
dpkg -x docker-registry_*.deb root

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >config.yml <<YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $folder/data}}
http: {addr: 127.0.0.1:$port}
YAML
root/usr/bin/docker-registry serve config.yml >log 2>&1 &
pid=$!
url=http://127.0.0.1:$port/v2
for _ in $(seq 50); do curl -sf "$url/" >/dev/null && break; sleep 0.1; done

# A valid image without layers, under four tags of one repository and one tag of another.
printf '{}' >config
digest=sha256:$(sha256sum config | cut -d' ' -f1)
manifest=$(printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":2},"layers":[]}' "$digest")
push() { # repository, tag
  local upload
  upload=$(curl -sf -X POST -D - -o /dev/null "$url/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
  curl -sf -X PUT --data-binary @config -H 'Content-Type: application/octet-stream' "$upload&digest=$digest"
  curl -sf -X PUT --data-binary "$manifest" -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' "$url/$1/manifests/$2"
}
for tag in a b c d; do push x/one $tag; done
push x/two a

ask() { # what; answers with the names, sorted, and whether there is a Link
  curl -sf -D headers "$url/$1" | python3 -c 'import json, sys; a = json.load(sys.stdin); print(json.dumps(sorted(a.get("tags") or a["repositories"]), separators=(",", ":")), end=" ")'
  grep -qi '^link:' headers && echo link || echo "no link"
}
expect() { # what, answer
  local got
  got=$(ask "$1")
  echo "$1: $got"
  [ "$got" = "$2" ] || { echo "changed: expected $2" >&2; exit 1; }
}
expect 'x/one/tags/list?n=2' '["a","b","c","d"] no link'
expect 'x/one/tags/list?last=b' '["a","b","c","d"] no link'
expect '_catalog?n=1' '["x/one"] link'
