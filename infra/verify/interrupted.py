"""A sync function that dies in the middle of its work.

Lambda has no call that ends an invocation which goes on, and a timeout is what a sync looks ahead to. So the function's
code is exchanged for a while: a shell script, as `bootstrap`, starts the real one and kills it some seconds later. For
Lambda, and for the table and the bucket, that is a process that is gone from one moment to the next."""
import contextlib
import io
import json
import zipfile

import boto3

SCRIPT = """#!/bin/sh
"$(dirname "$0")/moorage" &
child=$!
(sleep {after}; kill -9 "$child") &
wait "$child"
"""


def archive(code, after):
    """The code of a function, as a zip, that is killed so many seconds after it has started."""
    with zipfile.ZipFile(io.BytesIO(code)) as original:
        binary = original.read("bootstrap")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in (("bootstrap", SCRIPT.format(after=after)), ("moorage", binary)):
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
            zipped.writestr(info, content)
    return made.getvalue()


@contextlib.contextmanager
def function(functions, name, code, after):
    """Has the function die. `code` is where its own code is: (bucket, key)."""
    s3, (bucket, key) = boto3.client("s3"), code
    dying = f"{key}.dying"
    s3.put_object(Bucket=bucket, Key=dying, Body=archive(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), after))
    set_code(functions, name, bucket, dying)
    try:
        yield
    finally:
        set_code(functions, name, bucket, key)


def set_code(functions, name, bucket, key):
    functions.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key=key)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)


def set_timeout(functions, name, seconds):
    functions.update_function_configuration(FunctionName=name, Timeout=seconds)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)


def letter(url, repository):
    """What the dead-letter queue has of a repository's sync: why Lambda gave it up, and how often it had tried."""
    received = boto3.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1, VisibilityTimeout=5, MaxNumberOfMessages=10)
    for message in received.get("Messages", []):
        body = json.loads(message["Body"])
        if (body.get("requestPayload") or {}).get("repository") == repository:
            context = body.get("requestContext") or {}
            return {"condition": context.get("condition"), "count": context.get("approximateInvokeCount")}
    return None
