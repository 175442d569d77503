"""What a run took, by the functions' logs: invocations, cold starts, memory, and what AWS charges for them."""
import dataclasses
import datetime
import json
import re
import statistics
import time

import boto3

import prices

# The functions that every run invokes.
INVOKED = {"sync", "api", "registry", "gc"}
DENIED = re.compile(r"AccessDenied\w*|is not authorized to perform")
# What Lambda's line of text has, by what its line of JSON calls it.
FIELDS = {
    "durationMs": r"\tDuration: ([\d.]+) ms", "billedDurationMs": r"Billed Duration: ([\d.]+) ms",
    "memorySizeMB": r"Memory Size: (\d+) MB", "maxMemoryUsedMB": r"Max Memory Used: (\d+) MB",
    "initDurationMs": r"Init Duration: ([\d.]+) ms",
}


@dataclasses.dataclass
class Invocation:
    function: str
    seconds: float
    billed: float
    memory: float
    used: float
    # Of its environment, in seconds, if it was the first one.
    init: float | None


def report(function, message):
    """What Lambda's report of an invocation says, as JSON or as text; nothing if it is another line."""
    if message.startswith("REPORT "):
        found = {name: re.search(pattern, message) for name, pattern in FIELDS.items()}
        metrics = {name: float(it[1]) for name, it in found.items() if it}
    elif '"platform.report"' in message:
        metrics = json.loads(message)["record"]["metrics"]
    else:
        return None
    init = metrics.get("initDurationMs")
    return Invocation(
        function, metrics["durationMs"] / 1000, metrics["billedDurationMs"] / 1000, metrics["memorySizeMB"],
        metrics["maxMemoryUsedMB"], None if init is None else init / 1000)


def lines(resources):
    """All lines of the stack's logs: function, time in seconds, message. The front door has a log, too, named access."""
    logs = boto3.client("logs")
    for it in resources:
        if it["ResourceType"] == "AWS::Logs::LogGroup":
            group = it["PhysicalResourceId"]
            function = "access" if group.endswith("/access") else group.rsplit("-", 1)[1]
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                for event in page["events"]:
                    yield function, event["timestamp"] / 1000, event["message"].strip()


def measure(run):
    """Reads the logs, and judges what they show."""
    time.sleep(run.place.settling)
    found = list(lines(run.resources))
    invocations = [it for function, _, message in found if (it := report(function, message))]
    for function in sorted({it.function for it in invocations}):
        run.number(f"{function}: invocations", described([it for it in invocations if it.function == function]))
    cost(run, found, invocations)
    denied = sorted({f"{function}: {message[:200]}" for function, _, message in found if DENIED.search(message)})
    run.findings.saw("policies", not denied, "; ".join(denied) or f"no line of {len(found)} says that something was denied")
    judge_invocations(run, invocations, found)
    judge_schedules(run, found)


def described(invocations):
    times, inits = [it.seconds for it in invocations], [it.init for it in invocations if it.init is not None]
    said = {
        "count": len(times), "median_seconds": round(statistics.median(times), 3), "longest_seconds": round(max(times), 3),
        "memory_used_mb": max(it.used for it in invocations), "cold_starts": len(inits)}
    return {**said, "longest_init_seconds": round(max(inits), 3)} if inits else said


def judge_invocations(run, invocations, found):
    inits = [it.init for it in invocations if it.init is not None]
    if inits:
        said = f"{len(inits)}, of {statistics.median(inits):.3f} s, and {max(inits):.3f} s at most"
        run.findings.saw("cold", max(inits) < 1, said)
    elif not run.place.is_emulated:
        run.findings.not_tried("cold", "Lambda reports no cold start")
    if invocations and not run.place.is_emulated:
        fullest = max(invocations, key=lambda it: it.used / it.memory)
        said = f"{fullest.function} took {fullest.used:.0f} of {fullest.memory:.0f} MB"
        run.findings.saw("memory", fullest.used < fullest.memory, said)
    if not run.place.is_emulated:
        # Lambda writes a function's log, with its own lines in it, in the name of the function's role.
        silent = sorted(INVOKED - {name for name, _, _ in found})
        run.findings.saw("logs", not silent, f"without a line: {silent}" if silent else f"{len(found)} lines")
    is_arm = run.architecture == "arm64"
    if is_arm and invocations:
        run.findings.saw("arm64", True, f"{len(invocations)} invocations")
    else:
        run.findings.not_tried("arm64", f"the code is for {run.architecture}")
    starts = [it for it in run.starts if it is not None]
    if starts:
        run.findings.saw("starts", max(starts) < 2, f"{len(starts)}, after {max(starts):.1f} s at most")


def judge_schedules(run, found):
    """The watch is due each minute, by its schedule alone; but for the time in which its function was in trouble."""
    if run.place.is_emulated:
        return run.findings.not_tried("punctual", "the emulator looks at schedules every ten seconds")
    times = sorted(at for function, at, line in found if function == "sync" and '"watch"' in line)
    run.findings.saw("role", bool(times), f"the watch ran {len(times)} times")
    gaps = [
        later - earlier for earlier, later in zip(times, times[1:], strict=False)
        if not any(began < later and ended > earlier for began, ended in run.troubles)]
    if not gaps:
        return run.findings.not_tried("punctual", "the watch did not run twice undisturbed")
    run.findings.saw("punctual", max(gaps) < 120, f"each minute, and {max(gaps):.0f} s apart at most")


def cost(run, found, invocations):
    """What is charged by the price list: what the logs tell, and what CloudWatch counted of the table."""
    gb_second = prices.LAMBDA_GB_SECOND if run.architecture == "arm64" else prices.LAMBDA_GB_SECOND_X86
    gb_seconds = sum(it.billed * it.memory / 1024 for it in invocations)
    requests = sum(function == "access" for function, _, _ in found)
    written = sum(len(message) for _, _, message in found)
    run.number("Lambda: GB-seconds", round(gb_seconds, 2))
    run.number("API Gateway: requests", requests)
    dollars = {
        "Lambda": gb_seconds * gb_second + len(invocations) * prices.LAMBDA_REQUEST,
        "API Gateway": requests * prices.GATEWAY_REQUEST, "logs": written / 1e9 * prices.LOG_GB}
    if not run.place.is_emulated:
        units = {name: consumed(run, name) for name in ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")}
        run.number("DynamoDB: units", units)
        read, write = units.values()
        dollars["DynamoDB"] = read * prices.DYNAMODB_READ + write * prices.DYNAMODB_WRITE
    run.number("dollars, without S3's requests, which nobody counts", {name: round(it, 6) for name, it in dollars.items()})


def consumed(run, metric):
    now = datetime.datetime.now(datetime.timezone.utc)
    points = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/DynamoDB", MetricName=metric,
        Dimensions=[{"Name": "TableName", "Value": run.deployment.outputs["TableName"]}], Period=86400, StartTime=now - datetime.timedelta(days=1), EndTime=now, Statistics=["Sum"])["Datapoints"]
    return sum(it["Sum"] for it in points)
