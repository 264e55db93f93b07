"""The stages of USAM on a tiny set: from tokens to the verdict, stopped or not, and with files that do not belong."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from spoiling import begin, edited, flipped, halved, lost, refused
from staging import stage

from uncertsam.config.params import Config
from uncertsam.experiments.contract import experiment_named, tables_of
from uncertsam.experiments.decisions import extraction
from uncertsam.experiments.decisions.section import contents
from uncertsam.methods.usam import extract

TOKENS, HEADS = "data/tokens/cats", "data/fitted/sam2_nano/usam/deployable"
STAGES = ["acquire", "preprocess", "encode", "extract_tokens", "extract_fit_tokens", "train_usam", "evaluate_usam"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything, once."""
    root = tmp_path_factory.mktemp("usam")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("MLFLOW_TRACKING_URI", "off")
        begin(root, photos=18)
        edited("params.yaml", lambda values: values["tracking"].update(enabled=False))()
        for name in STAGES:
            stage(name)
    return root


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, in which we are."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def test_the_verdict_is_null_where_one_model_decides_nothing(here):
    found = json.loads(Path("reports/usam.json").read_text())
    table = pd.read_csv("reports/usam.csv")
    assert list(found) == ["deployable", "paper"] and found["paper"]["cats"] == dict.fromkeys(found["paper"]["cats"])
    for dataset in ("cats", "all"):
        decisions = found["deployable"][dataset]
        assert set(decisions) == {"model", "prompt", "task", "segmentation"} and decisions["model"] is None
        assert decisions["segmentation"]["usam_direct"] is None and decisions["task"]["usam_direct"]["n"] > 0
        assert set(decisions["prompt"]) == {
            "usam", "usam_direct", "sam_score", "h_std", "h_y", "h_theta", "h_xp", "h_a",
        }  # fmt: skip
        row = table[(table["dataset"] == dataset) & (table["decision"] == "prompt") & (table["score"] == "usam")]
        assert decisions["prompt"]["usam"]["auc"] == pytest.approx(row["auc"].item())
        assert set(decisions["prompt"]["usam"]) == {"auc", "rel_auc", "lo", "hi", "n"}


def test_what_is_written_passes_its_checks_and_the_page_says_over_how_many_models(here):
    tables = tables_of(here / "reports")
    assert experiment_named("decisions").contradictions(tables) == []
    told = contents(tables)
    assert "one model, sam2_nano" in told["models"] and told["protocols"][0][0] == "deployable"


def test_one_dataset_and_all_of_them_are_the_same_where_there_is_only_one(here):
    quality = pd.read_csv("reports/quality.csv").set_index(["dataset", "score"])
    numbers = ["augrc", "e_augrc", "aurc", "auroc", "bias", "mae", "n"]
    pd.testing.assert_frame_equal(quality.loc["cats"][numbers], quality.loc["all"][numbers])
    assert (quality["e_augrc"] > -1e-9).all() and quality["bias"].notna().groupby("score").all()["usam"]


def tokens() -> dict[str, torch.Tensor]:
    """The arrays of the tested split, whatever its shards."""
    parts = [load_file(path) for path in sorted(Path(f"{TOKENS}/test").glob("*.safetensors"))]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def test_extraction_that_was_killed_goes_on_and_ends_at_the_same_tokens(here, monkeypatch):
    before, whole, seen = tokens(), extract.Extraction.observed, []

    def counted(self, images):
        seen.append(images)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return whole(self, images)

    monkeypatch.setattr(extraction, "IMAGES", 2)
    monkeypatch.setattr(extract.Extraction, "observed", counted)
    shutil.rmtree(f"{TOKENS}/test")
    with pytest.raises(SystemExit):
        stage("extract_tokens")
    assert not Path(f"{TOKENS}/test").exists()
    stage("extract_tokens")
    assert len(seen) == 3
    assert all(torch.equal(value, before[name]) for name, value in tokens().items())


MANIFEST = f"{TOKENS}/test/manifest.json"
BROKEN = {
    "tokens of another model": (
        "evaluate_usam",
        edited(MANIFEST, lambda value: value["models"][0].__setitem__(1, "f" * 64)),
        (TOKENS, "but the models are", "extract_tokens stage"),
    ),
    "tokens cut off": ("evaluate_usam", halved(f"{TOKENS}/test/00000.safetensors"), (TOKENS, "extract_tokens stage")),
    "fit tokens missing": ("train_usam", lost(f"{TOKENS}/fit/manifest.json"), (TOKENS, "extract_tokens stage")),
    "heads with a flipped bit": ("evaluate_usam", flipped(f"{HEADS}/heads.safetensors"), (HEADS, "train_usam stage")),
    "heads of another model": (
        "evaluate_usam",
        edited(f"{HEADS}/manifest.json", lambda value: value.update(model_sha256="f" * 64)),
        (HEADS, "was fitted on", "train_usam stage"),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_files_that_do_not_belong_are_named_in_one_line(here, case):
    name, spoil, says = BROKEN[case]
    spoil()
    refused(name, *says)


def test_every_protocol_and_dataset_of_the_section_is_one_that_there_is(here):
    edited("params.yaml", lambda values: values["train_usam"].update(datasets=["dogs"]))()
    with pytest.raises(Exception, match=r"train_usam\.datasets: there is no 'dogs'"):
        Config.read()
