"""Results as Markdown."""
import datetime
import os
import pathlib
import platform
import zipfile

import pushes
from measure import ROOT, percentile

MB = 1_000_000
# From how many bytes on their number says what processor time they take.
BULK = 100 * MB


def machine():
    """What was measured on, and when."""
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.machine())
    return f"{datetime.date.today():%d %B %Y}, {os.cpu_count()} cores of {model}, Linux {platform.release()}."


def syncs(results):
    """Seconds, processor, memory and bytes of each tool, with the ratio to ours."""
    rows = []
    for result in results:
        typical, times = result.typical, [sample.seconds for sample in result.samples]
        if not is_sync(result):
            continue
        same = (it for it in results if (it.case, it.step, it.tool) == (result.case, result.step, "ours"))
        ours = next(same, None)
        ratio = f" ({result.seconds / ours.seconds:.1f}×)" if ours and ours is not result else ""
        spread = f"{min(times):.2f} to {max(times):.2f}" if len(times) > 1 else "one run"
        first = "" if typical.first_byte is None else f"{typical.first_byte:.2f}"
        inside = f"{typical.inside:.2f}" if typical.invocations else ""
        per_gb = f"{cpu_per_gb(result):.2f}" if result.unique >= BULK else ""
        peak = f"{result.rss:.0f} of {typical.limit}" if typical.limit else f"{result.rss:.0f}"
        rows.append([
            f"{result.case}, {result.step}", result.tool, f"{result.seconds:.2f}{ratio}", spread, inside, first,
            f"{typical.cpu:.1f}", per_gb, peak, f"{typical.upstream['bytes'] / MB:.1f} / {result.unique / MB:.1f}"])
    return markdown(["case", "", "seconds", "spread", "in the function", "first blob byte", "CPU s", "CPU s per GB",
                     "peak MiB", "MB read / unique"], rows)


def cpu_per_gb(result):
    """Processor seconds for each GB of content."""
    return result.median(lambda sample: sample.cpu) / (result.unique / (1000 * MB))


def requests(results):
    """Requests by kind."""
    rows = []
    for result in results:
        typical = result.typical
        if not is_sync(result) or not typical.aws["requests"]:
            continue
        gets = typical.requests("GET manifests")
        others = [f"{kind} {number:,}" for kind, number in sorted(typical.upstream["requests"].items())
                  if kind != "GET manifests"]
        kinds = {kind.removeprefix("S3 "): number for kind, number in typical.aws["requests"].items()
                 if kind.startswith("S3 ")}
        s3 = [f"{kind} {number:,}" for kind, number in sorted(kinds.items())]
        dynamodb = [f"{kind.removeprefix('DynamoDB ')} {number:,}"
                    for kind, number in sorted(typical.aws["requests"].items()) if kind.startswith("DynamoDB")]
        rows.append([f"{result.case}, {result.step}", result.tool, f"{typical.requests(''):,}", f"{gets:,}",
                     ", ".join(others), f"{sum(kinds.values()):,}", ", ".join(s3), ", ".join(dynamodb)])
    heads = ["case", "", "upstream requests", "manifest GETs", "the others", "S3 requests", "of them", "DynamoDB"]
    return markdown(heads, rows)


