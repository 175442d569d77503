"""The emulator, with those rules of IAM that it does not have of its own, and a record of what they came to.

It enforces roles' policies (AUTH=true), but knows neither the condition keys `dynamodb:LeadingKeys` and
`kms:EncryptionContextKeys`, nor `iam:PassRole`, and takes every schedule for one of the default group. This gives each
request what the keys need, so that its own evaluation decides. Not here: roles that the emulator's services take on
themselves, which are Scheduler's role and its trust, and writing functions' logs.

MOORAGE_IAM_RECORD names a file that gets one line of JSON for each statement of a role's policy that a call needed, and
for each call that was denied.
"""
import json
import os
import re
from urllib.parse import parse_qs

import faster
import forks
from ministack.core import iam_actions, iam_evaluator

PARTITION_KEY = "pk"
RECORD = os.environ.get("MOORAGE_IAM_RECORD")
# What was evaluated for the call that is being decided: a decision has no pause, so there is one at a time.
evaluated = []
recorded = set()


class Resource(str):
    """An ARN, with what else is known of the call."""
    context = {}
    passed_role = None


def parsed(body):
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def leading_keys(request):
    """The partition keys of a request, but for transactions, whose writes are checked one by one."""
    values = request.get("ExpressionAttributeValues") or {}
    keys = [item[PARTITION_KEY] for item in (request.get("Key"), request.get("Item")) if item and PARTITION_KEY in item]
    if placeholder := re.match(r"#?pk = (:\w+)", request.get("KeyConditionExpression", "")):
        keys.append(values[placeholder[1]])
    for table in (request.get("RequestItems") or {}).values():
        if isinstance(table, dict):
            keys += [key[PARTITION_KEY] for key in table.get("Keys", [])]
        else:
            keys += [write["PutRequest"]["Item"][PARTITION_KEY] if "PutRequest" in write
                     else write["DeleteRequest"]["Key"][PARTITION_KEY] for write in table]
    return [key["S"] for key in keys]


def with_keys(context, keys):
    return {**context, "dynamodb:LeadingKeys": keys} if keys else context


def dynamodb_service_context(body, original=iam_actions.dynamodb_service_context):
    return with_keys(original(body), leading_keys(parsed(body)))


def dynamodb_transaction_checks(action, body, region, account, original=iam_actions.dynamodb_transaction_checks):
    writes = parsed(body).get("TransactItems") or []
    checks = []
    for (item_action, arn), write in zip(original(action, body, region, account), writes, strict=False):
        resource = Resource(arn)
        resource.context = with_keys({}, leading_keys(next(iter(write.values()))))
        checks.append((item_action, resource))
    return checks


def request_tag_context(service, action, body, params, original=iam_actions.request_tag_context):
    context = original(service, action, body, params)
    if service == "kms" and (secret := parsed(body).get("EncryptionContext")):
        context["kms:EncryptionContextKeys"] = list(secret)
        context.update({f"kms:EncryptionContext:{key}": value for key, value in secret.items()})
    if service == "sts":
        form = parse_qs((body or b"").decode("utf-8", errors="replace"))
        audiences = [value for name, values in form.items() if name.startswith("Audience.") for value in values]
        context.update({"sts:IdentityTokenAudience": audiences} if audiences else {})
    return context


def extract_resource_arn(service, method, path, headers, body, params, *rest, original=iam_actions.extract_resource_arn):
    arn = original(service, method, path, headers, body, params, *rest)
    if service != "scheduler" or ":schedule/default/" not in arn:
        return arn
    request, group = parsed(body), params.get("groupName")
    group = request.get("GroupName") or (group[0] if isinstance(group, list) else group) or "default"
    resource = Resource(arn.replace(":schedule/default/", f":schedule/{group}/"))
    resource.passed_role = (request.get("Target") or {}).get("RoleArn")
    return resource


def enforce(key, action, service, region, resource_arn="*", service_context=None):
    if not isinstance(resource_arn, Resource):
        return decide(key, action, service, region, resource_arn, service_context)
    context = {**(service_context or {}), **resource_arn.context}
    denied = decide(key, action, service, region, str(resource_arn), context)
    if denied or not resource_arn.passed_role:
        return denied
    passed = {"iam:PassedToService": f"{service}.amazonaws.com"}
    return decide(key, "iam:PassRole", "iam", region, resource_arn.passed_role, passed)


def decide(*call, original=iam_evaluator.enforce):
    evaluated.clear()
    denied = original(*call)
    # The first evaluation is of the role's policies; the emulator goes on with those of the resource.
    if evaluated and not isinstance(denied, iam_evaluator.AuthError):
        record(*evaluated[0], denied is not None)
    return denied


def evaluate(ctx, policies, *limits, original=iam_evaluator.evaluate):
    evaluated.append((ctx, policies))
    return original(ctx, policies, *limits)


def record(ctx, policies, is_denied):
    if not RECORD or ":assumed-role/" not in ctx.principal_arn:
        return
    role = ctx.principal_arn.split("/")[1]
    if is_denied:
        context = {name: value for name, value in ctx.service_context.items() if value is not None}
        lines = [{"role": role, "denied": ctx.action, "resource": ctx.resource_arn, "context": context}]
    else:
        statements = (statement for policy in policies for statement in policy)
        lines = [{"role": role, "statement": it.sid, "action": ctx.action} for it in statements if grants(it, ctx)]
    for line in map(json.dumps, lines):
        if line not in recorded:
            recorded.add(line)
            with open(RECORD, "a") as file:
                file.write(line + "\n")


def grants(statement, ctx):
    return (statement.effect == "Allow" and iam_evaluator._action_matches(ctx.action, statement.actions, [])
            and iam_evaluator._resource_matches(ctx.resource_arn, statement.resources, [])
            and iam_evaluator._conditions_met(statement.conditions, ctx))


def main():
    for module, replacements in (
        (iam_actions, [dynamodb_service_context, dynamodb_transaction_checks, request_tag_context, extract_resource_arn]),
        (iam_evaluator, [enforce, evaluate]),
    ):
        for replacement in replacements:
            setattr(module, replacement.__name__, replacement)
    faster.install()
    if forks_socket := os.environ.get("MOORAGE_EMULATOR_FORKS"):
        forks.listen(forks_socket)
    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
