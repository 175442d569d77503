"""The functions as the emulator runs them: their logs, settings, limits, and cold starts."""
import contextlib
import datetime
import json
import re
import shutil
import socket
import subprocess
import time
import zipfile

# What the sync function's last line of an invocation says.
ENDINGS = ("sync ended", "sync goes on in another invocation", "sync waits for its registry")
# The longest sync that is waited for.
WAIT_SECONDS = 3_600
# How often the log is looked at. The API would say, too, but with the processors and the requests that are measured.
LOOK_EVERY = 0.1


def lines(bed, function, since):
    """The function's log from `since` on, in Unix seconds."""
    pages = bed.client("logs").get_paginator("filter_log_events")
    group = f"/aws/lambda/{function}"
    return [event["message"].rstrip("\n") for page in pages.paginate(logGroupName=group, startTime=int(since * 1000))
            for event in page["events"]]


def ended(bed, since, repository):
    """Waits until a sync has ended. Returns what its log says of each invocation, and the log's bytes and metrics."""
    deadline, found = time.monotonic() + WAIT_SECONDS, []
    while not found or found[-1]["message"] != ENDINGS[0]:
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {repository} has not ended: {found}")
        time.sleep(LOOK_EVERY)
        log = lines(bed, bed.env["MOORAGE_SYNC_FUNCTION"], since)
        found = [it for it in map(parsed, log) if it.get("message") in ENDINGS and it.get("repository") == repository]
    for it in found:
        it["ended"] = datetime.datetime.fromisoformat(it["timestamp"].replace("Z", "+00:00")).timestamp()
        it["began"] = it["ended"] - it["duration_ms"] / 1000
    metrics = [it for line in log for it in parsed(line).get("_aws", {}).get("CloudWatchMetrics", [])]
    return found, sum(map(len, log)), sum(len(it["Metrics"]) for it in metrics)


def billed(bed, function, since):
    """The milliseconds of each invocation since then, as the emulator reports them."""
    found = (re.search(r"Billed Duration: (\d+)", line) for line in lines(bed, function, since))
    return [int(it[1]) for it in found if it]


def parsed(line):
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def memory(bed, function):
    """The memory that a function has, in MiB."""
    return bed.client("lambda").get_function_configuration(FunctionName=function)["MemorySize"]


@contextlib.contextmanager
def changed(bed, **settings):
    """The sync function with other settings, for a while."""
    client, name = bed.client("lambda"), bed.env["MOORAGE_SYNC_FUNCTION"]
    before = client.get_function_configuration(FunctionName=name)
    client.update_function_configuration(FunctionName=name, **settings)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, **{key: before[key] for key in settings})


def limited(zips, folder):
    """A build's zips, made so that the kernel gives a function's process no more memory than the function has: its writable
    memory (RLIMIT_DATA), resident or not, may not exceed it. That is stricter than Lambda in what it counts, but leaves
    out the code's pages. The binaries themselves lie beside the zips. Returns their folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in zips.glob("*.zip"):
        binary = folder / path.stem
        with zipfile.ZipFile(path) as archive:
            binary.write_bytes(archive.read("bootstrap"))
        binary.chmod(0o755)
        script = f'#!/bin/sh\nulimit -d "$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * 1024))" || exit 1\nexec {binary}\n'
        with zipfile.ZipFile(folder / path.name, "w") as archive:
            archive.writestr("bootstrap", script)
    return folder


def cold_start(bed, name):
    """Seconds from the start of a function's process until it asks its runtime for work."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        deployed = bed.client("lambda").get_function_configuration(FunctionName=f"moorage-{name}")
        variables = deployed.get("Environment", {}).get("Variables", {}) | {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}", "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployed["MemorySize"]),
            "AWS_LAMBDA_LOG_GROUP_NAME": "", "AWS_LAMBDA_LOG_STREAM_NAME": "", "AWS_REGION": bed.env["AWS_REGION"],
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": bed.env["AWS_ENDPOINT_URL"]}
        began = time.monotonic()
        process = subprocess.Popen(
            [str(bed.zips / name)], env=variables, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            server.accept()[0].close()
            return time.monotonic() - began
        finally:
            process.kill()
            process.wait()
