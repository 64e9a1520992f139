#!/bin/bash
# Builds an older version beside this one and runs `make upgrade-test`: upgrade.sh BINARY [COMMIT]. COMMIT: by default the
# one of the file upgrade-from, the last one that was released. Wants SWIFT and PYTHON.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
commit=$(git rev-parse --verify "${2:-$(cat Tests/upgrade-from)}^{commit}")
old=.build/upgrade/source
if [ "$(cat .build/upgrade/commit 2> /dev/null)" != "$commit" ]; then
    echo "building $commit, once: some minutes"
    rm -rf "$old" .build/upgrade/commit
    mkdir -p "$old"
    git archive "$commit" | tar -x -C "$old"
    # The same versions of packages.
    [ ! -e Package.resolved ] || cp Package.resolved "$old/"
    "$SWIFT" build --package-path "$old" --scratch-path .build/upgrade/build --product millrace
    echo "$commit" > .build/upgrade/commit
fi
PYTHONPATH=Benchmarks exec "$PYTHON" -B -m upgrade --old .build/upgrade/build/debug/millrace --new "$binary"
