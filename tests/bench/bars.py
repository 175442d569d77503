"""What the project has set itself, and whether this run shows it."""
import cost
import pushes
from cases import TOLD
from table import cpu_per_gb, is_sync, markdown, size

# How many of crane's times ours may take, and of the other build's.
AGAIN_OF_CRANE, FIRST_OF_CRANE, LAYER_OF_PEERS = 1 / 3, 1 / 4, 1 / 7
FIRST_OF_BEFORE, MANY_FIRST_OF_BEFORE, MANY_AGAIN_OF_BEFORE = 0.75, 0.5, 0.65
AGAIN_OF_BEFORE, TOLD_OF_BEFORE = 0.8, 0.15
# By what part of the model a run's own cost may be off.
COST = 0.1
# S3 writes of an image: two for each of its config, two layers, its manifest and its tag; and a hundredth of two for the layer
# that a hundred share.
WRITES = 10.02
# Invocations of a pull of an image of three layers; dollars for 1,000 GB.
PULL, TERABYTE = 4, 0.50
# Seconds until what was pushed can be pulled.
PULLABLE = 5


def table(results):
    rows = []

    def find(case, step="first", tool="ours"):
        return next((it for it in results if (it.case, it.step, it.tool) == (case, step, tool)), None)

    def bar(what, limit, value, unit=""):
        rows.append([what, f"{limit:.3g} {unit}", f"{value:.3g} {unit}", "met" if value <= limit else "**missed**"])

    def beside(what, limit, case, step, tools):
        """Ours, as a part of the time of the quickest of the others."""
        ours, others = find(case, step), [it for tool in tools if (it := find(case, step, tool))]
        if ours and not others:
            rows.append([f"{what}, of {' or '.join(tools)}'s time", f"{limit:.3g} ×", "", "not measured"])
        if ours and others:
            best = min(others, key=lambda it: it.seconds)
            bar(f"{what}, of {best.tool}'s time", limit, ours.seconds / best.seconds, "×")

    crane = ["crane -j 32"]
    peers = [*crane, "skopeo sync", "skopeo as Quay"]
    if again := find("small", "again"):
        typical = again.typical
        bar("100 unchanged tags, upstream requests", 101, typical.requests(""))
        bar("the same, manifest GETs", 0, typical.requests("GET manifests"))
        bar("the same, S3 requests", 0, typical.s3())
    beside("100 unchanged tags", AGAIN_OF_CRANE, "small", "again", crane)
    beside("100 unchanged tags", AGAIN_OF_BEFORE, "small", "again", ["before"])
    beside("100 unchanged tags by https, with HTTP/2", AGAIN_OF_CRANE, "secure", "again", crane)
    beside("100 unchanged tags, AWS 15 ms away", AGAIN_OF_CRANE, "distant", "again", crane)
    beside("10,000 unchanged tags", MANY_AGAIN_OF_BEFORE, "scale 10,000", "again", ["before"])
    if told := find("scale 10,000", TOLD):
        bar("the same, the list says digests, upstream requests", 110, told.typical.requests(""))
        if before := find("scale 10,000", "again", "before"):
            bar("the same, of before's time by HEAD", TOLD_OF_BEFORE, told.seconds / before.seconds, "×")
    if first := find("small"):
        bar("100 small images, S3 writes for each", WRITES, first.typical.s3("PUT", "POST", "COPY") / 100)
        bar("100 small images, DynamoDB requests", 120, first.typical.dynamodb())
    beside("100 small images", FIRST_OF_CRANE, "small", "first", crane)
    beside("100 small images", FIRST_OF_BEFORE, "small", "first", ["before"])
    beside("100 small images, AWS 15 ms away", FIRST_OF_CRANE, "distant", "first", crane)
    beside("100 small images, AWS 15 ms away", FIRST_OF_BEFORE, "distant", "first", ["before"])
    beside("10,000 tags of 100 images", MANY_FIRST_OF_BEFORE, "scale 10,000", "first", ["before"])
    beside("400 MB at 20 MB/s a connection", LAYER_OF_PEERS, "layer", "first", peers)
    http, https = find("layer"), find("layer, https")
    if http:
        bar("processor time per GB, http", 1.6, cpu_per_gb(http), "s")
    if http and https:
        bar("processor time per GB, https, of http's", 1.35, cpu_per_gb(https) / cpu_per_gb(http), "×")
    for it in filter(None, [find("small"), find("small", "by the schedule"), find("layer"), find("large")]):
        if (share := cost.off(it)) is not None:
            bar(f"what a run says it cost, beside the model ({it.case}, {it.step})", COST, abs(share), "off")
    if large := find("large"):
        bar("dollars for 1,000 GB", TERABYTE, cost.of_many(1e12 / large.unique, cost.of_sync(large.typical, large.unique)))
    if pull := find("pull", "100 images"):
        bar("invocations of a pull", PULL, len(pull.typical.invocations) / 100)
    syncs = [it for it in results if is_sync(it) and it.tool == "ours"]
    # Parts are as large as the function's memory allows: what is bounded is how much of that they take.
    for megabytes in sorted({it.typical.limit for it in syncs if it.typical.limit}):
        biggest = max((it for it in syncs if it.typical.limit == megabytes), key=lambda it: it.rss)
        bar(f"peak memory of a sync with {megabytes} MB ({biggest.case})", megabytes, biggest.rss, "MiB")
    if told := find("push", pushes.SILENT):
        worst = max(sample.seconds for sample in told.samples)
        bar(f"from a push to a pull, {told.step}, worst of {len(told.samples)}", PULLABLE, worst, "s")
    if told := find("push", pushes.HURRIED):
        bar(f"from a push to a pull, {told.step}", PULLABLE, told.seconds, "s")
    for it in results:
        if it.case.startswith("collection") and it.tool == "ours":
            bar(f"{it.case} at 15 ms for each S3 request", 900, it.seconds, "s")
        if it.case.startswith("start"):
            bar(f"{it.case}, median", 10, it.seconds * 1000, "ms")
            bar(f"{it.case}, binary", 12, size(it.case.split()[1]), "MB")
    return markdown(["bar", "limit", "measured", ""], rows)
