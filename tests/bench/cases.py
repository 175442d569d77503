"""The cases: what is mirrored, how, and how often."""
import contextlib
import os
import pathlib
import time

import client
import collect
import content
import functions
import pushes
from measure import NOTHING, Result, Sample, Usage, cpu_of, processes, program
import verify as verification
from tools import Before, Crane, Ours, peers

# How often ours and the quick things are measured; peers less often.
RUNS = int(os.environ.get("RUNS", "3"))
# The step that nobody calls the API for.
SCHEDULED = "by the schedule"
# The one where the registry's list of tags says their digests.
TOLD = "again, told the digests"
# Both are of ours alone.
OURS_ALONE = (SCHEDULED, TOLD)
# How far S3 and DynamoDB are away where a case says so, in milliseconds.
AWAY_MS = 15
# What one connection of a registry gives that limits each: 20 MB/s.
CAPPED = 20 * 1000 * 1000
# What a collection goes through, by COLLECTED another number of repositories, and how long it may take in all.
COLLECTED, TAGS, COLLECTION_SECONDS = int(os.environ.get("COLLECTED", "3000")), 20, 900
# The tags, each of images of its own, that a small function is to bring, by MANY another number.
MANY = int(os.environ.get("MANY", "3000"))
# The tags that a verification looks at, by VERIFIED another number; and how long it may take in all, in however many
# invocations.
VERIFIED, VERIFY_SECONDS = int(os.environ.get("VERIFIED", "10000")), 7_200
# How much longer than ours another build is waited for: some that came before do not come to an end.
TIMES = 2


def small(bed):
    """100 tags that share a base: first sync, one that finds nothing new, and of ours another by the schedule."""
    return compared(bed, "small", content.small, ["first", "again", SCHEDULED], [Before, *peers()])


def distant(bed):
    """The same with S3 and DynamoDB 15 ms away, for ours and the quickest peer."""
    with bed.distant(AWAY_MS):
        quickest = [tool for tool in peers() if tool is Crane]
        return compared(bed, "distant", content.small, ["first", "again"], [Before, *quickest])


def secure(bed):
    """The same by https, where the registry offers HTTP/2, for ours and the quickest peer."""
    quickest = [tool for tool in peers() if tool is Crane]
    return compared(bed, "secure", content.small, ["first", "again"], [Before, *quickest], tls=True)


def multi(bed):
    """20 tags of four platforms each."""
    return compared(bed, "multi", content.multi, ["first", "again"], peers())


def layer(bed):
    """One layer of 400 MB from a registry that gives 20 MB/s a connection, by http and by https; and what the S3 takes
    in."""
    results, make = [], content.layers(1, 400)
    for case, tls in (("layer", False), ("layer, https", True)):
        results += compared(bed, case, make, ["first"], [Before, *peers()], rate=CAPPED, tls=tls)
    seconds = [client.upload(bed, 400 * 1000 * 1000) for _ in range(RUNS)]
    bed.empty()
    samples = [Sample(it, 0, 0, NOTHING, NOTHING) for it in seconds]
    return [*results, Result("layer", "first", "the S3 alone", samples)]


def large(bed):
    """1.6 GB in 16 layers, unlimited."""
    return compared(bed, "large", content.layers(16, 100), ["first"], peers())


def memory(bed):
    """One layer of 5 GB with functions of little memory and of more."""
    results, made, upstream = [], bed.content(content.layers(1, 5000)), bed.upstream()
    for megabytes in (128, 256, 512):
        with functions.changed(bed, MemorySize=megabytes):
            sample = Ours(bed, upstream, made).sync()
        results.append(Result(f"memory {megabytes}", "first", "ours", [sample], made.unique))
        bed.empty()
    upstream.stop()
    made.remove()
    return results


def many(bed):
    """3,000 new tags of two platforms with a function of 128 MB."""
    with functions.changed(bed, MemorySize=128):
        return compared(bed, f"many {MANY:,}", content.multi_tags(MANY), ["first"], runs=1)


def scale(bed):
    """1,000 and 10,000 tags: first sync, and again; and of ours once more where the list says digests."""
    results = []
    for count in (1_000, 10_000):
        case = f"scale {count:,}"
        results += compared(bed, case, content.tags(count), ["first", "again", TOLD], [Before], runs=1)
    return results


