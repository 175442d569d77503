"""Tries a deployment: makes a stack of a fresh name, mirrors, pulls, kills, parks, collects and measures, compares what is
assumed of AWS with what is seen, reports, and removes all that it has made, whatever happens.

    python infra/verify ZIPS [--local] [--images IMAGE...] [--keep] ...     ZIPS is the folder of the functions' code
    python infra/verify --clean NAME                                        removes what a run that was killed has left

AWS credentials and region come from the environment, as for any AWS tool; an emulator is found by AWS_ENDPOINT_URL, and with
--local the run brings one of its own. It ends with 0 if all that was tried holds, with 1 if it could not be brought to its
end or something of it is left, and with 2 if an assumption does not hold.
"""
import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / folder) for folder in ("infra", "infra/local", "tests/bench")]
os.environ.setdefault("MOORAGE_LOCAL", str(ROOT / "target" / "verify-stack"))

import boto3  # noqa: E402

import account  # noqa: E402
import deploy  # noqa: E402
import measures  # noqa: E402
import place  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
import story  # noqa: E402
from client import Deployment, Problem  # noqa: E402
from findings import Findings  # noqa: E402

# How long content without a link is kept, in seconds: so short that nobody waits for it.
GRACE_SECONDS = 1
PARAMETERS = {
    "GcGraceSeconds": str(GRACE_SECONDS), "RetentionSeconds": "1",
    "RetryBackoffSeconds": "5", "WatchSchedule": "rate(1 minute)", "TrustSchedule": "", "LogRetentionDays": "1",
}
INTERRUPTED = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupted(BaseException):
    """Somebody wants the run to end."""


class Run:
    """A verification, and what it has found so far."""

    def __init__(self, name, where, arguments):
        self.name, self.place, self.arguments = name, where, arguments
        self.where = f"The emulator at {os.environ['AWS_ENDPOINT_URL']}" if where.is_emulated else (
            f"Account {boto3.client('sts').get_caller_identity()['Account']}, {boto3.session.Session().region_name}")
        self.began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        self.report = pathlib.Path(arguments.report)
        self.folder = self.report / name
        self.grace_seconds = GRACE_SECONDS
        self.findings, self.steps, self.numbers, self.credentials = Findings(), {}, {}, {}
        # How long syncs took to begin, and when the sync function was made to fail.
        self.starts, self.troubles = [], []
        self.deployment, self.resources, self.code, self.architecture = None, [], None, None

    def number(self, name, value):
        self.numbers[name] = value

    def deploy(self):
        parameters = {
            **PARAMETERS, "ClaimSeconds": str(self.place.claim), "Architecture": self.arguments.architecture,
            **self.place.parameters, **deploy.read([self.arguments.parameters])}
        self.architecture = parameters["Architecture"]
        outputs = account.make(self.name, self.arguments.zips, parameters)
        self.resources = account.resources(self.name)
        self.place.prepare(outputs, self.resources)
        token = boto3.client("secretsmanager").get_secret_value(SecretId=outputs["AdminTokenSecretArn"])["SecretString"]
        self.deployment = Deployment(self.name, outputs, self.place.reach(outputs), token)
        described = boto3.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]["Parameters"]
        prefix = next(it["ParameterValue"] for it in described if it["ParameterKey"] == "CodePrefix")
        self.code = (account.code_bucket(self.name), f"{prefix}sync.zip")


STEPS = {
    "deploy": Run.deploy, "mirror": story.mirror, "pull": story.pull_back, "services": story.services, "kill": story.kill,
    "park": story.park, "chain": story.chain, "turn-away": story.turn_away, "collect": story.collect,
    "measure": measures.measure,
}


def say(text):
    print(f"== {text}", flush=True)


