"""What a deployment does with parameters: those that are not named keep their values. Nothing is deployed.

    deploy.py
"""
import pathlib
import sys

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
print("deploy: parameters keep their values")
