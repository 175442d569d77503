"""What S3, DynamoDB, KMS and API Gateway do where the functions count on it: asked directly, beside what the deployment has."""
import base64
import concurrent.futures
import hashlib
import json
import os
import uuid

import boto3
import botocore.config
import botocore.exceptions

from client import ask, basic
from place import ONLY_ELSEWHERE

ANY_MANIFEST = ", ".join(
    f"application/vnd.{it}" for it in (
        "oci.image.index.v1+json", "oci.image.manifest.v1+json", "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json"))
# A refusal that is asked for again would blur what came of the first request.
ONCE = botocore.config.Config(retries={"total_max_attempts": 1}, max_pool_connections=16)
# What a refusal of a condition may be; a conflict is one that another request was quicker.
REFUSED = {"PreconditionFailed", "ConditionalRequestConflict", "ConditionalCheckFailedException"}


def refusal(call, **arguments):
    """How AWS refuses a call, or nothing if it does what it is asked for."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


def front_door(deployment, findings, credentials, repository, tag):
    """What API Gateway makes of the registry's answers."""
    root = deployment.ask("GET", "/v2/")
    version = root.headers.get("docker-distribution-api-version")
    findings.saw("root", root.status == 401 and version is not None, f"{root.status}, registry version {version}")
    challenge = root.headers.get("www-authenticate")
    others = sorted(name.lower() for name in root.headers if "authenticate" in name.lower() or "challenge" in name.lower())
    findings.saw("challenge", (challenge or "").startswith("Bearer "), f"{challenge}; of such headers there are {others}")

    path, headers = f"/v2/{repository}/manifests/{tag}", {**basic(credentials), "Accept": ANY_MANIFEST}
    manifest, head = deployment.ask("GET", path, headers), deployment.ask("HEAD", path, headers)
    length = head.headers.get("content-length")
    holds = manifest.status == head.status == 200 and length == str(len(manifest.body))
    findings.saw("head_manifest", holds, f"{head.status}, content-length {length} of {len(manifest.body)} bytes")
    return json.loads(manifest.body) if manifest.status == 200 else {}


def blobs(deployment, findings, credentials, repository, manifest):
    """What clients get of a blob: its length, and a URL that lends the right to read it."""
    if "manifests" in manifest:
        path = f"/v2/{repository}/manifests/{manifest['manifests'][0]['digest']}"
        manifest = json.loads(deployment.ask("GET", path, {**basic(credentials), "Accept": ANY_MANIFEST}).body)
    layer = manifest["layers"][0]
    path = f"/v2/{repository}/blobs/{layer['digest']}"
    length = deployment.ask("HEAD", path, basic(credentials)).headers.get("content-length")
    findings.saw("head_blob", length == str(layer["size"]), f"content-length {length} of {layer['size']} bytes")
    lent = deployment.ask("GET", path, basic(credentials)).headers.get("location") or ""
    if not lent:
        return findings.saw("presigned", False, "there is no redirect")
    whole, part = ask("GET", lent), ask("GET", lent, {"Range": "bytes=1-9"})
    written = ask("PUT", lent, body=b"something else")
    is_blob = f"sha256:{hashlib.sha256(whole.body).hexdigest()}" == layer["digest"]
    holds = is_blob and part.body == whole.body[1:10] and part.status == 206 and written.status == 403
    findings.saw("presigned", holds, f"GET {whole.status}, a part {part.status}, PUT {written.status}")


