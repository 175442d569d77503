"""What a deployment does to syncs that run: it updates a stack, and goes back, in the middle of a large blob, and nothing that
was fetched is fetched again.

    upgrade.py ZIPS [EARLIER]

EARLIER is the folder of an earlier release's code; functions that it does not have yet are taken from ZIPS. Without it an earlier one is played in two ways. What it left: a sync is
killed, and what it has stored is cut down to what the golden files say of the oldest builds. And its code: archives of the same
binaries that differ. Each release says its name when it starts.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Before this folder, which has a deploy.py, too.
sys.path[:0] = [str(ROOT / folder) for folder in ("infra/verify", "infra", "infra/local")]
sys.path.append(str(ROOT / "tests" / "bench"))
os.environ["MOORAGE_LOCAL"] = str(ROOT / "target" / "upgrade-stack")

import boto3  # noqa: E402

import client  # noqa: E402
import deploy  # noqa: E402
import front  # noqa: E402
import images  # noqa: E402
import place  # noqa: E402
import servers  # noqa: E402
import story  # noqa: E402

STACK, CODE_BUCKET, ORGANIZATION = "moorage", "moorage-code", "acme"
GOLDEN = ROOT / "shared" / "state" / "tests" / "golden"
# The parts in which a sync with so little memory fetches a large blob.
PART, PARTS = 8 * 1024 * 1024, 7
# How long an invocation may take, how long a killed sync blocks its repository, and how long something may take, in seconds.
TIMEOUT, CLAIM, PATIENCE = 10, 4, 60
# The items that an earlier release has left of a sync, by their golden file.
KINDS = {
    "Organization": "ORGANIZATION", "Robot": "ROBOT#", "Grant": "GRANT#", "Repository": "REPOSITORY#",
    "Permission": "PERMISSION#", "Mirror": "MIRROR", "Run": "RUN#", "Upload": "UPLOAD#"}
STARTED = 'started by the release "{}"'
BOOTSTRAP = f"""#!/bin/sh
echo '{STARTED}' >&2
exec "$(dirname "$0")/moorage"
"""


def main(zips, earlier=None):
    with place.world() as (environment, made), tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        boto3.client("s3").create_bucket(Bucket=CODE_BUCKET)
        binaries = {"one": pathlib.Path(earlier or zips), "two": pathlib.Path(zips)}
        releases = {name: release(it, binaries["two"], pathlib.Path(folder), name) for name, it in binaries.items()}
        address = servers.free_port()
        parameters = {
            "Architecture": "arm64" if os.uname().machine == "aarch64" else "x86_64", "BlobMemoryMegabytes": "88",
            "ClaimSeconds": str(CLAIM), "SyncTimeoutSeconds": str(TIMEOUT), "RetryBackoffSeconds": "2",
            "WatchSchedule": "rate(1 day)", "PublicUrl": f"http://localhost:{address}",
            "SsrfAllowedHosts": "localhost,127.0.0.0/8,::1"}

        def update(name):
            outputs = deploy.deploy(STACK, CODE_BUCKET, releases[name], parameters)
            # What is deployed speaks TLS alone.
            boto3.client("s3").delete_bucket_policy(Bucket=outputs["BucketName"])
            return outputs

        outputs = update("one")
        token = boto3.client("secretsmanager").get_secret_value(SecretId=outputs["AdminTokenSecretArn"])["SecretString"]
        target = environment["AWS_ENDPOINT_URL"].removeprefix("http://")
        front.Front(target, f"/_aws/execute-api/{outputs['ApiId']}/$default", address)
        deployment = client.Deployment(STACK, outputs, f"http://localhost:{address}", token)
        registry = Registry(made[0].split("/")[0])
        source = f"{registry.front.address}/samples/large"
        credentials = deployment.mirror(ORGANIZATION, source, {"verify_tls": False}, ["v1"])

        functions, sync = boto3.client("lambda"), outputs["SyncFunctionName"]
        registry.gives(3)
        deployment.sync_now(ORGANIZATION)
        registry.wait(3)
        uploads(outputs["TableName"], 3)
        kill(sync)
        client.eventually("it is given up", PATIENCE, lambda: waits(sync))
        redrive("discard")
        if not earlier:
            grow_old(outputs["TableName"])
        # A stack whose sync was killed is updated, and the new release goes on where the old one was.
        update("two")
        client.eventually("the claim expires", PATIENCE, lambda: asked(deployment))
        registry.gives(5)
        registry.wait(5)
        # One whose sync hands over goes back to the release before, which finds what the newer one has left: the emulator ends
        # invocations when their code is exchanged, as Lambda does not. So this one's successor is kept in the queue meanwhile.
        with story.turned_away(functions, sync):
            client.eventually("the sync hands over", PATIENCE, lambda: waits(sync))
            uploads(outputs["TableName"], 5)
            update("one")
        redrive("redrive")
        registry.gives(PARTS)
        run = deployment.until_synced(ORGANIZATION, PATIENCE)

        assert registry.whole() == [1] * PARTS, f"how often each part was fetched: {registry.whole()}"
        assert run["tags_copied"] == 1 and run["tags_failed"] == 0 and run["invocations"] >= 3, run
        reference = f"{deployment.host}/{ORGANIZATION}/app:v1"
        pulled = client.pull(reference, True, credentials, pathlib.Path(folder) / "pulled")
        assert pulled == client.raw(f"{registry.address}/samples/large:v1", True)
        began = starts(sync)
        assert began == ["one", "two", "one"], began
    print(f"upgrade: {run['invocations']} invocations by {', '.join(began)}, and each part was fetched once")


class Registry:
    """A registry with one large blob, whose parts come when they are allowed to."""

    def __init__(self, address):
        self.address, self.allowed = address, 0
        registry = images.Registry(f"http://{address}")
        layer = images.layer("large", PARTS * PART - 100_000)
        registry.push_image("samples/large", [layer], tag="v1")
        self.front = front.Front(address)
        self.front.pace = lambda path, part: None if self.part(part) is None or self.part(part) < self.allowed else 0

    @staticmethod
    def part(text):
        """Which part of the blob a range is."""
        return int(text.removeprefix("bytes=").split("-")[0]) // PART if text else None

    def gives(self, parts):
        self.allowed = parts

    def whole(self):
        """How often each part has gone out whole."""
        seen = [self.part(it.range) for it in list(self.front.seen) if it.range and it.is_whole]
        return [seen.count(part) for part in range(PARTS)]

    def wait(self, parts):
        client.eventually(f"{parts} parts were fetched", PATIENCE, lambda: all(self.whole()[:parts]))


def release(zips, newest, folder, name):
    """Archives of the functions' binaries that say whose they are. The template has all functions that the newest code has."""
    made = folder / name
    made.mkdir()
    for archive in newest.glob("*.zip"):
        ours = zips / archive.name
        with zipfile.ZipFile(ours if ours.exists() else archive) as original:
            binary = original.read("bootstrap")
        with zipfile.ZipFile(made / archive.name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
            for file, content in (("bootstrap", BOOTSTRAP.format(name)), ("moorage", binary)):
                info = zipfile.ZipInfo(file)
                info.external_attr = 0o755 << 16
                zipped.writestr(info, content)
    return made


def items(table):
    return [
        item for partition in (f"NS#{ORGANIZATION}", f"REPO#{ORGANIZATION}/app")
        for item in boto3.client("dynamodb").query(
            TableName=table, KeyConditionExpression="pk = :pk", ConsistentRead=True,
            ExpressionAttributeValues={":pk": {"S": partition}})["Items"]]


def uploads(table, parts):
    """Waits until the table says that so many parts are in the bucket."""
    def stored():
        return [it for it in items(table) if it["sk"]["S"].startswith("UPLOAD#") and int(it["offset"]["N"]) >= parts * PART]

    return client.eventually(f"{parts} parts are recorded", PATIENCE, stored)


def grow_old(table):
    """Takes away from what is stored what the oldest builds did not know."""
    aged = set()
    for item in items(table):
        for kind, key in KINDS.items():
            if item["sk"]["S"].startswith(key):
                known = json.loads((GOLDEN / f"{kind}.older.json").read_text())
                boto3.client("dynamodb").put_item(TableName=table, Item={name: it for name, it in item.items() if name in known})
                aged.add(kind)
    assert aged == set(KINDS), f"of these nothing is stored: {set(KINDS) - aged}"


def kill(function):
    """Kills the function's processes: what is stored stays as it is at that moment."""
    killed = 0
    for pid in servers.marked(os.environ["MOORAGE_LOCAL"]):
        try:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"AWS_LAMBDA_FUNCTION_NAME={function}".encode() in environment:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    assert killed, "no process of the function runs"


def redrive(action):
    """What is in the dead-letter queue, or it is done once more."""
    command = [sys.executable, str(ROOT / "infra" / "redrive.py"), STACK, action]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout


def waits(function):
    """Whether an event of the function is in the queue."""
    return redrive("show").startswith(f"{function}: ")


def asked(deployment):
    """Whether Sync Now is taken: as long as somebody has the claim it is not."""
    answer = deployment.ask(
        "POST", f"/api/v1/repository/{ORGANIZATION}/app/mirror/sync-now",
        {"Authorization": f"Bearer {deployment.token}", "Content-Type": "application/json"}, "{}")
    return answer.status == 204


def starts(function):
    """By which release the function's environments were started, the first first."""
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
    events = sorted((event for page in pages for event in page["events"]), key=lambda it: it["timestamp"])
    return [name for it in events for name in ("one", "two") if STARTED.format(name) in it["message"]]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (AssertionError, client.Problem) as error:
        sys.exit(f"upgrade: {error}")
