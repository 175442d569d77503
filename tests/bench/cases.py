"""The cases: what is mirrored, how, and how often."""
import concurrent.futures
import os
import time
import urllib.request
import uuid

import collect
import content
import functions
from measure import ROOT, Result, Sample, Usage, cpu_of, processes
import verify as verification
from tools import Ours, peers

# How often ours and the quick things are measured; what takes a peer half a minute is measured PEER_RUNS times.
RUNS = int(os.environ.get("RUNS", "3"))
PEER_RUNS = min(RUNS, 2)
# What one connection of a registry gives that limits each: 20 MB/s.
CAPPED = 20 * 1000 * 1000
# What a collection goes through, what each request to S3 takes, and how long it may take in all.
COLLECTED, TAGS, S3_DELAY_MS, COLLECTION_SECONDS = 3_000, 20, 15, 900
# The tags that a verification looks at, by VERIFIED another number; and how long it may take in all, in however many
# invocations.
VERIFIED, VERIFY_SECONDS = int(os.environ.get("VERIFIED", "100000")), 7_200
# How much longer than ours another build is waited for: some that came before do not come to an end.
TIMES = 2
PART = 8 * 1024 * 1024
NOTHING = {"requests": {}, "bytes": 0, "first_ms": {}, "read_units": 0, "write_units": 0}


def small(bed):
    """100 tags that share a base: first sync, and one that finds nothing new."""
    return compared(bed, "small", content.small, ["first", "again"])


def multi(bed):
    """20 tags of four platforms each."""
    return compared(bed, "multi", content.multi, ["first", "again"])


def layer(bed):
    """One layer of 400 MB from a registry that gives 20 MB/s a connection; and what the emulator's S3 takes in."""
    results = compared(bed, "layer", content.layers(1, 400), ["first"], rate=CAPPED, peer_runs=1)
    seconds = [ceiling(bed, 400 * 1000 * 1000) for _ in range(RUNS)]
    bed.empty()
    samples = [Sample(it, 0, 0, NOTHING, NOTHING) for it in seconds]
    return [*results, Result("layer", "first", "the S3 alone", samples)]


def large(bed):
    """1.6 GB in 16 layers, unlimited."""
    return compared(bed, "large", content.layers(16, 100), ["first"], peer_runs=1)


def memory(bed):
    """One layer of 5 GB with a function that the kernel gives no more than its memory."""
    results, made, upstream = [], bed.content(content.layers(1, 5000)), bed.upstream()
    for megabytes in (128, 256, 512):
        with functions.limited(bed, megabytes):
            sample = Ours(bed, upstream, made).sync()
        results.append(Result(f"memory {megabytes}", "first", "ours", [sample], made.unique))
        bed.empty()
    upstream.stop()
    made.remove()
    return results


def many(bed):
    """20,000 new tags of two platforms with a function that the kernel gives no more than 128 MB."""
    with functions.limited(bed, 128):
        return compared(bed, "many", content.multi_tags(20_000), ["first"], runs=1, with_peers=False)


def scale(bed):
    """1,000 and 10,000 tags: first sync, and again."""
    results = []
    for count in (1_000, 10_000):
        case = f"scale {count:,}"
        results += compared(bed, case, content.tags(count), ["first", "again"], runs=1, with_peers=False)
    return results


