"""Deploys the template: to a real account (`make deploy`) and to the local stack, by the same calls.

    deploy.py STACK CODE_BUCKET ZIP_FOLDER ['Parameter=Value ...' ...]

Parameters that are not named keep the values that the stack has. Values with spaces are quoted as for a shell.
"""
import hashlib
import pathlib
import shlex
import sys

import boto3
import botocore.exceptions

TEMPLATE = pathlib.Path(__file__).parent / "template.yaml"


def deploy(stack, code_bucket, zips, parameters):
    """Uploads the code, creates or updates the stack, and returns its outputs."""
    prefix = upload(code_bucket, zips)
    parameters = {**parameters, "CodeBucket": code_bucket, "CodePrefix": prefix}
    return put(boto3.client("cloudformation"), stack, TEMPLATE.read_text(), parameters)


def put(cloudformation, stack, template, parameters):
    """Creates or updates the stack, and returns its outputs."""
    named = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    request = {"StackName": stack, "TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"]}
    try:
        cloudformation.create_stack(**request, Parameters=named)
        waiter = "stack_create_complete"
    except cloudformation.exceptions.AlreadyExistsException:
        waiter = "stack_update_complete"
        kept = kept_parameters(cloudformation, stack, template, parameters)
        try:
            cloudformation.update_stack(**request, Parameters=named + kept)
        except botocore.exceptions.ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            waiter = None
    if waiter:
        cloudformation.get_waiter(waiter).wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 900})
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def kept_parameters(cloudformation, stack, template, named):
    """The parameters that the stack has, the template still knows, and nobody names: without them each would get its
    default again."""
    known = {it["ParameterKey"] for it in cloudformation.validate_template(TemplateBody=template)["Parameters"]}
    there = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Parameters", [])
    keys = sorted(known.intersection(it["ParameterKey"] for it in there).difference(named))
    return [{"ParameterKey": key, "UsePreviousValue": True} for key in keys]


def read(texts):
    """Parameters by name, of texts as `Name=Value Name="value with spaces"`."""
    pairs = [pair for text in texts for pair in shlex.split(text)]
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise SystemExit(f"deploy: not Parameter=Value: {' '.join(wrong)}")
    return dict(pair.split("=", 1) for pair in pairs)


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


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    for key, value in deploy(*sys.argv[1:4], read(sys.argv[4:])).items():
        print(f"{key}: {value}")
