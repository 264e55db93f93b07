"""The built wheel alone is enough: it carries every model of checkpoints/, the posteriors and the parameters."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
import socket, sys
sys.modules.update(dict.fromkeys(("dvc", "mlflow")))  # as if they were not installed
socket.socket.connect = socket.getaddrinfo = None  # no network
import uncertsam
from uncertsam.cli import main
assert uncertsam.__file__.startswith(sys.argv[1]), uncertsam.__file__
for line in sys.stdin.read().splitlines():
    sys.argv = line.split()
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, f"{line}: {stop.code}"
"""


def pip(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "pip", *map(str, words)], check=True, capture_output=True)


def second_model(checkpoints: Path) -> None:
    """The weights of sam2_nano under another name."""
    for old in [*checkpoints.glob("sam2_nano.safetensors*"), checkpoints / "fitted" / "sam2_nano"]:
        new = old.with_name(old.name.replace("nano", "other"))
        shutil.copytree(old, new) if old.is_dir() else shutil.copy(old, new)
    for manifest in checkpoints.glob("**/*other*/**/*.json"):
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"model": "sam2_other"}))
    manifest = checkpoints / "sam2_other.safetensors.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"name": "sam2_other"}))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """What pip makes of the sources, to which a model was added."""
    root, folder = request.config.rootpath, tmp_path_factory.mktemp("wheel")
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info", "results")
    for name in ("src/uncertsam", "checkpoints", "profiles"):
        ignore = skip if name != "src/uncertsam" else shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / name, folder / "source" / name, symlinks=True, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, folder / "source")
    second_model(folder / "source" / "checkpoints")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, folder / "source")
    pip("install", "--no-deps", "--no-index", "--target", folder / "site", *folder.glob("*.whl"))
    shutil.rmtree(folder / "source")
    return folder / "site"


def test_in_an_empty_folder_without_network_the_wheel_predicts_fits_and_is_well(site, root, tmp_path):
    shutil.copy(root / "data" / "golden" / "images" / "00000001.jpg", tmp_path / "cat.jpg")
    ask = "uncertsam predict cat.jpg --box 20 30 180 150 --method laplace_closed"
    lines = [
        f"{ask} --out nano", f"{ask} --model sam2_other --out other", f"{ask} --method combined_total --out total",
        "uncertsam fit --count 1", f"{ask} --out own", "uncertsam doctor",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(site)], input="\n".join(lines), cwd=tmp_path, text=True, check=False,
        capture_output=True, env=os.environ | {"PYTHONPATH": str(site)},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    found = {name: json.loads((tmp_path / name / "prediction.json").read_text()) for name in ("nano", "other", "own")}
    assert found["nano"]["score"] == found["other"]["score"] != found["own"]["score"]
    assert found["other"]["model"] == "sam2_other" and "sam2_other, SHA-256" in done.stdout