def verify(arguments):
    """One run, from nothing to nothing."""
    emulated = "AWS_ENDPOINT_URL" in os.environ
    where = place.Emulator(arguments) if emulated else place.Account(arguments)
    run = Run(account.new_name(), where, arguments)
    say(f"{run.name}: if this is killed, --clean {run.name} removes what is left")
    code, ended, left, at = 1, "It came to its end.", {}, None
    try:
        for at, step in STEPS.items():
            say(at)
            started = time.monotonic()
            step(run)
            run.steps[at] = round(time.monotonic() - started, 1)
            if at == arguments.fail_after:
                raise Problem("it was to fail here")
        code = 2 if run.findings.failed() else 0
    except Interrupted as signalled:
        code, ended = INTERRUPTED[signalled.args[0]], f"It was interrupted at the step {at}."
    except Exception as error:
        # Whatever it is: what was made is removed, and what was seen is told.
        ended = f"It ended at the step {at}: {type(error).__name__}: {error}"
    finally:
        shield()
        if not arguments.keep:
            left = remove(run)
        where.close()
        shutil.rmtree(run.folder, ignore_errors=True)
    print(report.write(run, ended, left), flush=True)
    say(f"{run.report}/{run.name}.md and .json")
    return max(code, 1) if left and not arguments.keep else code


def remove(run):
    """Removes everything, and tells of what a deleted stack leaves. Returns what is still there."""
    say("removing it")
    try:
        still, retained = account.unmake(run.name, say)
    except Exception as error:
        say(f"it could not be removed: {error}; try --clean {run.name}")
        return {"unknown": f"{type(error).__name__}: {error}"}
    if run.deployment:
        retained.pop("buckets", None)
        expected = {"tables", "keys"}
        run.findings.saw("retained", set(retained) == expected, f"besides buckets: {sorted(retained)}")
    return still


def clean(name):
    still, _ = account.unmake(account.checked(name), say)
    say(f"still there: {still}" if still else f"nothing is left of {name}")
    return 1 if still else 0


def interrupt(kind, _):
    shield()
    raise Interrupted(kind)


def shield():
    """Whoever interrupts again does not keep it from being removed."""
    for kind in INTERRUPTED:
        signal.signal(kind, lambda *_: say("it is being removed; wait for the end of that"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zips", nargs="?", help="the folder of the functions' code")
    parser.add_argument("--local", action="store_true", help="on an emulator of its own, with registries of its own")
    parser.add_argument("--images", nargs=2, metavar="IMAGE", help="HOST/REPOSITORY:TAG, of two registries")
    parser.add_argument("--limited-image", help="an image of a registry that refuses (429) when it is asked often")
    parser.add_argument("--chain-image", help="HOST/REPOSITORY:GLOB, whose tags take minutes to mirror one by one")
    parser.add_argument("--kill-after", type=float, default=2, help="when a sync is killed, in seconds")
    parser.add_argument("--architecture", choices=["arm64", "x86_64"], default="arm64", help="what the code was built for")
    parser.add_argument("--parameters", default="", help="further parameters of the template: 'A=1 B=2'")
    parser.add_argument("--report", default=str(ROOT / "target" / "verify"), help="the folder of the reports")
    parser.add_argument("--keep", action="store_true", help="leave everything; --clean removes it")
    parser.add_argument("--fail-after", choices=list(STEPS), help="fail on purpose, to see that all is removed")
    parser.add_argument("--clean", metavar="NAME", help="remove what is left of a run, and do nothing else")
    arguments = parser.parse_args()
    for kind in INTERRUPTED:
        signal.signal(kind, interrupt)
    with contextlib.ExitStack() as stack:
        if arguments.local:
            environment, images = stack.enter_context(place.world())
            os.environ.update(environment)
            arguments.images = arguments.images or images
        if arguments.clean:
            return clean(arguments.clean)
        if not arguments.zips:
            parser.error("the folder of the functions' code is missing")
        if "AWS_ENDPOINT_URL" in os.environ and not arguments.images:
            parser.error("an emulator has no images of its own: --images, or --local")
        return verify(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Interrupted as signalled:
        sys.exit(INTERRUPTED[signalled.args[0]])
    except servers.Problem as problem:
        sys.exit(f"verify: {problem}")
