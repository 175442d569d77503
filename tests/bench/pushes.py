"""From a push to a pull: a stock registry that tells of its pushes itself, and mirrors of what is pushed to it."""
import time
import types
import uuid

import client
import functions
import images
import servers
from measure import NOTHING, Sample
from tools import Ours

# How many pushes come after silence.
PUSHES = 5
# Silence: longer than the pause after a sync by a webhook, within which what comes is one sync afterwards.
SILENCE = 11
# How often a client looks whether the image is there, and for how long; all in seconds.
LOOK_EVERY, GIVE_UP = 0.1, 60
# The shortest interval that the API takes (`sync_interval`).
INTERVAL = 60
# What is measured.
SILENT, HURRIED, POLLED = "by a webhook", "by a webhook, right after another", "a sync of one new tag"


def run(bed):
    """Samples of pushes after silence, of one right after another, and of a sync that finds one new tag."""
    port = servers.free_port()
    upstream = bed.upstream(registry=f"127.0.0.1:{port}")
    told, asked = (Ours(bed, upstream, types.SimpleNamespace(repository=it)) for it in ("told/app", "asked/app"))
    url = bed.call("POST", f"repository/{told.repository}/mirror/webhook", {})["url"]
    server, robot = telling(bed, port, url), told.reader()
    registry, base = images.Registry(f"http://127.0.0.1:{port}"), images.layer(uuid.uuid4().hex, 2_000_000)
    try:
        silent = []
        for _ in range(PUSHES):
            if silent:
                time.sleep(SILENCE)
            silent.append(arrival(bed, told, robot, registry, base))
        hurried = arrival(bed, told, robot, registry, base)
        for _ in range(2):
            pushed(registry, "asked/app", base)
            # The first one brings what is not new.
            polled = asked.sync()
    finally:
        upstream.stop()
        server.terminate()
        server.wait()
    return silent, [hurried], [polled]


def telling(bed, port, url):
    """A registry that tells of each image that is pushed to it. What is pulled, and layers, are nobody's business."""
    ignore = {"actions": ["pull"], "mediatypes": ["application/octet-stream"]}
    endpoint = {"name": "mirror", "url": url, "timeout": "5s", "threshold": 3, "backoff": "1s", "ignore": ignore}
    storage = {"filesystem": {"rootdirectory": str(bed.folder / "telling")}}
    return servers.registry(bed.folder, "telling", port, storage, notifications={"endpoints": [endpoint]})


def arrival(bed, mirror, robot, registry, base):
    """Pushes an image, and pulls until it is there. The clock runs from the answer to the push of its tag."""
    since = time.time()
    tag, digest = pushed(registry, "told/app", base)
    began, look = time.monotonic(), time.monotonic()
    while client.pulled(bed, mirror.repository, tag, robot) != digest:
        if time.monotonic() - began > GIVE_UP:
            raise SystemExit(f"bench: {mirror.repository} has no {tag} after {GIVE_UP} s")
        look += LOOK_EVERY
        time.sleep(max(0, look - time.monotonic()))
    took = time.monotonic() - began
    invocations, *_ = functions.ended(bed, since, mirror.repository)
    return Sample(took, 0, 0, NOTHING, NOTHING, invocations)


def pushed(registry, repository, base):
    """Pushes an image of two layers, one of them new, and returns its tag and digest."""
    tag = uuid.uuid4().hex[:8]
    return tag, registry.push_image(repository, [base, images.layer(tag, 20_000)], tag=tag)["digest"]
