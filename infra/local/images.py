"""Sample images, made from a few bytes and pushed to a registry over HTTP.

    images.py REGISTRY_URL REPOSITORY
"""
import gzip
import hashlib
import io
import json
import random
import sys
import tarfile
import urllib.parse
import urllib.request

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
TYPES = {
    "oci": {
        "manifest": OCI + "manifest.v1+json", "list": OCI + "index.v1+json",
        "config": OCI + "config.v1+json", "layer": OCI + "layer.v1.tar+gzip",
    },
    "docker": {
        "manifest": DOCKER + "distribution.manifest.v2+json", "list": DOCKER + "distribution.manifest.list.v2+json",
        "config": DOCKER + "container.image.v1+json", "layer": DOCKER + "image.rootfs.diff.tar.gzip",
    },
}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(name, size):
    """A layer with one file of random bytes, the same for the same name."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = size
        archive.addfile(info, io.BytesIO(random.Random(name).randbytes(size)))
    return tar.getvalue()


class Registry:
    """The push side of the distribution-spec, as far as samples need it."""

    def __init__(self, url):
        self.url = url

    def push_image(self, repository, layers, kind="oci", architecture="amd64", tag=None):
        """Pushes an image and returns its descriptor for a list."""
        types = TYPES[kind]
        config = {
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in layers]},
        }
        config = json.dumps(config).encode()
        compressed = [gzip.compress(tar, 1, mtime=0) for tar in layers]
        for blob in [config, *compressed]:
            self.push_blob(repository, blob)
        manifest = {
            "schemaVersion": 2, "mediaType": types["manifest"], "config": descriptor(types["config"], config),
            "layers": [descriptor(types["layer"], blob) for blob in compressed],
        }
        manifest = json.dumps(manifest).encode()
        self.put_manifest(repository, tag or digest(manifest), types["manifest"], manifest)
        return {**descriptor(types["manifest"], manifest), "platform": {"os": "linux", "architecture": architecture}}

    def push_list(self, repository, children, kind="oci", tag=None):
        media_type = TYPES[kind]["list"]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": children}).encode()
        self.put_manifest(repository, tag, media_type, manifest)

    def push_blob(self, repository, blob):
        started = self.request("POST", f"{self.url}/v2/{repository}/blobs/uploads/")
        location = urllib.parse.urljoin(self.url, started.headers["Location"])
        separator = "&" if "?" in location else "?"
        self.request("PUT", f"{location}{separator}digest={digest(blob)}", blob, "application/octet-stream")

    def put_manifest(self, repository, reference, media_type, manifest):
        self.request("PUT", f"{self.url}/v2/{repository}/manifests/{reference}", manifest, media_type)

    @staticmethod
    def request(method, url, body=None, media_type=None):
        headers = {"Content-Type": media_type} if media_type else {}
        return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=60)


def descriptor(media_type, data):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def push_samples(url, repository):
    """Pushes one tag of each kind, and one that the demo's rule leaves out."""
    registry = Registry(url)
    base = layer("base", 6_000_000)
    registry.push_image(repository, [base, layer("one", 2_000_000)], tag="v1")
    platforms = [registry.push_image(repository, [base, layer(f"two-{it}", 3_000_000)], architecture=it) for it in ("amd64", "arm64")]
    registry.push_list(repository, platforms, tag="v2")
    registry.push_image(repository, [base, layer("docker", 20_000_000)], kind="docker", tag="v3")
    platforms = [
        registry.push_image(repository, [layer(f"list-{it}", 1_000_000)], kind="docker", architecture=it)
        for it in ("amd64", "s390x")
    ]
    registry.push_list(repository, platforms, kind="docker", tag="v4")
    registry.push_image(repository, [base, layer("one", 2_000_000)], tag="latest")
    registry.push_image(repository, [layer("nightly", 1_000_000)], tag="nightly")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    push_samples(*sys.argv[1:])
