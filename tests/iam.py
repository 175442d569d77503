"""Whether the roles allow what the functions do, and nothing else. Exits with what is wrong.

    iam.py RECORD

RECORD is what infra/local/emulator.py wrote while the tests ran: the statements that calls needed, and the calls that
were denied. The policies are those that the stack has, which must be up.
"""
import json
import pathlib
import sys

import boto3
from ministack.core import iam_evaluator

STACK = "moorage"
# What no test can need, by role and statement, and why.
UNTRIED = {
    ("SyncRole", "Log"): "the emulator writes the functions' logs itself",
    ("GcRole", "Log"): "the emulator writes the functions' logs itself",
    ("ApiRole", "Log"): "the emulator writes the functions' logs itself",
    ("RegistryRole", "Log"): "the emulator writes the functions' logs itself",
    ("ConsoleRole", "Log"): "the emulator writes the functions' logs itself",
    ("EventsRole", "Log"): "the emulator writes the functions' logs itself",
    ("ResourceRole", "Log"): "the emulator writes the functions' logs itself",
    ("ResourceRole", "KeepWhatFails"): "the emulator puts what fails into the queue itself",
    ("EventsRole", "TakeMessages"): "the emulator takes messages out of queues itself",
    ("ScheduleRole", "StartFunctions"): "the emulator's Scheduler delivers by itself",
    ("ScheduleRole", "KeepWhatFails"): "the emulator's Scheduler delivers by itself",
    ("SyncRole", "LogInToGallery"): "the emulator has no ECR Public",
    ("SyncRole", "LetGalleryKnowIt"): "the emulator has no ECR Public",
    ("SyncRole", "ReadCloudRepositories"): "the emulator's registry is not asked, but what stands in for ECR's",
    ("SyncRole", "KeepWhatFails"): "the emulator puts what fails into the queue itself",
    ("GcRole", "KeepWhatFails"): "the emulator puts what fails into the queue itself",
    ("GcRole", "EndUploads"): "it ends uploads that are a week old, and the emulator's clock cannot be set",
    ("GcRole", "GoOn"): "a collection goes on in another invocation after a quarter of an hour",
}
# What a test tries to see it denied, by role, action and a part of the resource.
TRIED_IN_VAIN = {
    ("RegistryRole", "s3:PutObject", "/blobs/"): "a URL that lends the right to read is tried for writing",
    ("ResourceRole", "secretsmanager:GetSecretValue", "undeclared-"): "a stack names a secret that no parameter allows",
    ("SyncRole", "s3:PutObject", "/repositories/halfway-"): "the bucket's own policy denies a test one tag's history",
    ("SyncRole", "s3:PutObject", "/collections/00000000-"): "the same denies another test what is written to try the right",
}
TABLE, LAYOUT = "dynamodb:LeadingKeys", "docker/registry/v2"
OTHER_SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:of-somebody-else"
AUDIENCE = "api://AzureADTokenExchange"
CLOUD_ROLE, OTHER_ROLE = "arn:aws:iam::000000000000:role/clouds-x", "arn:aws:iam::000000000000:role/admin"
WRITES = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem")


def in_vain(role, call):
    """Whether a test tries what is denied on purpose: of this role, this action, where the resource holds this text."""
    return any((role, call["denied"]) == tried[:2] and tried[2] in call["resource"] for tried in TRIED_IN_VAIN)


def roles():
    """The statements of each role, by its name in the template."""
    iam = boto3.client("iam")
    for resource in boto3.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]:
        if resource["ResourceType"] != "AWS::IAM::Role":
            continue
        role = resource["PhysicalResourceId"]
        policies = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]]
        trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        yield resource["LogicalResourceId"], role, policies, trust


def problems(record):
    names, policies_of = {}, {}
    for name, role, policies, trust in roles():
        names[role], policies_of[name] = name, policies
        if name == "ScheduleRole":
            yield from trust_problems(trust)
    # A role that a test makes, for the sync function to assume, is none of the template's.
    record = [it for it in record if it["role"] in names]
    used = {(names[it["role"]], it["statement"], it["action"]) for it in record if "statement" in it}
    for call in record:
        if "denied" in call and not in_vain(names[call["role"]], call):
            context = call["context"]
            yield f"{names[call['role']]} may not {call['denied']} on {call['resource']} with {context}, and tried to"
    for name, policies in policies_of.items():
        for statement in (statement for policy in policies for statement in policy["Statement"]):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            for action in actions:
                needed = (name, statement["Sid"], action) in used
                if not needed and (name, statement["Sid"]) not in UNTRIED:
                    yield f"{name} may {action} by {statement['Sid']}, and nothing needed it"
    yield from refusals(policies_of)


