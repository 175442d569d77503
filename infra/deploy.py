"""Deploys the template: to a real account (`make deploy`) and to the local stack, by the same calls.

    deploy.py STACK CODE_BUCKET ZIP_FOLDER [Parameter=Value ...]
"""
import hashlib
import pathlib
import sys

import boto3
import botocore.exceptions

TEMPLATE = pathlib.Path(__file__).parent / "template.yaml"


def deploy(stack, code_bucket, zips, parameters):
    """Uploads the code and the template, creates or updates the stack, and returns its outputs."""
    prefix = upload(code_bucket, zips)
    parameters = {**parameters, "CodeBucket": code_bucket, "CodePrefix": prefix}
    cloudformation = boto3.client("cloudformation")
    request = {
        "StackName": stack,
        "TemplateURL": template_url(code_bucket, prefix),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    try:
        cloudformation.create_stack(**request)
        waiter = "stack_create_complete"
    except cloudformation.exceptions.AlreadyExistsException:
        waiter = "stack_update_complete"
        try:
            cloudformation.update_stack(**request)
        except botocore.exceptions.ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            waiter = None
    if waiter:
        cloudformation.get_waiter(waiter).wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 900})
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def upload(bucket, zips):
    """Uploads all code under a prefix made from its content, so that new code is a change of the template."""
    archives = sorted(pathlib.Path(zips).glob("*.zip"))
    if not archives:
        raise SystemExit(f"deploy: no code in {zips}: build it first")
    digest = hashlib.sha256(b"".join(hashlib.sha256(archive.read_bytes()).digest() for archive in archives))
    prefix = f"moorage/{digest.hexdigest()[:16]}/"
    for archive in archives:
        boto3.client("s3").upload_file(str(archive), bucket, prefix + archive.name)
    return prefix


def template_url(bucket, prefix):
    """Uploads the template, which is more than CloudFormation takes in a request, and returns where it is."""
    s3, key = boto3.client("s3"), f"{prefix}template.yaml"
    s3.upload_file(str(TEMPLATE), bucket, key)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    for key, value in deploy(*sys.argv[1:4], dict(pair.split("=", 1) for pair in sys.argv[4:])).items():
        print(f"{key}: {value}")