def handover(bed):
    """One layer of 1 GB at 5 MB/s a connection: in one invocation, and in several of ten seconds."""
    results = []
    for case, timeout in (("handover, one invocation", 900), ("handover, several", 10)):
        with functions.changed(bed, Timeout=timeout):
            results += compared(bed, case, content.layers(1, 1000), ["first"], rate=CAPPED // 4, runs=1)
    return results


def pull(bed):
    """Pulls of one image of three layers, with S3 and DynamoDB 15 ms away: a token, the manifest, and a redirect for each
    blob."""
    pulls, made, upstream = 100, bed.content(content.small), bed.upstream()
    tool = Ours(bed, upstream, made)
    tool.sync()
    robot = tool.reader()
    bed.aws.counts()
    function, began, waits = bed.env["MOORAGE_REGISTRY_FUNCTION"], time.time(), {}
    before = cpu_of(processes(bed, function))
    with bed.distant(AWAY_MS):
        for tag in range(pulls):
            client.pull(bed, tool.repository, f"v{tag:03}", robot, waits)
    took, after = time.time() - began, cpu_of(processes(bed, function))
    cpu = sum(seconds - before.get(pid, 0) for pid, seconds in after.items())
    # The emulator writes an invocation's log when it has ended.
    time.sleep(1)
    billed = functions.billed(bed, function, began)
    sample = Sample(took, cpu, 0, NOTHING, bed.aws.counts(), [{"duration_ms": it} for it in billed], waits=waits)
    upstream.stop()
    made.remove()
    bed.empty()
    return [Result("pull", f"{pulls} images", "ours", [sample])]


def push(bed):
    """From a push until that tag is pulled with that digest: by a webhook, which the registry itself calls; and how long a
    mirror would take that asks every minute, which nobody may more often."""
    silent, hurried, polled = pushes.run(bed)
    return [Result("push", step, "ours", samples) for step, samples in (
        (pushes.SILENT, silent), (pushes.HURRIED, hurried), (pushes.POLLED, polled))]


def mark(_bed):
    """The collector's marks of a million links, and of ten."""
    results = []
    for links in (1_000_000, 10_000_000):
        usage = Usage()
        usage.run(program("mark"), str(links))
        sample = Sample(time.monotonic() - usage.began, usage.cpu, usage.rss, NOTHING, NOTHING)
        results.append(Result(f"mark {links:,} links", "", "ours", [sample]))
    return results


def collection(bed):
    """3,000 repositories of 20 tags, with an S3 that takes 15 ms for each request: all is looked through, and a 21st image
    of each goes. OTHER=gc.zip measures another build beside it, for twice as long at most."""
    results, most = [], COLLECTION_SECONDS
    for name, code in builds(bed, "gc"):
        took, ended, counts, cpu = collect.run(bed, code, COLLECTED, TAGS, AWAY_MS, most)
        most = TIMES * took
        requests = {**NOTHING, "requests": counts["requests"]}
        sample = Sample(took, cpu[0], cpu[1], NOTHING, requests, [ended])
        results.append(Result(f"collection {COLLECTED:,} repositories", "", name, [sample]))
    return results


def verify(bed):
    """10,000 tags, each of an image of its own, with an S3 that takes 15 ms for each request: nothing is missing.
    OTHER=sync.zip measures another build beside it, for twice as long at most."""
    results, most = [], VERIFY_SECONDS
    for name, code in builds(bed, "sync"):
        took, ended, counts, cpu = verification.run(bed, code, VERIFIED, AWAY_MS, most)
        most = TIMES * took
        requests = {**NOTHING, "requests": counts["requests"]}
        sample = Sample(took, cpu[0], cpu[1], NOTHING, requests, [ended])
        results.append(Result(f"verify {VERIFIED:,} tags", "", name, [sample]))
    return results


def start(bed):
    """From a function's process to its first question for work."""
    return [Result(f"start {name}", "", "ours", [
        Sample(functions.cold_start(bed, name), 0, 0, NOTHING, NOTHING) for _ in range(10)])
        for name in ("api", "registry", "sync", "gc", "events", "resource", "console")]


def builds(bed, name):
    """A function's code of this build, and of another one that OTHER names."""
    other = os.environ.get("OTHER")
    return [("ours", bed.zips / f"{name}.zip"), *([("before", pathlib.Path(other))] if other else [])]


def compared(bed, case, make, steps, others=(), rate=0, tls=False, runs=RUNS):
    """Each tool in turn, and each run with content of its own, so that none finds what was brought before."""
    tools = [Ours, *(tool for tool in others if tool is not Before or bed.before)]
    results = {}
    for run in range(runs):
        made = bed.content(make)
        # Whoever is first finds nothing in the system's caches, so that is not always the same one.
        for tool in tools[run % len(tools):] + tools[:run % len(tools)]:
            if run >= tool.runs:
                continue
            upstream = bed.upstream(rate, tls)
            job = tool(bed, upstream, made)
            for step in steps:
                if step in OURS_ALONE and tool is not Ours:
                    continue
                result = results.setdefault((step, tool), Result(case, step, tool.name, [], made.unique))
                with made.telling_digests() if step == TOLD else contextlib.nullcontext():
                    result.samples.append(job.scheduled() if step == SCHEDULED else job.sync())
            upstream.stop()
        made.remove()
        bed.empty()
    return [results[step, tool] for step in steps for tool in tools if (step, tool) in results]


ALL = {case.__name__: case for case in (
    small, distant, secure, multi, layer, large, memory, many, scale, handover, pull, push, mark, collection, verify, start)}
# What is measured of another build, too, on a stack of its own.
BESIDE = (small, distant, secure, layer, scale)