def bucket(findings, name, is_emulated):
    """S3's conditions, checksums and parts. What it writes is beside the layout, and goes with the bucket."""
    s3, key = boto3.client("s3", config=ONCE), f"verify/{uuid.uuid4()}"
    put = {"Bucket": name, "Key": key, "Body": b"it"}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: refusal(s3.put_object, **put, IfNoneMatch="*"), range(16)))
    others = {it for it in answers if it}
    won = answers.count(None)
    findings.saw("put_absent", won == 1 and others <= REFUSED, f"{won} won; the others: {sorted(others)}")

    etag, wrong = s3.head_object(Bucket=name, Key=key)["ETag"], '"0123456789abcdef0123456789abcdef"'
    refused, taken = refusal(s3.put_object, **put, IfMatch=wrong), refusal(s3.put_object, **put, IfMatch=etag)
    findings.saw("put_match", refused in REFUSED and taken is None, f"another: {refused}; the right one: {taken or 'taken'}")

    code = refusal(finish, s3=s3, bucket=name, key=key, parts=[b"it"], IfNoneMatch="*")
    findings.saw("complete_absent", code in REFUSED, str(code or "it was completed"))
    code = refusal(finish, s3=s3, bucket=name, key=f"{key}-small", parts=[b"small", b"it"])
    if is_emulated and code is None:
        findings.not_tried("small_part", "the emulator takes parts of any size")
    else:
        findings.saw("small_part", code == "EntityTooSmall", str(code or "it was completed"))
    false = base64.b64encode(hashlib.sha256(b"else").digest()).decode()
    code = refusal(s3.put_object, Bucket=name, Key=f"{key}-false", Body=b"it", ChecksumSHA256=false)
    findings.saw("checksum", code is not None, str(code or "it was written"))

    etag = s3.head_object(Bucket=name, Key=key)["ETag"]
    refused = refusal(s3.delete_object, Bucket=name, Key=key, IfMatch=wrong)
    taken = refusal(s3.delete_object, Bucket=name, Key=key, IfMatch=etag)
    findings.saw("delete_match", refused in REFUSED and taken is None, f"another: {refused}; the right one: {taken or 'taken'}")
    if is_emulated:
        return findings.not_tried("tls_only", "the emulator speaks plain http, and has no such policy")
    code = refusal(boto3.client("s3", use_ssl=False, config=ONCE).list_objects_v2, Bucket=name)
    findings.saw("tls_only", code == "AccessDenied", f"a signed request that may read otherwise: {code or 'answered'}")


def finish(s3, bucket, key, parts, **condition):
    """Uploads an object in parts; an upload that is refused is ended."""
    upload = {"Bucket": bucket, "Key": key}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    try:
        done = [
            {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=part)["ETag"]}
            for n, part in enumerate(parts, 1)]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": done}, **condition)
    except botocore.exceptions.ClientError:
        s3.abort_multipart_upload(**upload)
        raise


def table(findings, name):
    """What DynamoDB tells of what it refuses. Its items are in a partition that nothing of ours reads."""
    dynamodb = boto3.client("dynamodb")
    item = {"pk": {"S": "VERIFY"}, "sk": {"S": str(uuid.uuid4())}, "what": {"S": "first"}}
    absent = {"TableName": name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    dynamodb.put_item(**absent)
    try:
        dynamodb.put_item(**absent, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        findings.saw("old_item", False, "it was written")
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        told = error.response.get("Item")
        findings.saw("old_item", told == item, "it tells the item" if told == item else f"it tells {told}")
    other = {"Put": {"TableName": name, "Item": {**item, "sk": {"S": str(uuid.uuid4())}}}}
    try:
        dynamodb.transact_write_items(TransactItems=[other, {"Put": absent}])
        findings.saw("transaction", False, "it was written")
    except dynamodb.exceptions.TransactionCanceledException as error:
        codes = [it.get("Code") for it in error.response.get("CancellationReasons", [])]
        findings.saw("transaction", codes == ["None", "ConditionalCheckFailed"], f"{codes}")
    live = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    status, attribute = live["TimeToLiveStatus"], live.get("AttributeName")
    if "AWS_ENDPOINT_URL" in os.environ and status == "DISABLED":
        return findings.not_tried("ttl", "the emulator passes over it")
    findings.saw("ttl", status in ("ENABLED", "ENABLING") and attribute == "expires_at", f"{status} by {attribute}")


def key(findings, resources):
    """KMS holds a ciphertext to its context."""
    kms = boto3.client("kms")
    key = next(it["PhysicalResourceId"] for it in resources if it["ResourceType"] == "AWS::KMS::Key")
    sealed = kms.encrypt(KeyId=key, Plaintext=b"it", EncryptionContext={"verify": "one"})["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"verify": "one"})["Plaintext"]
    code = refusal(kms.decrypt, CiphertextBlob=sealed, EncryptionContext={"verify": "another"})
    findings.saw("context", opened == b"it" and code == "InvalidCiphertextException", f"another context: {code}")


def never(findings, is_emulated):
    """What would take longer, or more of the account, than a verification is to."""
    findings.not_tried("gateway_time", "no call of a verification takes so long")
    findings.not_tried("large_answer", "no image of a verification has such a manifest")
    findings.not_tried("ecr", "it takes EcrEvents, and a push to the account's ECR")
    if is_emulated:
        for name in ("role", "logs", "cold", "memory"):
            findings.not_tried(name, ONLY_ELSEWHERE)