def trust_problems(trust):
    for statement in trust["Statement"]:
        sources = statement.get("Condition", {}).get("StringEquals", {}).get("aws:SourceArn", [])
        if len(sources) != 2 or not all(":schedule-group/" in arn and "*" not in arn for arn in sources):
            yield f"ScheduleRole is not bound to the stack's schedule groups: {statement}"


def refusals(policies_of):
    """Asks for what must be refused, and for what is like it and must not."""
    bucket = bucket_arn(policies_of)
    blob, link = f"{bucket}/{LAYOUT}/blobs/sha256/aa/aa/data", f"{bucket}/{LAYOUT}/repositories/a/b/_layers/sha256/aa/link"
    for role in ("SyncRole", "GcRole", "RegistryRole", "ApiRole", "EventsRole", "ResourceRole"):
        for action in WRITES:
            writes_tokens = role == "ApiRole"
            yield from asked(policies_of, role, action, {TABLE: ["TOKENS"]}, writes_tokens)
            yield from asked(policies_of, role, action, {TABLE: ["REPO#a/b", "TOKENS"]}, writes_tokens)
            # Whose webhook an id is, is the API's alone.
            yield from asked(policies_of, role, action, {TABLE: ["WEBHOOK#00"]}, role == "ApiRole")
            # Whoever ends mirrors takes them out of the lists of ECR's repositories.
            yield from asked(policies_of, role, action, {TABLE: ["ECR#1/a/b"]}, role in ("ApiRole", "SyncRole"))
            # What mirrors are found by is written by whoever makes and ends them.
            yield from asked(policies_of, role, action, {TABLE: ["ORIGIN#quay.io/a/b"]}, role in ("ApiRole", "SyncRole"))
            # Which stack has made what is written by who makes it for stacks; they do all else by the API.
            writes_owners = role == "ResourceRole" and action in ("dynamodb:PutItem", "dynamodb:DeleteItem")
            yield from asked(policies_of, role, action, {TABLE: ["RESOURCE#moorage/a/organization"]}, writes_owners)
            yield from asked(policies_of, role, action, {}, False)
    for action in ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"):
        yield from asked(policies_of, "ResourceRole", action, {TABLE: ["REPO#a/b"]}, False)
    yield from asked(policies_of, "ResourceRole", "secretsmanager:GetSecretValue", {}, False, OTHER_SECRET)
    yield from asked(policies_of, "SyncRole", "dynamodb:PutItem", {TABLE: ["REPO#a/b"]}, True)
    yield from asked(policies_of, "GcRole", "dynamodb:PutItem", {TABLE: ["NS#a"]}, False)
    yield from asked(policies_of, "GcRole", "dynamodb:UpdateItem", {TABLE: ["NS#a"]}, True)
    yield from asked(policies_of, "ApiRole", "dynamodb:PutItem", {TABLE: ["GARBAGE#00"]}, False)
    for role in ("SyncRole", "ApiRole"):
        yield from asked(policies_of, role, "dynamodb:Query", {TABLE: ["GARBAGE"]}, True)
        yield from asked(policies_of, role, "dynamodb:PutItem", {TABLE: ["GARBAGE"]}, False)
    # Who the function is, is for Microsoft's directory alone.
    for audiences, may in ([AUDIENCE], True), ([AUDIENCE, "https://example.com"], False), ([], False):
        context = {"sts:IdentityTokenAudience": audiences} if audiences else {}
        yield from asked(policies_of, "SyncRole", "sts:GetWebIdentityToken", context, may, "*")
    for service, may in ("ecr-public.amazonaws.com", True), ("codeartifact.amazonaws.com", False), (None, False):
        context = {"sts:AWSServiceName": service} if service else {}
        yield from asked(policies_of, "SyncRole", "sts:GetServiceBearerToken", context, may, "*")
    for role, action, resource, may in (
        ("SyncRole", "sts:AssumeRole", CLOUD_ROLE, True), ("SyncRole", "sts:AssumeRole", OTHER_ROLE, False),
        ("ApiRole", "sts:AssumeRole", CLOUD_ROLE, False), ("ApiRole", "ecr:GetAuthorizationToken", "*", False),
        ("SyncRole", "s3:DeleteObject", blob, False), ("SyncRole", "s3:DeleteObject", link, True),
        ("SyncRole", "s3:PutObject", f"{bucket}/else", False), ("SyncRole", "s3:PutObject", blob, True),
        ("GcRole", "s3:DeleteObject", f"{bucket}/else", False), ("GcRole", "s3:DeleteObject", blob, True),
        ("GcRole", "s3:PutObject", link, False), ("RegistryRole", "s3:GetObject", f"{bucket}/else", False),
        ("RegistryRole", "s3:PutObject", link, False), ("ApiRole", "s3:GetObject", blob, False),
    ):
        yield from asked(policies_of, role, action, {}, may, resource)
    for action in ("dynamodb:GetItem", "dynamodb:Query", "s3:GetObject", "secretsmanager:GetSecretValue", "kms:Decrypt", "lambda:InvokeFunction"):
        yield from asked(policies_of, "ConsoleRole", action, {TABLE: ["REPO#a/b"]}, False, blob)
    yield from secrets(policies_of)


