"""What a verification makes in an account, and how all of it is removed again: the code's bucket, the stack, and what a
deleted stack leaves. Its name tells: nothing else has names, or a tag, with it."""
import re
import secrets
import time

import boto3
import botocore.exceptions

import deploy

PREFIX = "moorage-verify-"
# The tag of the stack, which what is made of it inherits.
TAG = "moorage-verify"
# How long CloudFormation may take with the stack, in seconds.
PATIENCE = 1800
# The shortest time after which KMS forgets a key, in days: until then it costs nothing, and opens nothing.
KEY_DAYS = 7
# What S3 deletes at once.
BATCH = 1000


def new_name():
    return PREFIX + secrets.token_hex(4)


def checked(name):
    """A name that only a verification gives."""
    if not re.fullmatch(PREFIX + "[0-9a-f]{8}", name):
        raise SystemExit(f"verify: {name} is not the name of a verification: {PREFIX} and eight hexadecimal digits")
    return name


def code_bucket(name):
    return f"{name}-code"


def make(name, zips, parameters):
    """Makes the code's bucket and the stack, and returns the stack's outputs."""
    s3 = boto3.client("s3")
    region = s3.meta.region_name
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=code_bucket(name), **where)
    return deploy.deploy(name, code_bucket(name), zips, parameters, {TAG: name})


def unmake(name, say):
    """Removes all that `make` has made, however far it came. Returns what is still there, and what the stack left."""
    # Tags may come late, and a stack tells nothing of what it has left.
    keys = [it["PhysicalResourceId"] for it in resources(name) if it["ResourceType"] == "AWS::KMS::Key"]
    delete_stack(name, say)
    left = leftovers(name, keys)
    for bucket in left["buckets"]:
        say(f"deleting the bucket {bucket} with all versions")
        delete_bucket(bucket)
    for table in left["tables"]:
        boto3.client("dynamodb").delete_table(TableName=table)
        boto3.client("dynamodb").get_waiter("table_not_exists").wait(TableName=table)
    for key in left["keys"]:
        boto3.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=KEY_DAYS)
    for secret in left["secrets"]:
        boto3.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    for group in left["log groups"]:
        boto3.client("logs").delete_log_group(logGroupName=group)
    for group in left["schedule groups"]:
        boto3.client("scheduler").delete_schedule_group(Name=group)
    still = {kind: names for kind, names in leftovers(name, keys).items() if names}
    return still, {kind: names for kind, names in left.items() if names}


def resources(name):
    """What the stack consists of, as far as it has come; nothing if there is none."""
    if stack_status(name) is None:
        return []
    made = pages("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name)
    return [it for it in made if it.get("PhysicalResourceId")]


def delete_stack(name, say):
    """Deletes the stack, also one that is being made."""
    cloudformation, deadline = boto3.client("cloudformation"), time.monotonic() + PATIENCE
    while (status := stack_status(name)) is not None:
        if time.monotonic() > deadline:
            say(f"the stack {name} is {status}, and would not be deleted")
            return
        if status != "DELETE_IN_PROGRESS":
            say(f"deleting the stack {name}, which is {status}")
            try:
                cloudformation.delete_stack(StackName=name)
                cloudformation.get_waiter("stack_delete_complete").wait(
                    StackName=name, WaiterConfig={"Delay": 2, "MaxAttempts": PATIENCE // 2})
            except botocore.exceptions.WaiterError:
                # It says why at the next turn; what a sync has just made in a group is gone then.
                time.sleep(10)
            except cloudformation.exceptions.ClientError as error:
                # It is in the middle of something that cannot be broken off.
                say(str(error))
                time.sleep(10)
        else:
            time.sleep(2)


def stack_status(name):
    """What the stack is doing; nothing if there is none."""
    try:
        status = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except botocore.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if status == "DELETE_COMPLETE" else status


def leftovers(name, keys=()):
    """What is there by that name, by kind. Keys have none: their tag tells, or whoever knows `keys` of the stack."""
    named = f"{name}-"
    return {
        "stacks": [name] if stack_status(name) else [],
        "buckets": [it["Name"] for it in boto3.client("s3").list_buckets()["Buckets"] if it["Name"].startswith(named)],
        "tables": [it for it in pages("dynamodb", "list_tables", "TableNames") if it.startswith(named)],
        "keys": live_keys({*tagged_keys(name), *keys}),
        "secrets": [it["ARN"] for it in pages("secretsmanager", "list_secrets", "SecretList") if it["Name"].startswith(named)],
        "log groups": [
            it["logGroupName"] for prefix in (f"/aws/lambda/{named}", f"/moorage/{name}/")
            for it in pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)],
        "schedule groups": [
            it["Name"] for it in pages("scheduler", "list_schedule_groups", "ScheduleGroups", NamePrefix=named)
            if it["State"] != "DELETING" and it["Name"].startswith(named)],
    }


def pages(service, call, what, **arguments):
    return boto3.client(service).get_paginator(call).paginate(**arguments).build_full_result()[what]


def tagged_keys(name):
    tagged = pages(
        "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", ResourceTypeFilters=["kms:key"],
        TagFilters=[{"Key": TAG, "Values": [name]}])
    return [it["ResourceARN"].rsplit("/", 1)[1] for it in tagged]


def live_keys(keys):
    """Those that are not being deleted. A list of tags may lag behind."""
    kms, live = boto3.client("kms"), []
    for key in sorted(keys):
        try:
            state = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
        except kms.exceptions.NotFoundException:
            continue
        if state != "PendingDeletion":
            live.append(key)
    return live


def delete_bucket(bucket):
    """Deletes a bucket with all versions and unfinished uploads of what is in it."""
    s3 = boto3.client("s3")
    for upload in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket).build_full_result().get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    listed = s3.get_paginator("list_object_versions").paginate(Bucket=bucket).build_full_result()
    versions = [
        {"Key": it["Key"], "VersionId": it["VersionId"]}
        for kind in ("Versions", "DeleteMarkers") for it in listed.get(kind, [])]
    for at in range(0, len(versions), BATCH):
        deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions[at:at + BATCH], "Quiet": True})
        if deleted.get("Errors"):
            raise RuntimeError(f"{bucket} could not be emptied: {deleted['Errors'][0]}")
    s3.delete_bucket(Bucket=bucket)
