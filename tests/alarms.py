"""Whether somebody is told: drives each alarm of the template to ALARM, by what it is about, and redrives dead letters.

    alarms.py

The stack that the environment names must be up, with AlarmTopicArn and Dashboard, and nothing else may use it. The
emulator counts what is invoked, fails and is turned away, where somebody waits for the answer. It reads no metrics from
logs, and has none of queues: those are put in here as CloudWatch, SQS and Lambda would put them, from the log and the
queue as they are. It looks at alarms when metrics are put in, and takes those of all dimensions for one; so an alarm's own
metric is looked at as well.
"""
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3
from boto3.dynamodb.conditions import Key

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "infra" / "local"))
import images  # noqa: E402

STACK = "moorage"
TOPIC = "operators"
NAMESPACE = f"told-{int(time.time())}"
DAY = 86_400
PATIENCE = 60
COMPARE = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}

cloudwatch, functions, sqs, table = (
    boto3.client("cloudwatch"), boto3.client("lambda"), boto3.client("sqs"),
    boto3.resource("dynamodb").Table(os.environ["MOORAGE_TABLE"]))
SYNC, GC, API, REGISTRY, CONSOLE, EVENTS, RESOURCE = (
    os.environ[f"MOORAGE_{name}_FUNCTION"] for name in ("SYNC", "GC", "API", "REGISTRY", "CONSOLE", "EVENTS", "RESOURCE"))


def main():
    told = listen()
    alarms = {alarm["AlarmName"].removeprefix(f"{STACK}-"): alarm for alarm in described()}
    driven = set()

    def drive(*names):
        # Data of no metric of ours has the emulator look at all alarms.
        put("Nothing", "nothing", {}, 1)
        for name in names:
            state = next(it["StateValue"] for it in described() if it["AlarmName"] == f"{STACK}-{name}")
            assert state == "ALARM" and breaches(alarms[name]), f"{name} is {state}, and its metric {data(alarms[name])}"
            print(f"alarms: {name} went off")
        driven.update(names)

    dashboard()
    # The emulator does not see that nothing comes, which has this one go off.
    missing = alarms["reconciliation-missing"]
    assert missing["TreatMissingData"] == "breaching" and not data(missing), missing
    cloudwatch.set_alarm_state(AlarmName=missing["AlarmName"], StateValue="ALARM", StateReason="nothing came")
    driven.add("reconciliation-missing")
    facts(missing, drive)
    failures(drive)
    dead_letters(drive)
    if missing := set(alarms) - driven:
        sys.exit(f"alarms: nothing drove {sorted(missing)}")
    heard = set()
    while heard < {f"{STACK}-{name}" for name in alarms}:
        messages = sqs.receive_message(QueueUrl=told, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", [])
        assert messages, f"the topic was not told of {set(alarms) - {name.removeprefix(f'{STACK}-') for name in heard}}"
        for message in messages:
            notice = json.loads(json.loads(message["Body"])["Message"])
            if notice["NewStateValue"] == "ALARM":
                heard.add(notice["AlarmName"])
            sqs.delete_message(QueueUrl=told, ReceiptHandle=message["ReceiptHandle"])
    print(f"alarms: all {len(alarms)} went off, and the topic was told of each")


# The causes -----------------------------------------------------------------------------------------------------------

def facts(missing, drive):
    """Mirrors and collections as nobody wants them, which a reconciliation finds."""
    upstream = os.environ["MOORAGE_UPSTREAM"]
    images.push_samples(f"http://{upstream}", f"{NAMESPACE}/app")
    call("POST", "organization/", {"name": NAMESPACE, "email": "ops@example.com"})
    call("PUT", f"organization/{NAMESPACE}/robots/mirror", {})
    for name, registry in (("late", "127.0.0.1:1"), ("killed", upstream), ("held", upstream), ("again", upstream)):
        mirror(name, registry)
    # A registry that has been gone for ten days.
    assert sync("late") == "FAIL"
    change("late", created=int(time.time()) - 10 * DAY)
    # A sync that was killed two hours ago.
    change("killed", sync_status="SYNCING", sync_expiration_date=int(time.time()) - 7_200)
    # A rule that would delete more than the mirror allows.
    assert sync("held") == "SUCCESS"
    rule = {"rule_kind": "tag_glob_csv", "rule_value": ["v1"]}
    call("PUT", f"repository/{NAMESPACE}/held/mirror", {"root_rule": rule, "deletion_limit": 1})
    assert sync("held") == "SUCCESS"
    # A collection that finds far fewer links than the one before, four days after that.
    assert collect()["held"] is None
    newest = collections()[0]
    before = int(time.time()) - 4 * DAY
    newest.update(links=1_000_000, ended_at=before)
    table.put_item(Item=newest)
    assert collect()["held"]["reason"] == "links_shrank"

    view = call("GET", "superuser/mirror/health")["facts"]
    asked = functions.invoke(FunctionName=SYNC, Payload=json.dumps({"task": "reconcile"}))
    assert "FunctionError" not in asked, asked["Payload"].read()
    line = emitted()
    for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
        put("Moorage", metric["Name"], {"stack": line["stack"]}, line[metric["Name"]])
    assert line["mending_failed"] == 0, line
    put("Moorage", "mending_failed", {"stack": line["stack"]}, 1)
    drive("mirrors-late", "claims-expired", "deletions-held", "mending-fails", "collection-held", "collection-late")
    assert data(missing) == [1], "somebody has looked at the mirrors"

    # Whether or not there is a network to fetch the trusted roots from.
    asked = functions.invoke(FunctionName=SYNC, Payload=json.dumps({"task": "refresh_trust"}))
    answer = json.loads(asked["Payload"].read())["trust_refreshed"]
    assert answer["refreshed"] + answer["failed"] == 2, answer
    trust = emitted()
    assert trust["trust_root_age_seconds"] == answer["age_seconds"], trust
    put("Moorage", "trust_root_age_seconds", {"stack": trust["stack"]}, 8 * DAY)
    # What the function of notifications says when it has switched one off.
    put("Moorage", "notifications_off", {"stack": trust["stack"]}, 1)
    drive("trust-roots-old", "notifications-off")

    for name, kind in (("late", "late"), ("killed", "expired"), ("held", "held")):
        assert f"{NAMESPACE}/{name}" in view[kind] or len(view[kind]) == 5, view
    for name in ("mirrors_late", "mirrors_held", "claim_expired_seconds", "collection_age_seconds", "mirrors"):
        assert abs(view[name] - line[name]) < PATIENCE, (name, view, line)
    assert view["collection_held"] and line["collection_held"] == 1 and view["claims_expired"] >= 1, (view, line)


def failures(drive):
    """Functions that fail, and are turned away."""
    for name in (SYNC, GC, API, REGISTRY, CONSOLE, EVENTS, RESOURCE):
        answer = functions.invoke(FunctionName=name, Payload=json.dumps({"task": "no-such-task", "dry_run": "perhaps"}))
        assert "FunctionError" in answer, name
    drive("sync-errors", "gc-errors", "api-errors", "registry-errors", "console-errors", "events-errors", "resource-errors")
    for name in (SYNC, API, REGISTRY, CONSOLE):
        with turned_away(name):
            try:
                functions.invoke(FunctionName=name, Payload="{}")
                raise AssertionError(f"{name} was not turned away")
            except functions.exceptions.TooManyRequestsException:
                pass
    drive("sync-throttles", "api-throttles", "registry-throttles", "console-throttles")


def dead_letters(drive):
    """What could not be started, and what fails, is in the queue; once more, what can be done is done."""
    url = outputs()["DeadLetterQueueUrl"]
    schedules(url)
    redrive("discard")
    assert not waiting(url)
    with turned_away(SYNC):
        call("POST", f"repository/{NAMESPACE}/again/mirror/sync-now")
        wait("the sync is in the queue", lambda: waiting(url) == 1)
    functions.invoke(FunctionName=GC, InvocationType="Event", Payload=json.dumps({"dry_run": "perhaps"}))
    wait("the collection is, too", lambda: waiting(url) == 2)
    shown = redrive("show")
    assert f'{SYNC}: {{"repository": "{NAMESPACE}/again"' in shown and f'{GC}: {{"dry_run": "perhaps"}}' in shown, shown
    assert waiting(url) == 2, "who looks takes nothing"
    put("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": url.rsplit("/", 1)[1]}, waiting(url))
    for name in (SYNC, GC):
        put("AWS/Lambda", "AsyncEventsDropped", {"FunctionName": name}, shown.count(f"{name}: "))
    drive("dead-letters", "sync-events-dropped", "gc-events-dropped")

    assert call("GET", f"repository/{NAMESPACE}/again/mirror")["sync_status"] == "SYNC_NOW"
    redrive("redrive")
    wait("the sync is done", lambda: call("GET", f"repository/{NAMESPACE}/again/mirror")["sync_status"] == "SUCCESS")
    wait("what fails again comes back", lambda: waiting(url) == 1)
    assert "1 events" in redrive("discard") and not waiting(url)
    print("alarms: what was in the queue was done")


def schedules(url):
    """What a schedule cannot deliver goes to the queue, whoever made it."""
    scheduler = boto3.client("scheduler")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for group in (f"{STACK}-mirrors", f"{STACK}-stack"):
        names = [it["Name"] for it in scheduler.list_schedules(GroupName=group)["Schedules"]]
        assert names, f"{group} has no schedules"
        for name in names:
            try:
                target = scheduler.get_schedule(GroupName=group, Name=name)["Target"]
            except scheduler.exceptions.ResourceNotFoundException:
                # A one-time schedule, which has fired meanwhile.
                continue
            assert target["DeadLetterConfig"] == {"Arn": arn}, (name, target)


# The means ------------------------------------------------------------------------------------------------------------

class turned_away:
    """No invocation of a function, for a while."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.before = functions.get_function_concurrency(FunctionName=self.name).get("ReservedConcurrentExecutions")
        functions.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=0)

    def __exit__(self, *_):
        if self.before is None:
            functions.delete_function_concurrency(FunctionName=self.name)
        else:
            functions.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=self.before)


def listen():
    """A queue that hears what the topic is told."""
    topic = boto3.client("sns").create_topic(Name=TOPIC)["TopicArn"]
    url = sqs.create_queue(QueueName=f"{TOPIC}-{NAMESPACE}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    assert all(alarm["AlarmActions"] == [topic] for alarm in described()), "the alarms are this topic's"
    return url


def described():
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{STACK}-")
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def dashboard():
    body = json.loads(cloudwatch.get_dashboard(DashboardName=STACK)["DashboardBody"])
    assert len(body["widgets"]) >= 9 and "${" not in json.dumps(body), body


def put(namespace, name, dimensions, value):
    datum = {"MetricName": name, "Dimensions": [{"Name": key, "Value": it} for key, it in dimensions.items()]}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{**datum, "Value": value}])


def data(alarm):
    """What an alarm's own metric, by its own dimensions, was in its time."""
    now = datetime.datetime.now(datetime.timezone.utc)
    points = cloudwatch.get_metric_statistics(
        Namespace=alarm["Namespace"], MetricName=alarm["MetricName"], Dimensions=alarm["Dimensions"],
        Period=alarm["Period"], StartTime=now - datetime.timedelta(seconds=alarm["Period"] * alarm["EvaluationPeriods"]),
        EndTime=now + datetime.timedelta(seconds=alarm["Period"]), Statistics=[alarm["Statistic"]])["Datapoints"]
    return [point[alarm["Statistic"]] for point in points]


def breaches(alarm):
    crosses = COMPARE[alarm["ComparisonOperator"]]
    return any(crosses(value, alarm["Threshold"]) for value in data(alarm))


def emitted():
    """The last line of the sync function's log that holds metrics of the deployment's health."""
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{SYNC}")
    lines = [event["message"] for page in pages for event in page["events"]]
    lines = [json.loads(line) for line in lines if '"stack"' in line and '"_aws"' in line]
    assert lines, "a reconciliation tells how the mirrors are"
    assert lines[-1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stack"]]
    return lines[-1]


def outputs():
    described = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in described}


def waiting(url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(int(it) for it in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())


def redrive(action):
    command = [sys.executable, str(ROOT / "infra" / "redrive.py"), STACK, action]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout


def collect():
    answer = functions.invoke(FunctionName=GC, Payload="{}")["Payload"].read()
    return json.loads(answer)


def collections():
    """Their items, the newest first."""
    condition = Key("pk").eq("GARBAGE") & Key("sk").begins_with("COLLECTION#")
    return table.query(KeyConditionExpression=condition, ScanIndexForward=False)["Items"]


def change(name, **attributes):
    """Sets attributes of a mirror's item."""
    table.update_item(
        Key={"pk": f"REPO#{NAMESPACE}/{name}", "sk": "MIRROR"},
        UpdateExpression="SET " + ", ".join(f"#{key} = :{key}" for key in attributes),
        ExpressionAttributeNames={f"#{key}": key for key in attributes},
        ExpressionAttributeValues={f":{key}": value for key, value in attributes.items()})


def mirror(name, registry):
    repository = {"namespace": NAMESPACE, "repository": name, "visibility": "private", "description": "", "repo_kind": "image"}
    call("POST", "repository", repository)
    call("POST", f"repository/{NAMESPACE}/{name}/mirror", {
        "external_reference": f"{registry}/{NAMESPACE}/app", "external_registry_config": {"verify_tls": False},
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}, "sync_interval": DAY,
        "sync_start_date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + DAY)),
        "skopeo_timeout_interval": 300, "robot_username": f"{NAMESPACE}+mirror"})


def sync(name):
    """Syncs a mirror, and says how that ended."""
    path = f"repository/{NAMESPACE}/{name}/mirror"
    call("POST", f"{path}/sync-now")
    return wait(f"{name} is synced", lambda: call("GET", path)["sync_status"], lambda status: status in ("SUCCESS", "FAIL"))


def wait(what, ask, is_it=bool):
    deadline = time.monotonic() + PATIENCE
    while not is_it(answer := ask()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}: {answer}"
        time.sleep(0.2)
    return answer


def call(method, path, body=None):
    headers = {"Authorization": f"Bearer {os.environ['MOORAGE_TOKEN']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{os.environ['MOORAGE_URL']}/api/v1/{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = response.read()
    except urllib.error.HTTPError as error:
        # Health tells of failing mirrors by this status.
        if error.code != 503 or "health" not in path:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        answer = error.read()
    return json.loads(answer) if answer else None


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"alarms: {error}")
