#!/usr/bin/env bash
# Runs all tests, for `make test`: in three runs, each to its end, and says at last what was slow and what failed. Tests of
# the parts come first; then those of the whole beside each other (how many at a time, OwnThreads says); then, one at a
# time, those that neighbours would disturb.
#
# Wants SWIFT, PYTHON, MILLRACE_BINARY and MILLRACE_PYTHON, and that the tests are built.
set -uo pipefail
cd "$(dirname "$0")/.."

runs=.build/test-runs
rm -rf "$runs" && mkdir -p "$runs"
export MILLRACE_TEST_TIMES=$PWD/$runs/times
failed=0

run() {
    local name=$1
    shift
    "$SWIFT" test --skip-build "$@" --event-stream-version 0 --event-stream-output-path "$runs/$name.json" 2>&1 \
        | tee "$runs/$name.log" || failed=1
}

# Of the parts, few begin at a time: what has begun and waits for a processor comes to the end of its time limit.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=64
run parts --skip MillraceEndToEndTests
# Of the whole, all may begin: they wait for a thread.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=1000
run whole --filter MillraceEndToEndTests --skip EndToEndAlone
run alone --filter EndToEndAlone
"$PYTHON" -B Tests/summary.py "$runs" || failed=1
exit "$failed"
