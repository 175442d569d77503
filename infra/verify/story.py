"""What is done with the deployment, step by step. Each step leaves what it saw in the run's findings and numbers."""
import contextlib
import json
import time

import boto3
import botocore.config

import interrupted
import probes
from client import Problem, eventually, pull, raw

# The organizations that hold the mirrors: of each image, and of what is done to one of them.
KILLED, LIMITED, CHAINED, AWAY = "killed", "limited", "chained", "away"
# The shortest timeout that the template gives the sync function, so that it needs many invocations, in seconds.
SHORT = 10
# More than where Lambda's own detection of loops ends a chain.
CHAIN = 17
# When the watch has a sync begin that was asked for, in seconds.
WATCHED = 120
# How long a collection and a chain may take, and a parked sync be waited for, in seconds.
LONG = 900


def mirror(run):
    """Mirrors each image from its registry."""
    for n, image in enumerate(run.place.images):
        organization = f"mirror{n}"
        repository, tag, config = run.place.reference(image)
        run.credentials[organization] = run.deployment.mirror(organization, repository, config, [tag])
        asked = time.time()
        done = run.deployment.sync(organization, run.place.patience)
        run.starts.append(max(0, calendar(done["started_at"]) - asked))
        run.number(f"{image}: bytes", done["bytes_copied"])
        run.number(f"{image}: seconds from Sync Now until it was seen as done", round(time.time() - asked, 1))
    schedule(run)


def schedule(run):
    """What the API has sent to Scheduler for the mirrors."""
    scheduler, group = boto3.client("scheduler"), run.deployment.outputs["ScheduleGroupName"]
    names = [it["Name"] for it in scheduler.list_schedules(GroupName=group)["Schedules"]]
    kept = [scheduler.get_schedule(GroupName=group, Name=name) for name in names]
    said = sorted(it["ScheduleExpression"] for it in kept)
    daily = said.count("rate(1440 minutes)")
    run.findings.saw("schedule", daily == len(run.place.images), f"{daily} of {len(run.place.images)}: {said}")


def pulled(run, image, organization):
    """Pulls an image with skopeo, and compares with its source."""
    tag = image.rsplit(":", 1)[1]
    source = raw(image, run.place.is_plain(image))
    got = pull(f"{run.deployment.host}/{organization}/app:{tag}", run.deployment.is_plain, run.credentials[organization],
               run.folder / "pulled")
    if source != got:
        raise Problem(f"{organization}/app:{tag} is not what {image} is")


def pull_back(run):
    """Pulls all images; what the front door does to the registry's answers."""
    for n, image in enumerate(run.place.images):
        started = time.time()
        pulled(run, image, f"mirror{n}")
        run.number(f"{image}: seconds to pull and compare", round(time.time() - started, 1))
    credentials, repository = run.credentials["mirror0"], "mirror0/app"
    tag = run.place.images[0].rsplit(":", 1)[1]
    manifest = probes.front_door(run.deployment, run.findings, credentials, repository, tag)
    probes.blobs(run.deployment, run.findings, credentials, repository, manifest)


def services(run):
    """What S3, DynamoDB and KMS do where the functions count on it."""
    probes.bucket(run.findings, run.deployment.outputs["BucketName"], run.place.is_emulated)
    probes.table(run.findings, run.deployment.outputs["TableName"])
    probes.key(run.findings, run.resources)
    probes.never(run.findings, run.place.is_emulated)


def kill(run):
    """Kills a sync in the middle of its work, and sees who goes on with it."""
    image = run.place.images[0]
    repository, tag, config = run.place.reference(image)
    run.credentials[KILLED] = run.deployment.mirror(KILLED, repository, config, [tag])
    name, after = run.deployment.outputs["SyncFunctionName"], run.arguments.kill_after
    functions, waiting = boto3.client("lambda"), f"a sync is killed after {after} s"
    queue = run.deployment.outputs["DeadLetterQueueUrl"]

    def killed_or_done():
        return interrupted.letter(queue, f"{KILLED}/app") or run.deployment.state(KILLED)["sync_status"] == "SUCCESS"

    with trouble(run), run.place.slowly(functions, name), interrupted.function(functions, name, run.code, after):
        run.deployment.sync_now(KILLED)
        letter = eventually(waiting, run.place.patience, killed_or_done)
    if letter is True:
        for it in ("killed", "no_repeat"):
            run.findings.not_tried(it, f"the sync was done within {after} s: --kill-after")
        return
    state = run.deployment.state(KILLED)["sync_status"]
    # The emulator says three, whatever it was.
    once = run.place.is_emulated or letter["count"] == 1
    said = f"{letter['condition']}, invoked {letter['count']} times"
    run.findings.saw("no_repeat", letter["condition"] == "RetriesExhausted" and once, said)
    # Its claim has to expire first; then the watch takes over.
    time.sleep(run.place.claim + 1)
    run.place.start_watch(name)
    done = run.deployment.until_synced(KILLED, run.place.patience)
    pulled(run, image, KILLED)
    run.findings.saw("killed", done["tags_failed"] == 0, f"it was {state}, and done in {done['invocations']} invocations")


