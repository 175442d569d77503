"""Whether `make verify-deployed` finds what is there, and leaves nothing, however it ends.

    verify_deployed.py ZIPS

Brings up an emulator and two registries of its own, and runs infra/verify against them: to its end, to a failure half way,
interrupted, and killed. What is not the run's own stays.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Before this folder, which has a deploy.py, too.
sys.path[:0] = [str(ROOT / folder) for folder in ("infra/verify", "infra", "infra/local")]
sys.path.append(str(ROOT / "tests" / "bench"))
os.environ["MOORAGE_LOCAL"] = str(ROOT / "target" / "verify-stack")

import boto3  # noqa: E402

import findings  # noqa: E402
import measures  # noqa: E402
import place  # noqa: E402
import report  # noqa: E402

# What an emulator cannot tell, or a run does only if it is given something to do it with.
NOT_TRIED = {
    "gateway_time", "large_answer", "ecr", "recursion", "repeats_throttled", "tls_only", "small_part", "ttl", "role",
    "punctual", "cold", "memory", "logs",
}
# How long a run may take.
PATIENCE = 240
COMMAND = [sys.executable, str(ROOT / "infra" / "verify")]


def main(zips):
    documented()
    reports()
    verdicts()
    with place.world() as (environment, images), tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        bystanders()
        before = inventory()

        def run(*arguments):
            command = [*COMMAND, zips, "--images", *images, "--report", folder, *arguments]
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

        told = ended(run(), 0)
        found = read(folder, told)
        assert found["counts"]["does not hold"] == 0 and not found["left"], told
        is_arm = os.uname().machine == "aarch64"
        not_tried = {name for name, row in found["assumptions"].items() if row["verdict"] == "not tried"}
        assert not_tried == NOT_TRIED | (set() if is_arm else {"arm64"}), not_tried
        assert list(found["steps"])[-1] == "measure" and found["numbers"]["Lambda: GB-seconds"] > 0, told
        same(before, "a whole run")

        told = ended(run("--fail-after", "mirror"), 1)
        assert "it was to fail here" in told and read(folder, told)["steps"].keys() == {"deploy", "mirror"}, told
        same(before, "a run that fails half way")

        for kind, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = run()
            at(process, "== mirror" if code == 130 else "== deploy")
            process.send_signal(kind)
            told = ended(process, code)
            assert "It was interrupted" in told, told
            same(before, "a run that is interrupted")

        process = run()
        name = at(process, "== mirror")
        process.kill()
        process.wait()
        assert inventory() != before, "a run that is killed leaves something"
        cleaned = subprocess.run([*COMMAND, "--clean", name], capture_output=True, text=True, timeout=PATIENCE)
        assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
        same(before, "--clean")
        refused = subprocess.run([*COMMAND, "--clean", "moorage"], capture_output=True, text=True, timeout=PATIENCE)
        assert refused.returncode == 1 and "not the name of a verification" in refused.stderr, refused
    print("verify: what is assumed is compared with what is there, and nothing is left")


def documented():
    """The page of the deployment lists the same assumptions, in the same words."""
    page = (ROOT / "infra" / "README.md").read_text()
    section = page.split("## Untested here\n")[1].split("\n## ")[0]
    listed = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)[1:]
    assert listed == list(findings.ASSUMPTIONS.values()), set(listed) ^ set(findings.ASSUMPTIONS.values())


def reports():
    """Lambda's report is read as an account writes it, as JSON and as text."""
    metrics = {
        "durationMs": 250.5, "billedDurationMs": 280, "memorySizeMB": 512, "maxMemoryUsedMB": 61, "initDurationMs": 29.25}
    record = {"requestId": "x", "status": "success", "metrics": metrics}
    line = json.dumps({"time": "2026-01-01T00:00:00Z", "type": "platform.report", "record": record})
    text = "\t".join([
        "REPORT RequestId: x", "Duration: 250.5 ms", "Billed Duration: 280 ms", "Memory Size: 512 MB", "Max Memory Used: 61 MB",
        "Init Duration: 29.25 ms"])
    expected = measures.Invocation("sync", 0.2505, 0.28, 512, 61, 0.02925)
    assert measures.report("sync", line) == measures.report("sync", text) == expected
    assert measures.report("sync", text.rsplit("\t", 1)[0]).init is None
    assert measures.report("sync", '{"level": "INFO", "fields": {}}') is None


