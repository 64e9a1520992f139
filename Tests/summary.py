"""Prints the slowest tests of a run of Tests/run.sh, and last of all whatever failed: of a run elsewhere there is often
nothing but the end of its output.

python3 Tests/summary.py DIRECTORY: has for each run of `swift test` its event stream (*.json) and its output (*.log),
and when tests began and how long they took (times).
"""

import collections
import json
import pathlib
import sys

SLOWEST = 20
FAILURES_MAX = 10
LINES_MAX = 40  # of one failure


def short(test):
    return test.split("/", 1)[-1].rsplit("/", 1)[0].replace("`", "")


def times(path):
    """How long each test took in seconds, and those that began and didn't end."""
    took, running = collections.Counter(), collections.Counter()
    for line in path.open(encoding="utf-8") if path.exists() else []:
        milliseconds, test = line.rstrip("\n").split("\t")
        if milliseconds == "begin":
            running[test] += 1
        else:
            took[test] += int(milliseconds) / 1000
            running[test] -= 1
    return took, [test for test in running if running[test] > 0]


def failures(path, running):
    failed, is_over = [], False
    for line in path.open(encoding="utf-8", errors="replace") if path.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the process ended amid the line
        event = record["payload"]
        if event["kind"] == "issueRecorded" and not event["issue"].get("isKnown"):
            place = event["issue"].get("sourceLocation") or {}
            where = f"{place.get('fileID', '')}:{place.get('line', '')}"
            text = [message["text"] for message in event["messages"]]
            failed.append((short(event.get("testID", "")), [where, *text]))
        is_over = is_over or event["kind"] == "runEnded"
    if not is_over:
        end = path.with_suffix(".log").read_text(errors="replace").splitlines()[-LINES_MAX // 2:]
        failed.append((f"{path.stem}: the run did not end", [*(f"running: {short(test)}" for test in running), *end]))
    return failed


def main(directory):
    took, running = times(directory / "times")
    print(f"\nThe slowest of {len(took)} tests that start servers, {sum(took.values()):.0f} s in all:")
    for test, seconds in took.most_common(SLOWEST):
        print(f"{seconds:7.1f} s  {short(test)}")
    runs = [path.with_suffix(".json") for path in sorted(directory.glob("*.log"))]
    failed = [failure for path in runs for failure in failures(path, running)]
    for name, text in failed[:FAILURES_MAX]:
        lines = "\n".join(text).splitlines()
        cut = len(lines) - LINES_MAX
        if cut > 0:
            lines[LINES_MAX // 2:-LINES_MAX // 2] = [f"… {cut} lines …"]
        print(f"\nFAILED {name}")
        print("\n".join(f"    {line}" for line in lines))
    if failed:
        print(f"\n{len(failed)} failures in:")
        for name in dict.fromkeys(name for name, _ in failed):
            print(f"    {name}")
    return 1 if failed else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
