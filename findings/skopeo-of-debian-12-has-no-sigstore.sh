#!/usr/bin/env bash
# skopeo 1.9.3 as Debian 12 packages it accepts no signed image under the requirement sigstoreSigned, however well it is
# signed, and does not sign with --sign-by-sigstore-private-key either (the key is not even read): a patch has taken both
# out. The manual pages installed with it, containers-policy.json(5) and skopeo-copy(1), describe them, its help has the
# option, and the policy is read without a complaint. Nothing in skopeo's own package says otherwise, only an entry of 2022
# in the changelog of golang-github-containers-image. An image without a signature is refused with the usual words, so that
# the policy seems to work until there is a signature.
#
# Version: skopeo=1.9.3+ds1-1+b10 of Debian 12. Seen:
#   without a signature   Source image rejected: A signature was required, but no signature exists
#   signed                Source image rejected: Debian-local change: sigstore disabled
#   to sign               creating signature: Debian-local change: sigstore disabled
# Fails if that changes.
set -euo pipefail
version=skopeo=1.9.3+ds1-1+b10
folder=$(mktemp -d); chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT
cd "$folder"

packages=("$version" libgpgme11 libassuan0 libdevmapper1.02.1)
apt-get download -qq "${packages[@]}" >/dev/null 2>&1 || { apt-get update -qq && apt-get download -qq "${packages[@]}" >/dev/null; }
for package in *.deb; do dpkg -x "$package" root; done
libraries=$folder/root/usr/lib/$(uname -m)-linux-gnu:$folder/root/lib/$(uname -m)-linux-gnu

# A valid image without layers, and the same with a signature as cosign makes them, which openssl finds good.
digest() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }
oci=application/vnd.oci.image
manifest=$(printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"sha256:%s","size":2},"layers":[]}' $oci $oci "$(digest '{}')")
mkdir image
printf 'Directory Transport Version: 1.1\n' >image/version
printf '%s' "$manifest" >image/manifest.json
printf '{}' >"image/$(digest '{}')"
cp -r image signed
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out key.pem
openssl pkey -in key.pem -pubout -out public.pem
name=example.com/x/app:1
printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}' \
  $name "$(digest "$manifest")" >payload
openssl dgst -sha256 -sign key.pem -out signature payload
openssl dgst -sha256 -verify public.pem -signature signature payload >/dev/null
{
  printf '\0sigstore-json\n'
  printf '{"mimeType":"application/vnd.dev.cosign.simplesigning.v1+json","payload":"%s","annotations":{"dev.cosignproject.cosign/signature":"%s"}}' \
    "$(base64 -w0 payload)" "$(base64 -w0 signature)"
} >signed/signature-1

cat >signed.json <<JSON
{"default":[{"type":"sigstoreSigned","keyPath":"$folder/public.pem","signedIdentity":{"type":"exactReference","dockerReference":"$name"}}]}
JSON
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >anything.json
copy() { # policy, other arguments; answers with the error, or with "copied"
  if LD_LIBRARY_PATH=$libraries root/usr/bin/skopeo --policy "$1.json" copy --quiet "${@:2}" 2>log; then echo copied
  else sed -n 's/.* msg="\(.*\)"$/\1/p' log; fi
}
expect() { # what, answer, policy, other arguments
  local got
  got=$(copy "${@:3}")
  echo "$1: $got"
  [ "$got" = "$2" ] || { cat log >&2; echo "changed: expected $2" >&2; exit 1; }
}
# Both are images, and the signature one that it reads and copies.
expect 'any policy' copied anything dir:image dir:copy
expect 'any policy, signed' copied anything dir:signed dir:copy-signed
cmp signed/signature-1 copy-signed/signature-1

disabled='Debian-local change: sigstore disabled'
expect 'without a signature' 'Source image rejected: A signature was required, but no signature exists' signed dir:image dir:no
expect signed "Source image rejected: $disabled" signed dir:signed dir:no
echo secret >passphrase
expect 'to sign' "creating signature: $disabled" anything \
  --sign-by-sigstore-private-key key.pem --sign-passphrase-file passphrase --sign-identity $name dir:image dir:no