def verdicts():
    """What does not hold is told of, and what was not tried is not taken for it."""
    found = findings.Findings()
    found.saw("root", True, "it answers")
    found.not_tried("ecr", "nobody pushes")
    assert found.failed() == []
    found.saw("challenge", False, "none | at all")
    assert found.failed() == [findings.ASSUMPTIONS["challenge"]]
    assert list(report.table(["a"], [["none | at all"]]))[2] == "| none \\| at all |"


def bystanders():
    """What looks like a run's, and is not."""
    boto3.client("s3").create_bucket(Bucket="moorage-verify-bystander")
    boto3.client("logs").create_log_group(logGroupName="/aws/lambda/moorage-verify-bystander-sync")
    boto3.client("scheduler").create_schedule_group(Name="moorage-verify-bystander-mirrors")
    boto3.client("kms").create_key(Tags=[{"TagKey": "moorage-verify", "TagValue": "moorage-verify-bystander"}])
    boto3.client("secretsmanager").create_secret(Name="moorage-verify-bystander", SecretString="it")
    boto3.client("sqs").create_queue(QueueName="moorage-verify-bystander")


def inventory():
    """All that is in the account."""
    kms = boto3.client("kms")
    keys = [kms.describe_key(KeyId=it["KeyId"])["KeyMetadata"] for it in kms.list_keys()["Keys"]]
    stacks = boto3.client("cloudformation").list_stacks()["StackSummaries"]
    return {
        "stacks": [it["StackName"] for it in stacks if it["StackStatus"] != "DELETE_COMPLETE"],
        "buckets": sorted(it["Name"] for it in boto3.client("s3").list_buckets()["Buckets"]),
        "tables": boto3.client("dynamodb").list_tables()["TableNames"],
        "keys": sorted(it["KeyId"] for it in keys if it["KeyState"] != "PendingDeletion"),
        "secrets": sorted(it["Name"] for it in boto3.client("secretsmanager").list_secrets()["SecretList"]),
        "log groups": sorted(it["logGroupName"] for it in boto3.client("logs").describe_log_groups()["logGroups"]),
        "schedule groups": sorted(it["Name"] for it in boto3.client("scheduler").list_schedule_groups()["ScheduleGroups"]),
        "schedules": sorted(it["Name"] for it in boto3.client("scheduler").list_schedules()["Schedules"]),
        "roles": sorted(it["RoleName"] for it in boto3.client("iam").list_roles()["Roles"]),
        "functions": sorted(it["FunctionName"] for it in boto3.client("lambda").list_functions()["Functions"]),
        "event sources": boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"],
        "queues": sorted(boto3.client("sqs").list_queues().get("QueueUrls", [])),
        "APIs": [it["ApiId"] for it in boto3.client("apigatewayv2").get_apis()["Items"]],
    }


def same(before, what):
    after = inventory()
    differs = {kind: (before[kind], after[kind]) for kind in before if before[kind] != after[kind]}
    assert not differs, f"{what} changes what is in the account: {differs}"


def at(process, line):
    """Waits until a run is at a step, and returns its name."""
    name = None
    for said in process.stdout:
        name = name or re.match(r"== (moorage-verify-\w+):", said)[1]
        if said.startswith(line):
            return name
    raise AssertionError(f"it never came to {line}")


def ended(process, code):
    told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, f"{process.returncode} instead of {code}: {told}"
    return told


def read(folder, told):
    name = re.search(r"^== (moorage-verify-\w+):", told, re.MULTILINE)[1]
    assert (pathlib.Path(folder) / f"{name}.md").read_text() in told
    return json.loads((pathlib.Path(folder) / f"{name}.json").read_text())


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except AssertionError as error:
        sys.exit(f"verify: {error}")
