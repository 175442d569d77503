"""Benchmarks: Moorage beside what people use, in one run and on one machine.

    bench.py [CASE...]     small multi layer large memory scale handover pull mark collection verify start
    RUNS=3                 how often each is measured; the table shows medians
"""
import os
import pathlib
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target" / "bench"
os.environ.update(
    MOORAGE_LOCAL=str(FOLDER), MOORAGE_ZIPS=str(ROOT / "target" / "lambda-release"),
    MOORAGE_PORT="auto", MOORAGE_AWS_PORT="auto", MOORAGE_UPSTREAM_PORT="auto")
sys.path.insert(0, str(ROOT / "infra" / "local"))

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
    bed = Bed(FOLDER) if any(name != "mark" for name in chosen) else None
    try:
        for name in chosen:
            began = time.monotonic()
            print(f"== {name}: {' '.join(cases.ALL[name].__doc__.split())}", flush=True)
            results += cases.ALL[name](bed)
            print(f"   {time.monotonic() - began:.0f} s", flush=True)
    finally:
        # A run that is given up shows what it has.
        show(results)


def show(results):
    print(f"\n{table.machine()}\n")
    tables = (table.syncs, table.requests, table.others, cost.table, table.bars)
    print("\n\n".join(filter(None, (make(results) for make in tables))), flush=True)


if __name__ == "__main__":
    # A run that is given up must not leave servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main(sys.argv[1:])
    except servers.Problem as problem:
        raise SystemExit(f"bench: {problem}")
    finally:
        servers.stop(FOLDER)