def others(results):
    """Starts with the code's size, marks, handing over."""
    rows = []
    for result in results:
        times = [sample.seconds for sample in result.samples]
        if result.case.startswith("start"):
            name = result.case.split()[1]
            worst = f"worst of {len(times)}: {max(times) * 1000:.0f} ms"
            rows.append([result.case, f"{result.seconds * 1000:.0f} ms, {worst}", f"{size(name):.1f} MB binary"])
        elif result.case.startswith("mark"):
            rows.append([result.case, f"{result.seconds:.2f} s", f"{result.rss:.0f} MiB"])
        elif result.case.startswith(("collection", "verify")):
            ended, asked = result.typical.invocations[0], result.typical.aws["requests"]
            said = collected(ended) if result.case.startswith("collection") else verified(ended)
            kinds = ", ".join(f"{kind.removeprefix('S3 ')} {number:,}" for kind, number in sorted(asked.items()))
            rows.append([f"{result.case}, {result.tool}", f"{result.seconds:.0f} s, {result.rss:.0f} MiB",
                         f"{said}; S3: {kinds}"])
        elif result.case == "push":
            rows.append(arrivals(result))
        elif result.case == "pull":
            rows += pulls(result)
    several = [it for it in results if it.case == "handover, several"]
    one = [it for it in results if it.case == "handover, one invocation"]
    if several and one:
        invocations = several[0].typical.invocations
        gaps = [later["began"] - earlier["ended"] for earlier, later in zip(invocations, invocations[1:])]
        longer = (several[0].seconds - one[0].seconds) / max(len(gaps), 1)
        rows.append([f"handing over, {len(gaps)} times", f"{longer:.2f} s longer each time",
                     f"{max(gaps, default=0) * 1000:.0f} ms at most from one invocation to the next"])
    return markdown(["", "", ""], rows)


def arrivals(result):
    """From a push to a pull. Nobody waits here for polling: its parts are measured and added up."""
    times, inside = [sample.seconds for sample in result.samples], result.median(lambda sample: sample.inside)
    if result.step == pushes.POLLED:
        return [f"push, polled each {pushes.INTERVAL} s", f"{pushes.INTERVAL / 2 + times[0]:.1f} s on average, "
                f"{pushes.INTERVAL + times[0]:.1f} s at worst", f"not waited for: the interval, and {times[0]:.2f} s, which "
                "a sync of one new tag took"]
    spread = f", worst of {len(times)}: {max(times):.2f} s" if len(times) > 1 else ""
    return [f"push, {result.step}", f"{result.seconds:.2f} s{spread}", f"{inside:.2f} s in the function"]


def pulls(result):
    """What a registry's handlers were billed for, by what they answered; and what the client waited for."""
    handled = [it["duration_ms"] / 1000 for it in result.typical.invocations]
    waits = result.typical.waits
    if not handled or len(handled) != sum(map(len, waits.values())):
        return [[f"pull, {result.step}", "not measured", f"{len(handled)} invocations were logged"]]
    rows = [[f"pull, {result.step}, AWS 15 ms away", f"{span(handled)} in the function",
             f"{len(handled)} invocations, of which the first took {handled[0] * 1000:.0f} ms"]]
    # One after the other: a token, the manifest, the blobs of each image.
    kinds = ["token", "manifest", *["blob"] * (len(waits["blob"]) // len(waits["token"]))]
    for kind in waits:
        own = [it for number, it in enumerate(handled) if kinds[number % len(kinds)] == kind]
        rows.append([f"pull, {kind}", f"{span(own)} in the function", f"the client waited: {span(waits[kind])}"])
    return rows


def span(seconds):
    """What half of them do not exceed, and 99 of a hundred."""
    return f"p50 {percentile(seconds, 0.5) * 1000:.0f} ms, p99 {percentile(seconds, 0.99) * 1000:.0f} ms"


def collected(ended):
    how = "ended" if ended.get("stage") == "done" else f"not ended, at {ended.get('stage')} {ended.get('after')}"
    return (f"{how}, {ended.get('invocations', 0)} invocations, {ended.get('repositories', 0)} repositories, "
            f"{ended.get('repositories_skipped', 0)} skipped, {ended.get('condemned', 0)} condemned")


def verified(ended):
    return (f"{ended['status']}, {ended.get('invocations', 0)} invocations, {ended.get('tags_unchanged', 0):,} tags sound, "
            f"{ended.get('tags_repaired', 0)} repaired, {ended.get('tags_failed', 0)} failed")


def size(name):
    """Megabytes of a function's binary, as it is deployed."""
    with zipfile.ZipFile(ROOT / "target/lambda-release" / f"{name}.zip") as code:
        return code.getinfo("bootstrap").file_size / MB


def is_sync(result):
    return not result.case.startswith(("start", "mark", "pull", "push", "collection", "verify"))


def markdown(heads, rows):
    if not rows:
        return ""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
