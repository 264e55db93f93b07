"""How all is started: OpenMP's threads wait passively from the first import of torch on, and any folder will do."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from staging import command

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
TELLS = f"import os\nprint(*[os.environ.get(name) for name in {NAMES}], flush=True)\n"
CLI = "from uncertsam.cli import main; main()"
FAN_OUT = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import shards
from uncertsam.compute import Engine, map_shards
if __name__ == "__main__":
    map_shards(shards.square, [1], Engine(backend="processes", workers=1, threads=1))
    import importlib; importlib.reload(torch)
"""
PYTHON = {
    "a stage": command("train_fusion"),
    "the command": ["-c", CLI, "predict", "data/golden/images/00000001.jpg", "--box", "1", "1", "9", "9"],
    "the page": ["-c", CLI, "demo"],
    "the benchmarks": ["-m", "benchmarks"],
}
ODD = "my projects 50%3F? #1"


def started(words: list, place: Path, **more: str) -> subprocess.CompletedProcess:
    """What words do in a process whose environment says nothing of how threads wait, unless `more` does."""
    kept = {name: value for name, value in os.environ.items() if name not in (*NAMES, "MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(words, cwd=place, env=kept | more, capture_output=True, text=True, check=False)


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def told(tmp_path: Path) -> str:
    """A PYTHONPATH on which torch tells how threads will wait, and ends; Gradio is there, and empty."""
    (tmp_path / "torch.py").write_text(f"{TELLS}os._exit(0)\n")
    (tmp_path / "gradio.py").touch()
    return os.pathsep.join([str(tmp_path), str(ROOT / "src"), str(ROOT)])


@pytest.mark.parametrize(
    ("launcher", "given", "found"),
    [
        *((launcher, {}, "PASSIVE 0") for launcher in PYTHON),
        ("a stage", {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
        ("a stage", {"GOMP_SPINCOUNT": "7"}, "None 7"),
    ],
)
def test_threads_wait_passively_before_torch_is_loaded_unless_the_user_says_how(launcher, given, found, told):
    done = started([sys.executable, *PYTHON[launcher]], ROOT, PYTHONPATH=told, **given)
    assert done.stdout.split("\n")[0] == found, done.stderr


def test_no_stage_loads_torch_before_it_is_run():
    code = "import runpy, sys; [runpy.run_path(name) for name in sys.argv[1:]]; print('torch' in sys.modules)"
    stages = sorted(map(str, (ROOT / "stages").glob("*.py")))
    done = started([sys.executable, "-c", code, *stages], ROOT, PYTHONPATH=str(ROOT / "src"))
    assert done.stdout == "False\n", done.stderr


def test_importing_the_library_changes_no_environment(told):
    done = started([sys.executable, "-c", "import uncertsam.predictor"], ROOT, PYTHONPATH=told)
    assert done.stdout == "None None\n", done.stderr


def test_workers_wait_passively_even_where_the_callers_script_loads_torch_and_the_caller_stays_as_it_is(tmp_path):
    """torch is loaded by the caller, by the worker with the caller's script, and again by the caller."""
    (tmp_path / "torch.py").write_text(f"{TELLS}def set_num_threads(count): pass\n")
    (tmp_path / "script.py").write_text(FAN_OUT)
    done = started(
        [sys.executable, "script.py", ROOT / "tests"], tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT / 'src'}"
    )
    assert done.stdout.splitlines() == ["None None", "PASSIVE 0", "None None"], done.stderr


@pytest.mark.parametrize(("given", "found"), [({}, "PASSIVE 0"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE ")])
def test_make_and_ci_pass_it_on(given, found, tmp_path):
    (tmp_path / "show.mk").write_text("include Makefile\nshow:\n\t@echo $$OMP_WAIT_POLICY $$GOMP_SPINCOUNT\n")
    made = started(["make", "-s", "-f", tmp_path / "show.mk", "show"], ROOT, **given)
    assert made.stdout.strip() == found.strip(), made.stderr
    script(tmp_path / "bin" / "chromium", "")
    script(tmp_path / "bin" / "make", 'echo "$OMP_WAIT_POLICY $GOMP_SPINCOUNT"; exit 1')
    ci = started([ROOT / ".ci" / "run"], ROOT, PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", **given)
    assert ci.stdout.splitlines()[-1] == found and ci.returncode == 1


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder of an odd name, whose environments are ready, but empty."""
    place = tmp_path / ODD
    for name in (".venv/bin", ".venv-demo/bin", "requirements"):
        (place / name).mkdir(parents=True)
    names = ("Makefile", "pyproject.toml", *(f"requirements/{name}.lock" for name in ("main", "sam2", "demo")))
    for name in names:
        (place / name).write_bytes((ROOT / name).read_bytes())
    for name in (".venv/.ready", ".venv-demo/.ready"):
        (place / name).touch()
    return place


@pytest.mark.parametrize(("tests", "page"), [(0, 0), (3, 0), (0, 4)])
def test_both_suites_run_and_fail_if_either_does(checkout, tests, page):
    script(checkout / ".venv" / "bin" / "pytest", f'echo "main: $@"; exit {tests}')
    script(checkout / ".venv-demo" / "bin" / "python", f'echo "page: $@"; exit {page}')
    done = started(["make", "test"], checkout, JUNIT=str(checkout))
    main, other, last = done.stdout.splitlines()
    assert main.startswith("main:") and main.endswith(f"--junitxml={checkout}/tests.xml")
    assert other.startswith("page:") and other.endswith(f"--junitxml={checkout}/page.xml")
    assert last.endswith(f": tests {tests}, the page's tests {page}") and (done.returncode == 0) == (tests + page == 0)


def test_the_pages_command_starts_in_a_folder_of_any_name(checkout, tmp_path):
    """Its recipe as it is, but for the packages, which it finds on PYTHONPATH."""
    (tmp_path / "pip.py").touch()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=checkout, check=True)
    for name in (".venv/.ready", "requirements/demo.lock"):
        (checkout / name).touch()
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src"), sysconfig.get_path("purelib")])
    done = started(["make", ".venv-demo/.ready", f"PYTHON={sys.executable}"], checkout, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    (main,) = (checkout / ".venv-demo").glob("lib/*/site-packages/main.pth")
    assert str(checkout / ".venv" / "lib") in main.read_text()
    done = started([".venv-demo/bin/uncertsam", "demo", "--help"], checkout, PYTHONPATH=path)
    assert done.returncode == 0 and "Usage: uncertsam demo" in done.stdout, done.stderr