def handover(bed):
    """One layer of 1 GB at 5 MB/s a connection: in one invocation, and in several of ten seconds."""
    results = []
    for case, timeout in (("handover, one invocation", 900), ("handover, several", 10)):
        with functions.changed(bed, Timeout=timeout):
            results += compared(
                bed, case, content.layers(1, 1000), ["first"], rate=CAPPED // 4, runs=1, with_peers=False)
    return results


def pull(bed):
    """Pulls of one image of three layers: a token, the manifest, and a redirect for each blob."""
    pulls, made, upstream = 100, bed.content(content.small), bed.upstream()
    tool = Ours(bed, upstream, made)
    tool.sync()
    registry, began = f"{bed.env['MOORAGE_URL']}/v2", time.time()
    org = tool.repository.split("/")[0]
    bed.call("PUT", f"repository/{tool.repository}/permissions/user/{org}+bot", {"role": "read"})
    robot = bed.call("GET", f"organization/{org}/robots/bot")
    bed.aws.counts()
    before = cpu_of(processes(bed.env["MOORAGE_REGISTRY_FUNCTION"]))
    for tag in range(pulls):
        pull_one(registry, tool.repository, f"v{tag:03}", robot)
    took, after = time.time() - began, cpu_of(processes(bed.env["MOORAGE_REGISTRY_FUNCTION"]))
    cpu = sum(seconds - before.get(pid, 0) for pid, seconds in after.items())
    # The emulator writes an invocation's log when it has ended.
    time.sleep(1)
    billed = functions.billed(bed, bed.env["MOORAGE_REGISTRY_FUNCTION"], began)
    sample = Sample(took, cpu, 0, NOTHING, bed.aws.counts(), [{"duration_ms": it} for it in billed])
    upstream.stop()
    made.remove()
    bed.empty()
    return [Result("pull", f"{pulls} images", "ours", [sample])]


def mark(_bed):
    """The collector's marks of a million links, and of ten."""
    results = []
    for links in (1_000_000, 10_000_000):
        usage = Usage()
        usage.run(str(ROOT / "target/release/moorage-mark"), str(links))
        sample = Sample(time.monotonic() - usage.began, usage.cpu, usage.rss, NOTHING, NOTHING)
        results.append(Result(f"mark {links:,} links", "", "ours", [sample]))
    return results


def collection(bed):
    """3,000 repositories of 20 tags, with an S3 that takes 15 ms for each request: all is looked through, and a 21st image
    of each goes. BEFORE=gc.zip measures another build beside it, for twice as long at most."""
    results, most = [], COLLECTION_SECONDS
    builds = [("ours", ROOT / "target/lambda-release/gc.zip")]
    if before := os.environ.get("BEFORE"):
        builds.append(("before", before))
    for name, code in builds:
        took, ended, counts, cpu = collect.run(bed, code, COLLECTED, TAGS, S3_DELAY_MS, most)
        most = TIMES * took
        requests = {"requests": counts["requests"], "bytes": 0, "first_ms": {}, "read_units": 0, "write_units": 0}
        sample = Sample(took, cpu[0], cpu[1], NOTHING, requests, [ended])
        results.append(Result(f"collection {COLLECTED:,} repositories", "", name, [sample]))
    return results


def verify(bed):
    """100,000 tags, each of an image of its own, with an S3 that takes 15 ms for each request: nothing is missing.
    BEFORE=sync.zip measures another build beside it, for twice as long at most."""
    results, most = [], VERIFY_SECONDS
    builds = [("ours", ROOT / "target/lambda-release/sync.zip")]
    if before := os.environ.get("BEFORE"):
        builds.append(("before", before))
    for name, code in builds:
        took, ended, counts, cpu = verification.run(bed, code, VERIFIED, S3_DELAY_MS, most)
        most = TIMES * took
        requests = {"requests": counts["requests"], "bytes": 0, "first_ms": {}, "read_units": 0, "write_units": 0}
        sample = Sample(took, cpu[0], cpu[1], NOTHING, requests, [ended])
        results.append(Result(f"verify {VERIFIED:,} tags", "", name, [sample]))
    return results


def start(bed):
    """From a function's process to its first question for work."""
    return [Result(f"start {name}", "", "ours", [
        Sample(functions.cold_start(bed, name), 0, 0, NOTHING, NOTHING) for _ in range(10)])
        for name in ("api", "registry", "sync", "gc")]


def compared(bed, case, make, steps, rate=0, runs=RUNS, peer_runs=PEER_RUNS, with_peers=True):
    """Each tool in turn, and each run with content of its own, so that none finds what was brought before."""
    tools, results = [Ours, *(peers() if with_peers else [])], {}
    for run in range(runs):
        made = bed.content(make)
        # Whoever is first finds nothing in the system's caches, so that is not always the same one.
        for tool in tools[run % len(tools):] + tools[:run % len(tools)]:
            if tool is not Ours and run >= peer_runs:
                continue
            upstream = bed.upstream(rate)
            job = tool(bed, upstream, made)
            for step in steps:
                result = results.setdefault((step, tool), Result(case, step, tool.name, [], made.unique))
                result.samples.append(job.sync())
            upstream.stop()
        made.remove()
        bed.empty()
    return [results[step, tool] for step in steps for tool in tools]


def pull_one(registry, repository, tag, robot):
    """What a client asks of the registry that has nothing yet; blobs themselves are S3's to send."""
    import base64
    import json
    basic = base64.b64encode(f"{robot['name']}:{robot['token']}".encode()).decode()
    url = f"{registry}/token?service=registry&scope=repository:{repository}:pull"
    token = json.loads(ask(url, {"Authorization": f"Basic {basic}"}))["token"]
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.oci.image.manifest.v1+json"}
    manifest = json.loads(ask(f"{registry}/{repository}/manifests/{tag}", headers))
    for blob in [manifest["config"], *manifest["layers"]]:
        ask(f"{registry}/{repository}/blobs/{blob['digest']}", headers)


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def http_error_307(self, _request, file, *_):
        return file


def ask(url, headers):
    with urllib.request.build_opener(Stay).open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        return answer.read()


def ceiling(bed, size):
    """Seconds that the emulator's S3 takes for an object in parts, twelve at a time, from a client that does nothing
    else, by the same proxy."""
    s3, key, body = bed.client("s3"), uuid.uuid4().hex, os.urandom(PART)
    bucket = bed.env["MOORAGE_BUCKET"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    numbers = range(1, -(-size // PART) + 1)
    # Signed before: that is not S3's time.
    urls = [s3.generate_presigned_url("upload_part", {
        "Bucket": bucket, "Key": key, "UploadId": upload, "PartNumber": number}) for number in numbers]
    urls = [url.replace(bed.env["AWS_ENDPOINT_URL"], f"http://{bed.aws.address}") for url in urls]

    def put(number):
        data = body[:size - (number - 1) * PART]
        # Without a type it would be a form, which the emulator reads as one.
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(urls[number - 1], data, headers, method="PUT")
        with urllib.request.urlopen(request) as answer:
            return {"PartNumber": number, "ETag": answer.headers["ETag"]}

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        parts = list(pool.map(put, numbers))
    s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    return time.monotonic() - began


ALL = {case.__name__: case for case in (
    small, multi, layer, large, memory, many, scale, handover, pull, mark, collection, verify, start)}
