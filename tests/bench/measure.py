"""What is measured, and how: counting proxies, processes, and one sync's sample."""
import dataclasses
import json
import os
import pathlib
import ssl
import statistics
import subprocess
import tempfile
import time
import urllib.request

import servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What a proxy counts that nothing has passed.
NOTHING = {"requests": {}, "bytes": 0, "first_ms": {}, "read_units": 0, "write_units": 0}
# How often a process's memory is looked at while it runs, in seconds.
LOOK_EVERY = 0.01


@dataclasses.dataclass
class Sample:
    """One sync by one tool."""
    seconds: float
    # User and system.
    cpu: float
    # The most memory of one process, in MiB.
    rss: float
    upstream: dict
    aws: dict
    # Of ours: what its log says of each invocation.
    invocations: list = dataclasses.field(default_factory=list)
    log_bytes: int = 0
    metrics: int = 0
    # The memory that was enforced, in MiB; 0 for none.
    limit: int = 0
    # Seconds that a client waited, by what it asked for.
    waits: dict = dataclasses.field(default_factory=dict)
    # Of ours: what it says itself that it cost, in dollars.
    told: float | None = None

    @property
    def first_byte(self):
        """Seconds until the first byte of a blob came from the registry."""
        first = self.upstream["first_ms"].get("GET blobs")
        return None if first is None else first / 1000

    @property
    def inside(self):
        """Seconds inside the function."""
        return sum(it["duration_ms"] for it in self.invocations) / 1000

    def requests(self, *prefixes):
        """Requests to the registry whose kind begins so."""
        return count(self.upstream, prefixes)

    def dynamodb(self):
        return count(self.aws, ["DynamoDB "])

    def s3(self, *kinds):
        return count(self.aws, [f"S3 {kind}" for kind in kinds or [""]])


@dataclasses.dataclass
class Result:
    """What one tool did in one step of one case, several times."""
    case: str
    step: str
    tool: str
    samples: list
    # Bytes that it had to read at least, each blob and manifest once; 0 for nothing.
    unique: int = 0

    def median(self, of):
        return statistics.median(of(sample) for sample in self.samples)

    @property
    def seconds(self):
        return self.median(lambda sample: sample.seconds)

    @property
    def typical(self):
        """The sample whose time is the median."""
        return sorted(self.samples, key=lambda sample: sample.seconds)[(len(self.samples) - 1) // 2]

    @property
    def rss(self):
        return max(sample.rss for sample in self.samples)


def program(name):
    """One of the tests' own programs."""
    return str(ROOT / f"target/release/moorage-{name}")


def percentile(values, part):
    """The value that so large a part of them does not exceed."""
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


def count(counts, prefixes):
    return sum(number for kind, number in counts["requests"].items() if kind.startswith(tuple(prefixes)))


class Shape:
    """The shaping proxy in front of a server: a pause before each request, bytes a second of each connection."""

    def __init__(self, folder, name, target, port=None, tls=False, **settings):
        self.address = f"127.0.0.1:{port or servers.free_port()}"
        self.url = f"{'https' if tls else 'http'}://{self.address}"
        given = [f"{key}={value}" for key, value in {**settings, "tls": "yes" if tls else "no"}.items()]
        self.process = servers.start(folder, name, [program("shape"), self.address, target, *given])
        # Nobody vouches for its certificate.
        self.trust = ssl._create_unverified_context() if tls else None
        servers.listens(self.process, name, self.address, folder)

    def counts(self):
        """What passed since the last call."""
        return json.loads(self._get("_counts"))

    def delay(self, milliseconds):
        """Sets another pause."""
        self._get(f"_delay/{milliseconds}")

    def _get(self, path):
        with urllib.request.urlopen(f"{self.url}/{path}", context=self.trust) as answer:
            return answer.read()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Usage:
    """What the processes used that were run one after the other."""

    def __init__(self):
        self.began, self.cpu, self.rss = time.monotonic(), 0.0, 0.0

    def run(self, *command):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
            # What wait4 tells of memory begins with this process's own.
            while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
                self.rss = max(self.rss, peak_of(process.pid))
                time.sleep(LOOK_EVERY)
            process.returncode = os.waitstatus_to_exitcode(ended[1])
            for file in (out, err):
                file.seek(0)
            if process.returncode:
                raise SystemExit(f"bench: {command[:3]}: {err.read().decode().strip()}")
            self.cpu += ended[2].ru_utime + ended[2].ru_stime
            return out.read()

    def sample(self, upstream, aws):
        return Sample(time.monotonic() - self.began, self.cpu, self.rss, upstream.counts(), aws.counts())


def processes(bed, function):
    """The processes of a function that the stack's emulator runs."""
    wanted = {f"AWS_LAMBDA_FUNCTION_NAME={function}".encode(), f"{servers.MARK}={bed.folder}".encode()}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted <= set((entry / "environ").read_bytes().split(b"\0")):
                yield int(entry.name)
        except OSError:
            pass


def cpu_of(pids):
    """Seconds of processor time, by process."""
    seconds = {}
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        seconds[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def forget_peaks(pids):
    for pid in pids:
        try:
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            pass


def peak_of(pid):
    """The most memory that a process has had so far, in MiB."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), default=0)
