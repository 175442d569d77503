#!/usr/bin/env bash
# Runs every test against a stack of its own, on free ports, and ends the stack whatever happens.
# Arguments go to nextest: `tests/run.sh killed` for the tests with that in their names, `tests/run.sh pull::` for a folder's.
set -euo pipefail
cd "$(dirname "$0")/.."

export MOORAGE_PORT=auto MOORAGE_AWS_PORT=auto MOORAGE_UPSTREAM_PORT=auto MOORAGE_BROWSER_PORT=auto
# Where people of the tests sign in.
export MOORAGE_PROVIDER_PORT=auto
# Short, so that a test need not wait minutes for a claim to expire, for a retry, or for an invocation's end. What was
# killed is started again by tests alone. So little memory for blobs that these have parts of 8 MiB.
# Everybody's mirrors answer nodes: each test has a namespace of its own.
short="BlobMemoryMegabytes=88,ClaimSeconds=6,RetryBackoffSeconds=2,SyncTimeoutSeconds=20,WatchSchedule=rate(1 day),NodeNamespaces=*"

# An assertion says where it stands and what it saw: the frames of a runtime would bury that.
export RUST_BACKTRACE=0

command -v cargo-nextest >/dev/null || cargo install cargo-nextest --locked
tests/registries.sh
python=target/venv/bin/python

# in_folder NAME: stacks are there from now on, and there tests get copies of the emulator.
in_folder() {
  export MOORAGE_LOCAL="$PWD/target/$1"
  export MOORAGE_EMULATOR_FORKS="$MOORAGE_LOCAL/forks"
}
in_folder test-stack

# What goes on beside the rest, a process group of its own, ends with that.
beside=
clean_up() {
  [ -z "$beside" ] || kill -- "-$beside" 2>/dev/null || true
  for folder in beside-stack test-stack; do
    in_folder "$folder"
    "$python" infra/local/stack.py down
  done
}
trap clean_up EXIT

# new_stack PARAMETERS: the environment has a new stack then. Each command says itself that a failure ends it: bash does not
# for a function whose failure is caught.
new_stack() {
  "$python" infra/local/stack.py down &&
    MOORAGE_PARAMETERS="$short,$1" "$python" infra/local/stack.py up &&
    # shellcheck source=/dev/null
    source "$MOORAGE_LOCAL/env"
}

# on_stack PARAMETERS ARGUMENTS...: runs what nextest makes of the arguments against a new stack.
on_stack() {
  # Integration tests mostly wait, for syncs and for the emulator; more than four at once only wait for each other.
  new_stack "$1" &&
    cargo nextest run --config-file tests/nextest.toml --workspace --no-fail-fast --test-threads 4 "${@:2}"
}

# stage COMMAND...: a part of all tests; those after it run whether it fails or not, so that one run tells all that fails.
failed=()
stage() {
  "$@" || failed+=("$*")
}

# Says which of them have failed, if any.
ended() {
  [ ${#failed[@]} -eq 0 ] || { printf 'failed: %s\n' "${failed[@]}" >&2 && return 1; }
}

# It has functions fail, and turns invocations away: nothing else may use the stack.
alarms() {
  new_stack "$patient" && "$python" tests/alarms.py
}

# A collector with a grace of seconds takes what other tests leave lying about, so its tests, and those of the lock, have
# a stack of their own. Those of schedules are there, too: the emulator lists a hundred of them, and the others make more.
patient="GcGraceSeconds=86400,AlarmTopicArn=arn:aws:sns:us-east-1:000000000000:operators,Dashboard=true,EcrEvents=true"
impatient=GcGraceSeconds=2,RetentionSeconds=18
# A namespace that may have little, for the tests of what it may have, and content that is proven once for all.
small="TrustDomain=bucket,SyncConcurrency=20,NamespaceSyncs=1,Previews=2,MaxRepositories=3,MaxTags=4,MaxBytes=100000"

# Stages whose tests wait most of the time, in a folder of their own.
waiting() {
  trap - EXIT
  failed=()
  in_folder beside-stack
  stage on_stack "$impatient" -E 'binary(it) & test(/^(garbage|locks|schedule)::/)'
  stage on_stack "$patient,$small" -E 'binary(it) & test(/^shares::/)'
  "$python" infra/local/stack.py down
  ended
}

# What the functions ask of AWS while all tests run, and by which statement of their roles they may.
record="$PWD/target/iam.jsonl"
if [ $# -gt 0 ]; then
  case "$*" in
    alarms) alarms ;;
    verify) "$python" tests/verify_deployed.py target/lambda ;;
    upgrade) "$python" tests/upgrade.py target/lambda ;;
    *"not "*) on_stack "$patient" "$@" ;;
    *garbage* | *locks* | *schedule*) on_stack "$impatient" "$@" ;;
    *shares*) on_stack "$patient,$small" "$@" ;;
    *) on_stack "$patient" "$@" ;;
  esac
else
  stage "$python" tests/template.py
  stage "$python" tests/deploy.py
  stage "$python" tests/guards.py
  stage target/tests-venv/bin/python tests/bills.py
  stage "$python" tests/verify_deployed.py target/lambda
  stage "$python" tests/upgrade.py target/lambda
  rm -f "$record"
  export MOORAGE_IAM_RECORD="$record"
  set -m
  waiting >target/waiting.log 2>&1 &
  beside=$!
  set +m
  # These copy their stack, which must be small. What kills at each request takes its time, and does not mind how long.
  stage on_stack "$patient" -E 'binary(it) & test(/^crash::/)'
  wait "$beside" || failed+=("what went on beside that")
  beside=
  cat target/waiting.log
  stage on_stack "$patient" -E 'binary(it) & test(/^(trouble|long_verify)::/)'
  stage on_stack "$patient" -E 'not (binary(it) & test(/^(crash|trouble|long_verify|garbage|locks|schedule|shares)::/))'
  stage alarms
  stage "$python" tests/iam.py "$record"
  ended
fi
