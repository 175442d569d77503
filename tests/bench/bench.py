"""Benchmarks: Moorage beside what people use, in one run and on one machine.

    bench.py [CASE...]     small distant secure multi layer large memory many scale handover pull push mark collection
                           verify start
    RUNS=3                 how often each is measured; the table shows medians
    LATENCY=15             milliseconds that each request to S3 and DynamoDB takes on top, in all cases
    BEFORE=FOLDER          another build's zips, and its infra, beside ours: before.sh makes target/before
"""
import os
import pathlib
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER, BEFORE = ROOT / "target/bench", ROOT / "target/bench-before"
sys.path.insert(0, str(ROOT / "infra/local"))

import bars  # noqa: E402
import cases  # noqa: E402
import cost  # noqa: E402
import servers  # noqa: E402
import table  # noqa: E402
from bed import Bed  # noqa: E402


def main(names):
    unknown = [name for name in names if name not in cases.ALL]
    if unknown:
        raise SystemExit(f"bench: there is no case {unknown[0]}\n{__doc__}")
    chosen, results = names or list(cases.ALL), []
    bed = make_bed(chosen)
    try:
        for name in chosen:
            began = time.monotonic()
            print(f"== {name}: {' '.join(cases.ALL[name].__doc__.split())}", flush=True)
            results += cases.ALL[name](bed)
            print(f"   {time.monotonic() - began:.0f} s", flush=True)
    finally:
        # A run that is given up shows what it has.
        show(results)


def make_bed(chosen):
    """The stack, and beside it the other build's, if a case needs them."""
    if chosen == ["mark"]:
        return None
    bed = Bed(FOLDER, ROOT / "target/lambda-release", ROOT / "infra")
    given = os.environ.get("BEFORE")
    if given and any(cases.ALL[name] in cases.BESIDE for name in chosen):
        zips = pathlib.Path(given).resolve()
        # Without a template of its own it is deployed by this one.
        infra = zips / "infra"
        bed.before = Bed(BEFORE, zips, infra if infra.is_dir() else ROOT / "infra")
    return bed


def show(results):
    print(f"\n{table.machine()}\n")
    tables = (table.syncs, table.requests, table.others, cost.table, cost.told, bars.table)
    print("\n\n".join(filter(None, (make(results) for make in tables))), flush=True)


if __name__ == "__main__":
    # A run that is given up must not leave servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main(sys.argv[1:])
    except servers.Problem as problem:
        raise SystemExit(f"bench: {problem}")
    finally:
        for folder in (FOLDER, BEFORE):
            servers.stop(folder)
