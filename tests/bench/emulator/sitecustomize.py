"""Python reads this when it starts, if its folder is in PYTHONPATH: an earlier build starts the emulator as it comes, and has
here what ours has, or it would be the emulator that is compared."""
import pathlib
import sys

if any(pathlib.Path(argument).name == "ministack" for argument in sys.orig_argv):
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "infra/local"))
    import faster

    faster.install()
