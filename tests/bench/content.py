"""What is mirrored: images that are written into the upstream registry's storage, as it would have stored them."""
import contextlib
import hashlib
import json
import os
import shutil

import images

MIB = 1024 * 1024
# What a large layer has of random bytes: enough to be like no other. The rest is a hole, which costs neither disk nor
# time, and which no tool looks into.
RANDOM = MIB
# A layer begins as gzip does: skopeo would compress what does not.
GZIP = b"\x1f\x8b\x08"


class Content:
    """One repository of the registry whose storage is in `root`."""

    def __init__(self, root, repository):
        self.repository = repository
        self.v2 = root / "docker/registry/v2"
        self.home = self.v2 / "repositories" / repository
        # Bytes by digest: what a tool has to read.
        self.sizes, self.tags = {}, []

    @property
    def unique(self):
        return sum(self.sizes.values())

    @contextlib.contextmanager
    def telling_digests(self):
        """For a while the registry's list of tags says what they point to."""
        told = self.home / "_digests"
        told.touch()
        try:
            yield
        finally:
            told.unlink()

    def remove(self):
        shutil.rmtree(self.home)
        for digest in self.sizes:
            shutil.rmtree(self.blob_path(digest).parent, ignore_errors=True)

    def image(self, layers, tag=None, arch="amd64", note=""):
        """An image of layers that are there already; the note makes it another one."""
        types = images.TYPES["oci"]
        config = json.dumps({
            "architecture": arch, "os": "linux", "config": {"Labels": {"note": note}},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}}).encode()
        config = self.blob(config, types["config"])
        manifest = {"schemaVersion": 2, "mediaType": types["manifest"], "config": config, "layers": layers}
        descriptor = self.manifest(manifest, types["manifest"], tag)
        return {**descriptor, "platform": {"os": "linux", "architecture": arch}}

    def index(self, children, tag):
        media_type = images.TYPES["oci"]["list"]
        self.manifest({"schemaVersion": 2, "mediaType": media_type, "manifests": children}, media_type, tag)

    def layer(self, size):
        """A layer of so many bytes."""
        head = GZIP + os.urandom(min(size, RANDOM) - len(GZIP))
        digest, rest, zeros = hashlib.sha256(head), size - len(head), bytes(MIB)
        while rest:
            piece = min(rest, MIB)
            digest.update(zeros if piece == MIB else zeros[:piece])
            rest -= piece
        digest = f"sha256:{digest.hexdigest()}"
        self.put(digest, head, size)
        return self.linked({"mediaType": images.TYPES["oci"]["layer"], "digest": digest, "size": size})

    def blob(self, data, media_type):
        descriptor = images.descriptor(media_type, data)
        self.put(descriptor["digest"], data, len(data))
        return self.linked(descriptor)

    def manifest(self, manifest, media_type, tag):
        data = json.dumps(manifest).encode()
        descriptor = images.descriptor(media_type, data)
        digest, manifests = descriptor["digest"], self.home / "_manifests"
        self.put(digest, data, len(data))
        link(manifests / "revisions" / hashed(digest), digest)
        if tag:
            link(manifests / "tags" / tag / "current", digest)
            link(manifests / "tags" / tag / "index" / hashed(digest), digest)
            self.tags.append(tag)
        return descriptor

    def linked(self, descriptor):
        link(self.home / "_layers" / hashed(descriptor["digest"]), descriptor["digest"])
        return descriptor

    def put(self, digest, head, size):
        self.sizes[digest] = size
        path = self.blob_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(head)
            file.truncate(size)

    def blob_path(self, digest):
        name = digest.removeprefix("sha256:")
        return self.v2 / "blobs/sha256" / name[:2] / name / "data"


def hashed(digest):
    return digest.replace(":", "/")


def link(folder, digest):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "link").write_text(digest)


def small(content):
    """100 tags of three layers, one of them shared."""
    base = content.layer(2 * MIB)
    for tag in range(100):
        content.image([base, content.layer(20_000), content.layer(5_000)], f"v{tag:03}")


def multi(content):
    """20 tags of four platforms."""
    for tag in range(20):
        children = [content.image([content.layer(50_000), content.layer(5_000)], arch=arch)
                    for arch in ("amd64", "arm64", "ppc64le", "s390x")]
        content.index(children, f"v{tag:02}")


def multi_tags(count):
    """As many tags of two platforms, each with images of its own that share their layers."""
    def make(content):
        shared = [content.layer(5_000), content.layer(1_000)]
        for tag in range(count):
            children = [content.image(shared, arch=arch, note=str(tag)) for arch in ("amd64", "arm64")]
            content.index(children, f"v{tag:05}")
    return make


def layers(count, megabytes):
    """One image of so many layers of so many megabytes."""
    return lambda content: content.image([content.layer(megabytes * 1_000_000) for _ in range(count)], "v1")


def tags(count):
    """As many tags, a hundred of them for each image of two layers."""
    def make(content):
        for tag in range(count):
            if tag % 100 == 0:
                layers = [content.layer(5_000), content.layer(1_000)]
            content.image(layers, f"v{tag:05}")
    return make
