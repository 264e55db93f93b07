"""`uncertsam fit`, `doctor`, `evaluate`, `report`: what a practitioner needs around a prediction."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from uncertsam.app.commands import _doctor
from uncertsam.app.commands._doctor import examine


@pytest.fixture
def repository(root, tmp_path, monkeypatch) -> Path:
    """As much of one as these commands look at; the current folder."""
    for name in ("dvc.yaml", "pyproject.toml"):
        shutil.copy(root / name, tmp_path / name)
    shutil.copy(root / "profiles" / "demo.yaml", tmp_path / "params.yaml")
    shutil.copytree(root / "requirements", tmp_path / "requirements")
    shutil.copytree(root / "checkpoints", tmp_path / "checkpoints")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own_set(tmp_path) -> Path:
    """Four pictures with masks: discs."""
    folder = tmp_path / "mine"
    y, x = np.mgrid[:80, :100]
    for k in range(4):
        disc = (y - 40) ** 2 + (x - 30 - 12 * k) ** 2 < 400
        picture = np.where(disc[..., None], [200, 60 * k, 20], [30, 90, 40 * k + 60]).astype(np.uint8)
        for part, image in (("images", picture), ("masks", (disc * 255).astype(np.uint8))):
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / part / f"{'abcd'[k]}.png")
    return folder


def by_name(findings: list[_doctor.Diagnosis]) -> dict[str, _doctor.Diagnosis]:
    return {finding.name: finding for finding in findings}


def test_laplace_reads_the_shipped_posterior_until_one_is_fitted(repository, uncertsam, root):
    picture = root / "data" / "golden" / "images" / "00000001.jpg"
    ask = ("predict", picture, "--box", 20, 30, 180, 150, "--method", "laplace_closed", "--json")
    shipped = json.loads(uncertsam(*ask)[1])["predictions"][0]["score"]
    missing = uncertsam(*ask, "--fitted", "none")[2]
    assert "none/laplace, which is missing. Make it: `uncertsam fit --out none`" in missing
    code, said, _ = uncertsam("fit", "--count", 2, "--json")
    told = json.loads(said)
    assert code == 0 and told["images"] == 2 and Path(told["out"]) == repository / "data/fitted/sam2_nano/laplace"
    own = json.loads(uncertsam(*ask)[1])["predictions"][0]["score"]
    assert own != shipped
    code, _, error = uncertsam("fit", "--count", 2)
    assert code == 1 and "is there already. Replace it with --force" in error


def test_a_folder_of_ones_own_is_fitted_on_however_small(repository, uncertsam, own_set):
    code, said, _ = uncertsam("fit", own_set, "--json")
    assert code == 0 and json.loads(said)["images"] == 4
    manifest = json.loads((repository / "data" / "fitted" / "sam2_nano" / "laplace" / "manifest.json").read_text())
    assert manifest["data"].keys() == {"mine"} and manifest["params"]["resolution"] == 64


@pytest.mark.parametrize("ending", ["jpg"])
def test_soft_and_jpeg_masks_are_fitted_on_by_the_advice_that_the_error_gives(repository, uncertsam, own_set, ending):
    for path in (own_set / "masks").glob("*.png"):
        soft = Image.open(path).filter(ImageFilter.GaussianBlur(1))
        path.unlink()
        soft.save(path.with_suffix(f".{ending}"))
    (own_set / "images" / "e.heic").touch()
    error = uncertsam("fit", own_set)[2]
    advice = re.search(r"set `(kind: \w+)`", error)[1]
    assert "--option" in error and "--option" in uncertsam("fit", "--help")[1]
    code, said, _ = uncertsam("fit", own_set, "--option", advice)
    assert code == 0 and "on 4 pictures" in said and "not used: images/e.heic" in said
    code, said, _ = uncertsam("fit", own_set, "--option", advice.replace(": ", "="), "--force", "--json")
    assert code == 0 and [one["file"] for one in json.loads(said)["skipped"]] == ["images/e.heic"]


@pytest.mark.parametrize("words", [["kind"], ["kind=soft"], ["x=1"], ["kind=[", "--force"]])
def test_an_option_that_is_none_is_refused(uncertsam, repository, own_set, words):
    code, _, error = uncertsam("fit", own_set, "--option", *words)
    assert code == 1 and ("KEY=VALUE" in error or "Option" in error)


@pytest.mark.parametrize("ending", [".nii.gz"])
def test_a_folder_of_volumes_is_fitted_on(repository, uncertsam, tmp_path, ending):
    import nibabel

    voxels = np.random.default_rng(0).normal(0, 30, (40, 50, 4)).astype(np.float32)
    labels = np.zeros(voxels.shape, np.uint8)
    labels[9:30, 9:30, 1:3] = 1
    for part, values in (("images", voxels + 200 * labels), ("masks", labels)):
        (tmp_path / "scans" / part).mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "scans" / part / f"p{ending}")
    code, said, _ = uncertsam("fit", tmp_path / "scans", "--json")
    assert code == 0 and json.loads(said)["images"] == 2


def test_what_cannot_be_fitted_on_is_said(repository, uncertsam, tmp_path):
    assert "There is no folder lost." in uncertsam("fit", "lost")[2]
    (tmp_path / "empty").mkdir()
    assert uncertsam("fit", tmp_path / "empty")[0] == 1
    assert not (repository / "data").exists()


def test_a_fresh_checkout_lacks_results_but_nothing_needed(repository, monkeypatch):
    monkeypatch.delenv("MLFLOW_DISABLED", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    findings = examine(repository)
    assert not [finding for finding in findings if finding.state == "broken"]
    found = by_name(findings)
    assert found["weights"].state == found["parameters"].state == found["device"].state == "ok"
    assert found["data"].state == "note" and found["data"].mend == "dvc repro"
    shipped, *others = (finding for finding in findings if finding.name == "fitted")
    assert shipped.state == "ok" and "checkpoints/fitted/sam2_nano/laplace" in shipped.text
    assert {finding.state for finding in others} == {"note"} and "dvc repro" in others[0].mend
    assert found["mlflow"].state == "note" and "no store yet" in found["mlflow"].text


def test_the_doctor_prints_lines_or_one_object(repository, uncertsam):
    code, said, _ = uncertsam("doctor")
    assert code == 0 and said.splitlines()[-1] == "everything needed is there"
    code, said, _ = uncertsam("doctor", "--json")
    told = json.loads(said)
    assert code == 0 and told["ok"] and {"name", "state", "text", "mend"} == set(told["findings"][0])


def test_broken_weights_params_and_device_are_found_with_a_mend(repository, uncertsam):
    weights = repository / "checkpoints" / "sam2_nano.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    found = by_name(examine(repository))
    assert found["weights"].state == "broken" and "SHA-256 differs" in found["weights"].text
    assert uncertsam("doctor")[0] == 1
    weights.unlink()
    found = by_name(examine(repository))
    assert found["weights"].state == "broken" and "is missing" in found["weights"].text
    params = repository / "params.yaml"
    params.write_text(params.read_text().replace("device: cpu ", "device: tpu "))
    assert by_name(examine(repository))["device"].state == "broken"
    params.write_text("base: [")
    assert by_name(examine(repository))["parameters"].state == "broken"
    params.unlink()
    assert "params.yaml is missing" in by_name(examine(repository))["parameters"].text


def test_a_part_fitted_on_another_model_is_a_note(repository):
    shutil.copytree(repository / "checkpoints/fitted/sam2_nano/laplace", repository / "data/fitted/sam2_nano/laplace")
    assert any(f.state == "ok" and "laplace" in f.text for f in examine(repository) if f.name == "fitted")
    path = repository / "data" / "fitted" / "sam2_nano" / "laplace" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_sha256": "0" * 64}))
    notes = [f.text for f in examine(repository) if f.name == "fitted" and f.state == "note"]
    assert any("was fitted on sam2_nano (000000000000)" in text for text in notes)


def test_missing_and_differing_packages_are_told_apart(repository):
    project, lock = repository / "pyproject.toml", repository / "requirements" / "main.lock"
    (ok,) = _doctor.packages(repository)
    assert ok.state == "ok"
    lock.write_text(
        lock.read_text() + '\ntyper==0.0.1 ; sys_platform == "nowhere"\npydantic==0.0.1 \\\n    --hash=sha256:0\n'
    )
    (differing,) = _doctor.packages(repository)
    assert differing.state == "note" and "pydantic" in differing.text and "typer" not in differing.text
    project.write_text(project.read_text().replace('"typer"', '"typer", "no-such-package-here>=2"'))
    missing = next(iter(_doctor.packages(repository)))
    assert missing.state == "broken" and missing.text == "no-such-package-here is not installed."


def test_little_room_is_a_note_and_none_is_broken(repository, monkeypatch):
    for free, state in ((10**12, "ok"), (10**9, "note"), (10**7, "broken")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: shutil._ntuple_diskusage(0, 0, free))
        assert next(iter(_doctor.disk(repository))).state == state


def test_a_server_that_is_down_and_runs_that_wait_are_notes(repository, monkeypatch):
    monkeypatch.delenv("MLFLOW_DISABLED", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    (repository / ".tracking" / "a").mkdir(parents=True)
    (repository / ".tracking" / "a" / "run.json").write_text("{}")
    down, waiting = _doctor.mlflow(repository)
    assert down.state == waiting.state == "note"
    assert "does not answer" in down.text and "secret" not in down.line() and "1 runs wait" in waiting.text


def test_away_from_a_checkout_the_doctor_looks_at_the_package(tmp_path):
    findings = examine(None)
    assert not [finding for finding in findings if finding.state == "broken"]
    assert by_name(findings)["checkout"].state == "note"
    assert {f.name for f in findings if f.state == "ok"} >= {"python", "packages", "weights", "fitted", "disk"}


@pytest.mark.parametrize(("command", "target"), [("evaluate", "tabulate"), ("report", "report")])
def test_a_wrapper_runs_the_stage_that_it_names(repository, uncertsam, monkeypatch, root, command, target):
    """The real pipeline's own name for it, and DVC's exit code."""
    assert f"\n  {target}:\n" in (root / "dvc.yaml").read_text()
    called = []

    def run(words, check):
        called.append(words)
        return subprocess.CompletedProcess(words, len(called) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    assert uncertsam(command)[0] == 0
    assert called == [[sys.executable, "-m", "dvc", "repro", target]]
    code, _, error = uncertsam(command)
    assert code == 1 and f"dvc repro {target} ended with exit code 1" in error


def test_a_wrapper_needs_a_pipeline_and_dvc(tmp_path, repository, uncertsam, monkeypatch):
    monkeypatch.setattr("uncertsam.base.checkout.find_spec", lambda name: None)
    assert "`uncertsam report` needs dvc, which is not installed. Run `make setup`" in uncertsam("report")[2]
    assert "`uncertsam track send` needs mlflow, which is not installed." in uncertsam("track", "send")[2]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "`uncertsam evaluate` works on a checkout of UncertSAM" in uncertsam("evaluate")[2]
