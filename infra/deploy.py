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
# What the functions are made of: infra/sbom.py writes it.
SBOMS = TEMPLATE.parents[1] / "target" / "sbom"
# The parameter that says whether the table has the index that came last.
NEWEST_INDEX = "MirrorsIndex"


def deploy(stack, code_bucket, zips, parameters, tags=None):
    """Uploads the code and the template, creates or updates the stack, and returns its outputs. The stack gets the tags, and
    what is made of it; without any it keeps those that it has."""
    prefix = upload(code_bucket, zips)
    parameters = {**parameters, "CodeBucket": code_bucket, "CodePrefix": prefix}
    return put(boto3.client("cloudformation"), stack, template_url(code_bucket, prefix), parameters, tags)


def put(cloudformation, stack, template, parameters, tags=None):
    """Creates or updates the stack from the template at a URL, and returns its outputs."""
    request = {"StackName": stack, "TemplateURL": template, "Capabilities": ["CAPABILITY_IAM"]}
    if tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    try:
        cloudformation.create_stack(**request, Parameters=as_named(parameters))
        wait(cloudformation, stack, "stack_create_complete")
    except cloudformation.exceptions.AlreadyExistsException:
        for changed in steps(cloudformation, stack, template, parameters):
            update(cloudformation, request, changed)
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def update(cloudformation, request, parameters):
    try:
        cloudformation.update_stack(**request, Parameters=parameters)
    except botocore.exceptions.ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
    else:
        wait(cloudformation, request["StackName"], "stack_update_complete")


def wait(cloudformation, stack, waiter):
    cloudformation.get_waiter(waiter).wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 900})


def as_named(parameters):
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def steps(cloudformation, stack, template, named):
    """The parameters of each update that is needed. Those that the stack has, the template still knows, and nobody names,
    are kept: without that each would get its default again. CloudFormation adds one index to a table in an update: a stack
    that does not know the newest one may lack an older one, too."""
    known = {it["ParameterKey"] for it in cloudformation.validate_template(TemplateURL=template)["Parameters"]}
    there = {it["ParameterKey"] for it in cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Parameters", [])}

    def step(named):
        kept = sorted((known & there).difference(named))
        return as_named(named) + [{"ParameterKey": key, "UsePreviousValue": True} for key in kept]

    if NEWEST_INDEX in known - there:
        yield step({**named, NEWEST_INDEX: "false"})
        named = {NEWEST_INDEX: "true", **named}
    yield step(named)


def read(texts):
    """Parameters by name, of texts as `Name=Value Name="value with spaces"`."""
    pairs = [pair for text in texts for pair in shlex.split(text)]
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise SystemExit(f"deploy: not Parameter=Value: {' '.join(wrong)}")
    return dict(pair.split("=", 1) for pair in pairs)


def upload(bucket, zips):
    """Uploads all code under a prefix made from its content, so that new code is a change of the template; and beside it
    what it is made of, if that was written down."""
    archives = sorted(pathlib.Path(zips).glob("*.zip"))
    if not archives:
        raise SystemExit(f"deploy: no code in {zips}: build it first")
    digest = hashlib.sha256(b"".join(hashlib.sha256(archive.read_bytes()).digest() for archive in archives))
    prefix = f"moorage/{digest.hexdigest()[:16]}/"
    for archive in archives:
        boto3.client("s3").upload_file(str(archive), bucket, prefix + archive.name)
    for sbom in (SBOMS / f"{archive.stem}.cdx.json" for archive in archives):
        if sbom.exists():
            boto3.client("s3").upload_file(str(sbom), bucket, prefix + sbom.name)
    return prefix


def template_url(bucket, prefix):
    """Uploads the template, which is more than CloudFormation takes in a request, and returns where it is."""
    s3, key = boto3.client("s3"), f"{prefix}template.yaml"
    s3.upload_file(str(TEMPLATE), bucket, key)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    for key, value in deploy(*sys.argv[1:4], read(sys.argv[4:])).items():
        print(f"{key}: {value}")
