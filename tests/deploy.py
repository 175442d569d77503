"""What a deployment does with parameters, those that are not named keep their values; and what it uploads. Nothing is
deployed.

    deploy.py
"""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "infra"))

import deploy


class CloudFormation:
    """A stack with `there` as its parameters, if it exists, and a template that knows `known`."""

    class exceptions:
        class AlreadyExistsException(Exception):
            pass

    def __init__(self, there, known):
        self.there, self.known, self.sent = there, known, []

    def create_stack(self, **request):
        if self.there is not None:
            raise self.exceptions.AlreadyExistsException
        self.sent.append(request["Parameters"])

    def update_stack(self, **request):
        self.sent.append(request["Parameters"])

    def validate_template(self, TemplateURL):
        return {"Parameters": [{"ParameterKey": key} for key in self.known]}

    def describe_stacks(self, StackName):
        there = [{"ParameterKey": key, "ParameterValue": value} for key, value in (self.there or {}).items()]
        return {"Stacks": [{"Parameters": there, "Outputs": [{"OutputKey": "Url", "OutputValue": "https://host"}]}]}

    def get_waiter(self, name):
        return self

    def wait(self, **how):
        pass


def sent(there, known, named):
    """The parameters of the requests that make a stack what it is to be."""
    cloudformation = CloudFormation(there, known)
    assert deploy.put(cloudformation, "moorage", "template", named) == {"Url": "https://host"}
    def value(it):
        return it.get("ParameterValue", it.get("UsePreviousValue"))

    return [{it["ParameterKey"]: value(it) for it in request} for request in cloudformation.sent]


class S3:
    """What is uploaded, by its key."""

    class meta:
        endpoint_url = "https://s3"

    def __init__(self):
        self.has = {}

    def upload_file(self, file, bucket, key):
        self.has[key] = pathlib.Path(file).read_text()


def uploaded(zips, sboms):
    """The prefix, and what is uploaded of a folder of code and one of what it is made of."""
    s3, deploy.boto3 = S3(), type("boto3", (), {"client": staticmethod(lambda _: s3)})
    with tempfile.TemporaryDirectory() as code, tempfile.TemporaryDirectory() as bills:
        for folder, files in ((code, zips), (bills, sboms)):
            for name, text in files.items():
                (pathlib.Path(folder) / name).write_text(text)
        deploy.SBOMS = pathlib.Path(bills)
        prefix = deploy.upload("bucket", code)
    return prefix, s3.has


def check(what, actual, expected):
    if actual != expected:
        sys.exit(f"deploy: {what}: {actual} instead of {expected}")


there = {"MaxTags": "5000", "Previews": "7", "Gone": "1"}
known = ["MaxTags", "Previews", "New"]
check("a new stack has what is named", sent(None, known, {"MaxTags": "1"}), [{"MaxTags": "1"}])
check("what is not named is kept", sent(there, known, {"MaxTags": "1"}), [{"MaxTags": "1", "Previews": True}])
index = deploy.NEWEST_INDEX
check("indexes are added one at a time", sent({"MaxTags": "5"}, ["MaxTags", index], {}), [
    {"MaxTags": True, index: "false"}, {"MaxTags": True, index: "true"}])
check("one that is there is kept", sent({index: "true"}, [index], {}), [{index: True}])
check("values may hold spaces", deploy.read(["A=x", """B="y z" C='=, '"""]), {"A": "x", "B": "y z", "C": "=, "})
check("there may be no parameters", deploy.read([""]), {})
tagged = CloudFormation(None, known)
tagged.create_stack = lambda **request: tagged.sent.append(request.get("Tags"))
deploy.put(tagged, "moorage", "template", {}, {"team": "images"})
deploy.put(tagged, "moorage", "template", {})
check("the stack has the tags that are named", tagged.sent, [[{"Key": "team", "Value": "images"}], None])

code, bills = {"api.zip": "code", "gc.zip": "more"}, {"api.cdx.json": "made of", "gone.cdx.json": "made of"}
prefix, has = uploaded(code, bills)
check("what a function is made of is beside its code", has, {
    f"{prefix}api.zip": "code", f"{prefix}gc.zip": "more", f"{prefix}api.cdx.json": "made of"})
check("the same code has the same place", uploaded(code, {})[0], prefix)
check("other code has another place", uploaded({**code, "gc.zip": "less"}, bills)[0] == prefix, False)
print("deploy: parameters keep their values")
