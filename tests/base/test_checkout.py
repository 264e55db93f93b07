"""Away from a checkout: someone else's project is left alone, and every command works or says what it needs."""

import json
import shutil
from pathlib import Path

import pytest
from spoiling import contents

from uncertsam.base import checkout
from uncertsam.base.errors import UserError
from uncertsam.models.checkpoints import build_network, save_embedded
from uncertsam.predictor import UncertaintyPredictor

BOX = ("--box", "20", "30", "180", "150")


@pytest.fixture
def theirs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project of somebody who has installed the package; the current folder."""
    monkeypatch.setattr(checkout, "PACKAGE", tmp_path / "site" / "uncertsam")
    project = tmp_path / "project"
    for name, text in {
        "params.yaml": "seed: 1\nlr: 0.1\ntracking: on\n",
        "dvc.yaml": "stages: {report: {cmd: echo theirs}}\n",
        "pyproject.toml": '[project]\nname = "theirs"\ndependencies = ["uncertsam"]\n',
        "profiles/demo.yaml": "theirs: true\n",
        "data/fitted/laplace/posterior.pkl": "theirs",
        "data/golden/images/a.jpg": "theirs",
        "checkpoints/sam2_nano.safetensors": "theirs",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    shutil.copy(root / "data" / "golden" / "images" / "00000001.jpg", project / "cat.jpg")
    monkeypatch.chdir(project)
    return project


def test_a_checkout_is_known_by_its_project_not_by_the_names_of_its_files(root, theirs):
    assert checkout.is_checkout(root) and not checkout.is_checkout(theirs)
    assert checkout.checkout() is None and checkout.home() == theirs


def test_in_someone_elses_project_the_shipped_model_and_posterior_answer(theirs, uncertsam):
    before = contents(theirs)
    assert uncertsam("predict", "cat.jpg", *BOX, "--method", "laplace", "--out", "../out")[0] == 0
    told = json.loads((theirs.parent / "out" / "prediction.json").read_text())
    assert told["params"]["samples"] == 1000  # of the package's own params.yaml
    assert uncertsam("doctor")[0] == 0
    assert contents(theirs) == before


def test_what_was_fitted_here_goes_before_what_is_shipped(theirs, uncertsam):
    before, scores = contents(theirs), []
    for words in ([], ["fit", "--count", "1"]):
        assert not words or uncertsam(*words)[0] == 0
        assert uncertsam("predict", "cat.jpg", *BOX, "--method", "laplace_closed", "--out", "../out")[0] == 0
        scores.append(json.loads((theirs.parent / "out" / "prediction.json").read_text())["score"])
    assert scores[0] != scores[1]
    assert contents(theirs).items() >= before.items()


@pytest.mark.parametrize(
    "words",
    [["use", "demo"], ["evaluate"], ["report"], ["verify"], ["verify", "--record"], ["score", "scores.csv"],
     ["check-reports"], ["track", "send"], ["track", "rebuild"]],
)  # fmt: skip
def test_a_command_on_a_checkout_says_so_and_changes_nothing(theirs, uncertsam, words):
    before = contents(theirs)
    name = " ".join(word for word in words if word[0] != "-" and word not in ("demo", "scores.csv"))
    assert uncertsam(*words)[2].startswith(f"error: `uncertsam {name}` works on a checkout of UncertSAM")
    assert contents(theirs) == before


def test_what_is_neither_here_nor_shipped_is_told_with_a_way_to_it(theirs, uncertsam):
    ask = ("predict", "cat.jpg", *BOX)
    assert "in a checkout of UncertSAM; then name" in uncertsam(*ask, "--method", "variance")[2]
    assert "uncertsam download sam2_tiny --out checkpoints" in uncertsam(*ask, "--model", "sam2_tiny")[2]
    (theirs / "checkpoints" / "sam2_hiera_tiny.pt").write_bytes(b"as downloaded")
    assert "sam2_hiera_tiny.pt cannot be read as weights" in uncertsam(*ask, "--model", "sam2_tiny")[2]


def test_an_embedded_model_needs_no_download(theirs, uncertsam):
    before = contents(theirs)
    code, said, _ = uncertsam("download", "sam2_nano", "--out", "checkpoints")
    told, path = said.split(": ")
    assert told == "sam2_nano comes with uncertsam, there is nothing to download"
    assert code == 0 and Path(path.strip()).is_file() and contents(theirs) == before


def test_a_shipped_posterior_is_not_taken_for_other_weights_of_the_same_name(theirs):
    save_embedded(build_network("sam2_nano"), "sam2_nano", Path("mine.safetensors"), {})
    with pytest.raises(UserError, match="fitted/sam2_nano/laplace, which is missing. Make it: `uncertsam fit` with"):
        UncertaintyPredictor.from_pretrained("mine.safetensors", ["laplace"])
