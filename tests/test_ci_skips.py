""".ci/skips.py: a skipped test that is not on the list stops the submission and is named."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from staging import ROOT

TESTS = """
import pytest

def test_runs():
    pass

@pytest.mark.skipif(True, reason="the moon is not full")
@pytest.mark.parametrize("name", ["a", "b[1]"])
def test_moon(name):
    raise AssertionError
"""
ALL = "tests/test_sky.py::test_moon*    the moon is not full\n"
WHOLE = "tests/test_whole.py    could not import\n"


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pytest's own report of a test that runs, one that is skipped, and a module that is."""
    folder = tmp_path_factory.mktemp("sky")
    (folder / "tests").mkdir()
    (folder / "pytest.ini").touch()
    (folder / "tests" / "test_sky.py").write_text(TESTS)
    (folder / "tests" / "test_whole.py").write_text('import pytest\npytest.importorskip("no_such_module")\n')
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "report.xml"


def check(report: Path, allowed: str, folder: Path, *more: Path) -> subprocess.CompletedProcess[str]:
    (folder / "allowed.txt").write_text(allowed)
    words = [sys.executable, str(ROOT / ".ci" / "skips.py"), str(folder / "allowed.txt"), str(report), *map(str, more)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_skips_that_are_not_listed_are_named_and_end_with_1(reported: Path, tmp_path: Path) -> None:
    done = check(reported, "", tmp_path)
    assert done.returncode == 1 and "test_runs" not in done.stdout
    for name in ("tests/test_sky.py::test_moon[a]", "tests/test_sky.py::test_moon[b[1]]", "tests/test_whole.py"):
        assert f"{name} was skipped: " in done.stdout


def test_a_listed_skip_passes_for_its_reason_only(reported: Path, tmp_path: Path) -> None:
    assert check(reported, f"# why\n\n{ALL}{WHOLE}", tmp_path).returncode == 0
    other = check(reported, f"{ALL.replace('moon is', 'sun is')}{WHOLE}", tmp_path)
    assert other.returncode == 1 and "test_moon[a] was skipped: the moon is not full" in other.stdout


@pytest.mark.parametrize("line", ["tests/test_gone.py::test_x    why\n", "tests/test_sky.py::test_moon*\n"])
def test_a_list_that_is_out_of_date_or_gives_no_reason_is_refused(reported: Path, tmp_path: Path, line: str) -> None:
    done = check(reported, f"{ALL}{WHOLE}{line}", tmp_path)
    assert done.returncode == 1 and line.split()[0] in done.stdout + done.stderr


def test_a_report_without_tests_is_no_proof(reported: Path, tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text("<testsuites/>")
    assert check(tmp_path / "report.xml", "", tmp_path).returncode == 1
    assert check(reported, f"{ALL}{WHOLE}", tmp_path, tmp_path / "report.xml").returncode == 1


def test_a_list_is_that_of_all_reports_together(reported: Path, tmp_path: Path) -> None:
    other = tmp_path / "page.xml"
    other.write_text('<testsuites><testcase classname="tests.test_page" name="test_x"/></testsuites>')
    for first, second in ((reported, other), (other, reported)):
        assert check(first, f"{ALL}{WHOLE}", tmp_path, second).returncode == 0
        assert check(first, ALL, tmp_path, second).returncode == 1


def test_the_submission_asks_and_its_list_names_tests_that_are_there() -> None:
    run = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"JUNIT=\S+ make test\n.*\.ci/skips\.py ", run, re.DOTALL)
    for line in (ROOT / ".ci" / "allowed_skips.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            file, _, name = line.split()[0].partition("::")
            assert f"def {name.rstrip('*')}" in (ROOT / file).read_text(), line


def test_the_workflow_runs_the_same_check_on_the_whole_history() -> None:
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["run"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert job["timeout-minutes"] == 90 and job["steps"][0]["with"]["fetch-depth"] == 0
    assert job["steps"][-1]["with"]["path"] == "reports/"