def secrets(policies_of):
    """Each role opens what it needs: registries' passwords are a sync's, robots' tokens are the API's."""
    stored = [(owner, with_registry) for owner in ("repository", "robot_upstream", "organization") for with_registry in (True, False)]
    for owner, with_registry in stored:
        keys = [owner, "registry"] if with_registry else [owner]
        yield from asked(policies_of, "SyncRole", "kms:Decrypt", encryption(keys), True)
        yield from asked(policies_of, "SyncRole", "kms:Encrypt", encryption(keys), False)
        yield from asked(policies_of, "ApiRole", "kms:Decrypt", encryption(keys), False)
        yield from asked(policies_of, "ApiRole", "kms:Encrypt", encryption(keys), with_registry)
    # What seals certificates and their keys is for the same two.
    for owner in ("repository", "robot_upstream", "organization"):
        keys = encryption([owner, "registry", "sealed"])
        for role, action, may in (("SyncRole", "kms:Decrypt", True), ("SyncRole", "kms:Encrypt", False), ("ApiRole", "kms:Decrypt", False), ("ApiRole", "kms:Encrypt", True)):
            yield from asked(policies_of, role, action, keys, may)
    for action in ("kms:Decrypt", "kms:Encrypt"):
        yield from asked(policies_of, "ApiRole", action, encryption(["robot"]), True)
        yield from asked(policies_of, "SyncRole", action, encryption(["robot"]), False)
    yield from asked(policies_of, "EventsRole", "kms:Decrypt", encryption(["notification"]), True)
    yield from asked(policies_of, "ApiRole", "kms:Encrypt", encryption(["notification"]), True)
    for role, action in (("ApiRole", "kms:Decrypt"), ("SyncRole", "kms:Decrypt"), ("EventsRole", "kms:Encrypt")):
        yield from asked(policies_of, role, action, encryption(["notification"]), False)
    for owner in ("repository", "robot_upstream", "organization", "robot"):
        yield from asked(policies_of, "EventsRole", "kms:Decrypt", encryption([owner]), False)
    # Whoever adds a key of one's own to another's context gets it from neither, and nobody gets what is bound to nothing.
    for keys in ([], ["another"], ["robot", "repository"], ["robot", "registry"], ["robot", "another"], ["repository", "another"]):
        for role in ("SyncRole", "ApiRole", "GcRole", "RegistryRole", "EventsRole", "ResourceRole"):
            yield from asked(policies_of, role, "kms:Decrypt", encryption(keys), False)
            yield from asked(policies_of, role, "kms:Encrypt", encryption(keys), False)


def encryption(keys):
    """What KMS says of an encryption context with these keys."""
    values = {f"kms:EncryptionContext:{key}": "it" for key in keys}
    return {"kms:EncryptionContextKeys": keys, **values} if keys else {}


def bucket_arn(policies_of):
    statements = (it for policy in policies_of["SyncRole"] for it in policy["Statement"])
    return next(it["Resource"] for it in statements if it["Sid"] == "ListContent")


def asked(policies_of, role, action, context, may, resource=None):
    """Whether a role's policies decide as they should; without a resource, on any that they are about."""
    parsed = [iam_evaluator.parse_policy_document(policy) for policy in policies_of[role]]
    about = [it for policy in parsed for statement in policy if action in statement.actions for it in statement.resources]
    decisions = set()
    for it in [resource] if resource else about:
        request = iam_evaluator.EvalContext(
            principal_arn="arn:aws:sts::000000000000:assumed-role/role/it", principal_type="AssumedRole",
            principal_account="000000000000", action=action, resource_arn=it, region="us-east-1",
            service_context={key.lower(): value for key, value in context.items()})
        decisions.add(iam_evaluator.evaluate(request, parsed).decision)
    if ("Allow" in decisions) != may:
        yield f"{role} {'may not' if may else 'may'} {action} on {resource or 'its resources'} with {context}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    found = list(problems([json.loads(line) for line in pathlib.Path(sys.argv[1]).read_text().splitlines()]))
    if found:
        sys.exit("iam: " + "\niam: ".join(found))
    print("iam: the functions needed all that their roles allow, and nothing else")
