"""A skipped test is a test that nobody ran: exit code 1, naming it, unless the list allows it for the reason it gives.

python .ci/skips.py .ci/allowed_skips.txt JUNIT.xml [JUNIT.xml ...]
"""

import sys
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple


class Skip(NamedTuple):
    """A test that was skipped (or expected to fail), and what it says of why."""

    test: str
    reason: str


class Allowed(NamedTuple):
    """A pattern of tests, and a part of the only reason for which they may be skipped."""

    tests: str
    reason: str

    def covers(self, skip: Skip) -> bool:
        return fnmatchcase(skip.test, self.tests) and self.reason in skip.reason


def ran(report: Path) -> tuple[list[str], list[Skip]]:
    """All tests of pytest's report, and the skipped ones. A module that was skipped whole is its path."""
    tests, skips = [], []
    for case in ElementTree.parse(report).iter("testcase"):
        parts = [case.get("classname", ""), case.get("name", "")]
        test = f"{parts[0].replace('.', '/')}.py::{parts[1]}" if parts[0] else f"{parts[1].replace('.', '/')}.py"
        tests.append(test)
        skips += [Skip(test, _reason(skipped)) for skipped in case.iter("skipped")]
    return tests, skips


def _reason(skipped: ElementTree.Element) -> str:
    """Of a whole module pytest's message tells nothing; the text does."""
    message = skipped.get("message", "")
    return (skipped.text or "") if message == "collection skipped" else message


def read_allowed(path: Path) -> list[Allowed]:
    """A pattern and a reason on each line; empty lines and those with # say nothing."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    bare = [pair[0] for pair in pairs if len(pair) < 2]
    if bare:
        sys.exit(f"error: {path}: {bare[0]} has no reason.")
    return [Allowed(*pair) for pair in pairs]


def problems(listed: Path, *reports: Path) -> list[str]:
    """Skips that are not allowed, reports without tests, and lines of the list that no test of any report has."""
    allowed, runs = read_allowed(listed), {report: ran(report) for report in reports}
    found = [f"{report} holds no test" for report, (tests, _) in runs.items() if not tests]
    skips = [skip for _, skipped in runs.values() for skip in skipped]
    found += [f"{s.test} was skipped: {s.reason}" for s in skips if not any(a.covers(s) for a in allowed)]
    all_tests = [test for tests, _ in runs.values() for test in tests]
    lost = [a.tests for a in allowed if not any(fnmatchcase(test, a.tests) for test in all_tests)]
    return found + [f"{listed} names {name}, which is no test of this run" for name in lost]


if __name__ == "__main__":
    found = problems(*map(Path, sys.argv[1:]))
    print("\n".join(found) or "no test was skipped that may not be")
    sys.exit(1 if found else 0)