def park(run):
    """Has a registry refuse a sync."""
    image = run.place.limited_image
    if not image:
        return run.findings.not_tried("parked", "it takes a registry that refuses when asked often: --limited-image")
    repository, tag, config = run.place.reference(image)
    run.credentials[LIMITED] = run.deployment.mirror(LIMITED, repository, config, [tag])
    with run.place.limited():
        run.deployment.sync_now(LIMITED)
        state = eventually(
            "the sync waits or ends", run.place.patience, lambda: run.deployment.state(LIMITED),
            lambda it: it.get("sync_waiting_until") or it["sync_status"] in ("SUCCESS", "FAIL"))
    until = state.get("sync_waiting_until")
    if not until:
        return run.findings.not_tried("parked", f"the registry of {image} did not refuse: the sync is {state['sync_status']}")
    seconds = calendar(until) - time.time()
    if seconds > LONG:
        return run.findings.not_tried("parked", f"it waits until {until}, and nobody waited for that")
    done = run.deployment.until_synced(LIMITED, seconds + run.place.patience)
    late = calendar(done["ended_at"]) - calendar(until)
    run.findings.saw("parked", True, f"it waited until {until}, and was done {late:.0f} s later, after {done['waits']} waits")
    group, scheduler = run.deployment.outputs["ScheduleGroupName"], boto3.client("scheduler")
    names = [it["Name"] for it in scheduler.list_schedules(GroupName=group)["Schedules"]]
    said = [scheduler.get_schedule(GroupName=group, Name=name)["ScheduleExpression"] for name in names]
    fired = [it for it in said if it.startswith("at(") and calendar(it[3:]) < time.time()]
    run.findings.saw("one_time", not fired, f"of {len(said)} schedules {len(fired)} have fired and are still there")


def chain(run):
    """Has a sync go on in one invocation after another."""
    functions, name = boto3.client("lambda"), run.deployment.outputs["SyncFunctionName"]
    if not run.place.chain_image:
        return run.findings.not_tried("recursion", "it takes a repository that is long in coming: --chain-image")
    repository, tags, config = run.place.reference(run.place.chain_image)
    run.deployment.mirror(CHAINED, repository, config, [tags])
    before = functions.get_function_configuration(FunctionName=name)["Timeout"]
    with trouble(run), run.place.slowly(functions, name):
        interrupted.set_timeout(functions, name, SHORT)
        try:
            invocations = run.deployment.sync(CHAINED, LONG)["invocations"]
        finally:
            interrupted.set_timeout(functions, name, before)
    if invocations < CHAIN:
        return run.findings.not_tried("recursion", f"{invocations} invocations were enough for {run.place.chain_image}")
    run.findings.saw("recursion", True, f"{invocations} invocations")


def turn_away(run):
    """Has Lambda turn invocations away."""
    functions, outputs = boto3.client("lambda"), run.deployment.outputs
    with turned_away(functions, outputs["ConsoleFunctionName"]):
        def call():
            return run.deployment.ask("GET", "/console").status
        # A limit takes a moment to hold.
        status = call() if run.place.is_emulated else eventually("calls are turned away", 60, call, lambda it: it >= 400)
    run.findings.saw("turned_away", status in (429, 503), f"{status}")
    if run.place.is_emulated:
        return run.findings.not_tried("repeats_throttled", "the emulator gives such an event up at once")
    repository, tag, config = run.place.reference(run.place.images[0])
    run.deployment.mirror(AWAY, repository, config, [tag])
    with trouble(run), turned_away(functions, outputs["SyncFunctionName"]):
        time.sleep(10)
        asked = time.time()
        run.deployment.sync_now(AWAY)
        time.sleep(10)
    after = calendar(run.deployment.until_synced(AWAY, LONG)["started_at"]) - asked
    if interrupted.letter(outputs["DeadLetterQueueUrl"], f"{AWAY}/app"):
        return run.findings.saw("repeats_throttled", False, "its event is in the dead-letter queue; the watch had it done")
    if after > WATCHED:
        return run.findings.not_tried("repeats_throttled", f"it began after {after:.0f} s: that may have been the watch")
    run.findings.saw("repeats_throttled", True, f"it began {after:.0f} s after it was asked for")


@contextlib.contextmanager
def trouble(run):
    """Remembers when the sync function was not itself: its schedules tell nothing of that time."""
    began = time.time()
    try:
        yield
    finally:
        run.troubles.append((began, time.time()))


@contextlib.contextmanager
def turned_away(functions, name):
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


def collect(run):
    """Deletes a tag, and collects twice: what was condemned is due at the second one. What is served stays."""
    last = len(run.place.images) - 1
    run.deployment.call("PUT", f"repository/mirror{last}/app/mirror", {
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["nothing-has-this-name"]}})
    run.deployment.sync(f"mirror{last}", run.place.patience)
    functions = boto3.client("lambda", config=botocore.config.Config(read_timeout=LONG, retries={"total_max_attempts": 1}))
    for n in (1, 2):
        time.sleep(run.grace_seconds + 1)
        answer = functions.invoke(FunctionName=run.deployment.outputs["GcFunctionName"], Payload=b"{}")
        said = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or said.get("held"):
            raise Problem(f"the collection failed: {json.dumps(said)}")
        run.number(f"collection {n}", {it: said[it] for it in ("links", "blobs", "condemned", "deleted") if it in said})
    pulled(run, run.place.images[0], KILLED if KILLED in run.credentials else "mirror0")


def calendar(text):
    """The time that a date of an answer says, of UTC."""
    return time.mktime(time.strptime(text[:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone
