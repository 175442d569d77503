"""What the template must say, whatever it says besides. Exits with what is wrong.

    template.py
"""
import json
import pathlib
import re
import sys

from cfnlint.decode import cfn_yaml

TEMPLATE = pathlib.Path(__file__).resolve().parents[1] / "infra" / "template.yaml"

GOLDEN = TEMPLATE.parents[1] / "shared" / "domain" / "tests" / "golden"
# Actions that IAM knows no resources of.
WITHOUT_RESOURCES = {
    "scheduler:ListSchedules", "ecr:GetAuthorizationToken", "ecr-public:GetAuthorizationToken",
    "sts:GetServiceBearerToken", "sts:GetWebIdentityToken",
}
# The golden files of what the schedules of the template send.
INPUTS = {"Reconcile": "reconcile.older.json", "Watch": "watch.json", "GcTrigger": "collect.older.json", "TrustRule": "refresh_trust.json"}

# What API Gateway or the template itself writes. It escapes nothing, so that what a client writes (a path, a method, an
# error's message, a protocol, a header) can end the JSON, or add to it.
SAFE_IN_ACCESS_LOG = {
    "requestTime", "requestTimeEpoch", "requestId", "identity.sourceIp", "routeKey", "status", "responseLatency",
    "responseLength", "integrationLatency", "integrationStatus",
}


RUNBOOK = TEMPLATE.parent / "RUNBOOK.md"
SOURCES = [TEMPLATE.parents[1] / folder for folder in ("shared", "functions")]
# What AWS itself measures: a metric of another name, or with other dimensions, never has data.
AWS_METRICS = {
    ("AWS/Lambda", "Errors"): {"FunctionName"},
    ("AWS/Lambda", "Throttles"): {"FunctionName"},
    ("AWS/Lambda", "AsyncEventsDropped"): {"FunctionName"},
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName"},
}
QUEUE = {"Fn::GetAtt": ["DeadLetters", "Arn"]}


def problems(template):
    resources = template["Resources"]
    yield from alarms(of_type(resources, "AWS::CloudWatch::Alarm"), RUNBOOK.read_text())
    yield from failures(resources)
    yield from access_log(resources["Stage"]["Properties"])
    yield from inputs(resources)
    for name, resource in resources.items():
        if resource["Type"] == "AWS::IAM::Role":
            yield from role(name, resource["Properties"])


def of_type(resources, kind):
    return {name: it["Properties"] for name, it in resources.items() if it["Type"] == kind}


def alarms(alarms, runbook):
    """Somebody is told of each, finds in the runbook what to do, and its metric is one that somebody measures."""
    measured, sections = dict(AWS_METRICS), set(re.findall(r"^## `([\w-]+)`$", runbook, re.MULTILINE))
    for source in (source for folder in SOURCES for source in folder.rglob("src/**/*.rs")):
        text = source.read_text()
        dimensions = set(re.findall(r'emit\(\s*&\[\("(\w+)"', text))
        measured.update({("Moorage", name): dimensions for name in re.findall(r'(?:metric\(|Metric \{ name: )"(\w+)"', text)})
    names = set()
    for resource, alarm in alarms.items():
        name = alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        names.add(name)
        if name not in sections or not alarm["AlarmDescription"].endswith(f" infra/RUNBOOK.md: {name}"):
            yield f"{resource}: the runbook has no section {name}, or the description does not name it"
        metric, dimensions = (alarm["Namespace"], alarm["MetricName"]), {it["Name"] for it in alarm["Dimensions"]}
        if measured.get(metric) != dimensions:
            yield f"{resource}: nobody measures {metric} by {dimensions}"
        if alarm["AlarmActions"] != [{"Ref": "AlarmTopicArn"}] or alarm["OKActions"] != alarm["AlarmActions"]:
            yield f"{resource}: nobody is told of it, or of its end"
    if unknown := sections - names:
        yield f"the runbook is about alarms that are not there: {sorted(unknown)}"


def failures(resources):
    """What is invoked without anybody waiting goes to the queue if it fails, by whoever may put it there."""
    for name, config in of_type(resources, "AWS::Lambda::EventInvokeConfig").items():
        if config.get("DestinationConfig") != {"OnFailure": {"Destination": QUEUE}}:
            yield f"{name}: what fails is lost"
        role = resources[config["FunctionName"]["Ref"]]["Properties"]["Role"]["Fn::GetAtt"][0]
        statements = statements_of(resources[role]["Properties"]["Policies"][0])
        if not any(it["Action"] == "sqs:SendMessage" and it["Resource"] == QUEUE for it in statements):
            yield f"{role}: it may not keep what fails"
    for name, schedule in of_type(resources, "AWS::Scheduler::Schedule").items():
        if schedule["Target"].get("DeadLetterConfig") != {"Arn": QUEUE}:
            yield f"{name}: what cannot be delivered is lost"


def statements_of(policy):
    """The statements of a policy, with those, too, that a role has by a condition only."""
    return [it["Fn::If"][1] if "Fn::If" in it else it for it in policy["PolicyDocument"]["Statement"]]


def inputs(resources):
    """What the stack's own schedules send must be what the functions have a golden file of."""
    for name, file in INPUTS.items():
        sent = json.loads(resources[name]["Properties"]["Target"]["Input"])
        if sent != json.loads((GOLDEN / file).read_text()):
            yield f"{name} sends {sent}, which is not what {file} has"
    schedules = {name for name, resource in resources.items() if resource["Type"] == "AWS::Scheduler::Schedule"}
    if missing := schedules ^ set(INPUTS):
        yield f"schedules without a golden file, or the other way round: {sorted(missing)}"


def access_log(stage):
    text = stage["AccessLogSettings"]["Format"]
    for variable in re.findall(r"\$context\.([\w.]+)", text):
        if variable not in SAFE_IN_ACCESS_LOG:
            yield f"the access log holds $context.{variable}, which a client may write"
    line = re.sub(r"\$context\.[\w.]+", "x", text)
    if "$" in line or not isinstance(json.loads(line), dict):
        yield f"the access log's lines are not JSON objects: {text}"
    if not stage["DefaultRouteSettings"].get("ThrottlingRateLimit"):
        yield "the stage has no limit of its own"


def role(name, properties):
    for policy in properties["Policies"]:
        for statement in statements_of(policy):
            where = f"{name}, {statement.get('Sid', 'a statement without a name')}"
            yield from statement_problems(where, statement)


def statement_problems(where, statement):
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    condition = statement.get("Condition", {})
    if "Sid" not in statement:
        yield f"{where}: the record of calls could not name it"
    for action in actions:
        if "*" in action:
            yield f"{where}: {action} is many actions"
        # An index has other partitions, and of its items only the keys.
        of_index = action == "dynamodb:Query" and "/index/" in str(statement["Resource"])
        if action.startswith("dynamodb:") and not of_index and not guarded(condition, "dynamodb:LeadingKeys"):
            yield f"{where}: {action} is not bound to partitions"
        if action == "kms:Decrypt" and not guarded(condition, "kms:EncryptionContextKeys"):
            yield f"{where}: {action} is not bound to contexts"
    if statement["Resource"] == "*" and not set(actions) <= WITHOUT_RESOURCES:
        yield f"{where}: it is about all resources"


def guarded(condition, key):
    """Whether a condition of all values of a key also needs the key: a request without it has no value to differ."""
    operators = {operator.split(":")[0] for operator, keys in condition.items() if key in keys}
    return {"ForAllValues", "Null"} <= operators and condition["Null"][key] == "false"


if __name__ == "__main__":
    if found := list(problems(cfn_yaml.load(str(TEMPLATE)))):
        sys.exit("template: " + "\ntemplate: ".join(found))
    print("template: it says what it must")
